#include "tls/pin.h"
#include "base/error.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char prefix[] = "sha256:";

static int refuse(const char *text)
{
    return fail(PARLEY_USAGE,
                "pin '%s' is not sha256: and the 64 hexadecimal digits of a certificate's fingerprint "
                "(openssl x509 -noout -fingerprint -sha256 -in FILE)",
                text);
}

static int digit(char letter)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *place = letter ? strchr(digits, letter) : NULL;
    if (!place)
        return -1;
    int value = (int)(place - digits);
    return value < 16 ? value : value - 6;
}

int pin_parse(unsigned char pin[PIN_SIZE], const char *text)
{
    const char *next = text + strlen(prefix);
    unsigned char bytes[PIN_SIZE];
    if (strncasecmp(text, prefix, strlen(prefix)) != 0)
        return refuse(text);
    for (size_t i = 0; i < PIN_SIZE; i++) {
        next += i > 0 && *next == ':';
        int high = digit(next[0]), low = high < 0 ? -1 : digit(next[1]);
        if (low < 0)
            return refuse(text);
        bytes[i] = (unsigned char)(high << 4 | low);
        next += 2;
    }
    if (*next)
        return refuse(text);
    memcpy(pin, bytes, PIN_SIZE);
    return 0;
}

void pin_of(unsigned char pin[PIN_SIZE], const X509 *certificate)
{
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), pin, &size) != 1 || size != PIN_SIZE)
        memset(pin, 0, PIN_SIZE);
}

void pin_text(char text[PIN_TEXT], const unsigned char pin[PIN_SIZE])
{
    char *next = text + snprintf(text, PIN_TEXT, "%s", prefix);
    for (size_t i = 0; i < PIN_SIZE; i++)
        next += snprintf(next, 3, "%02x", pin[i]);
}
