#include "tls/names.h"
#include "base/escape.h"
#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void add(char *text, size_t room, const void *bytes, size_t size)
{
    size_t used = strlen(text);
    if (used + 3 > room)
        return;
    used += (size_t)snprintf(text + used, room - used, "%s", used ? ", " : "");
    escape_bytes(text + used, room - used, bytes, size, "\\,", NULL);
}

static void add_address(char *text, size_t room, const ASN1_STRING *address)
{
    char printed[INET6_ADDRSTRLEN];
    int size = ASN1_STRING_length(address), family = size == 4 ? AF_INET : AF_INET6;
    if ((size == 4 || size == 16) &&
        inet_ntop(family, ASN1_STRING_get0_data(address), printed, sizeof printed))
        add(text, room, printed, strlen(printed));
}

static void add_name(char *text, size_t room, const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type == GEN_DNS)
        add(text, room, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    else if (type == GEN_IPADD)
        add_address(text, room, value);
}

void names_text(const X509 *certificate, char *text, size_t room)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    *text = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        add_name(text, room, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    if (!*text)
        snprintf(text, room, "no host");
}

void names_common(const X509_NAME *name, char *text, size_t room)
{
    unsigned char *bytes = NULL;
    int place = X509_NAME_get_index_by_NID(name, NID_commonName, -1), size = -1;
    *text = '\0';
    if (place >= 0)
        size = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, place)));
    if (size > 0)
        escape_name(text, room, bytes, (size_t)size);
    OPENSSL_free(bytes);
}

void names_time(const ASN1_TIME *time, char *text, size_t room)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1 || strftime(text, room, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        snprintf(text, room, "an unreadable time");
}

bool names_fit(X509 *certificate, const char *host)
{
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    return X509_check_host(certificate, host, strlen(host), flags, NULL) == 1;
}
