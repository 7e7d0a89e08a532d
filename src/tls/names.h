/* Whom a certificate is for, and when. */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H

#include <openssl/x509.h>
#include <stdbool.h>

/* Texts of a certificate are somebody else's: these are escaped for a log. */

/* "localhost, 127.0.0.1, ::1", from its alternative names, cut to `room`; "no host" when it has none. */
void names_text(const X509 *certificate, char *text, size_t room);
/* The common name of a subject or issuer; "" when it has none, or `room` is short. */
void names_common(const X509_NAME *name, char *text, size_t room);
/* "2026-11-21 12:00:00 UTC". */
void names_time(const ASN1_TIME *time, char *text, size_t room);
/* Whether a certificate is for this host: wildcards stand for one whole label (RFC 9525). */
bool names_fit(X509 *certificate, const char *host);

#endif
