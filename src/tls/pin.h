/* Fingerprints: SHA-256 of a certificate in DER, as `openssl x509 -fingerprint -sha256` shows it. */
#ifndef TLS_PIN_H
#define TLS_PIN_H

#include "tls/policy.h"
#include <openssl/x509.h>

/* "sha256:" and 64 hexadecimal digits. */
enum { PIN_TEXT = 7 + 2 * PIN_SIZE + 1 };

/* "sha256:HEX", with or without colons between the bytes: 0, or PARLEY_USAGE with its sentence. */
int pin_parse(unsigned char pin[PIN_SIZE], const char *text);
/* The fingerprint of a certificate; all zero without memory. */
void pin_of(unsigned char pin[PIN_SIZE], const X509 *certificate);
void pin_text(char text[PIN_TEXT], const unsigned char pin[PIN_SIZE]);

#endif
