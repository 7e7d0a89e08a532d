/* The options of TLS: those who listen, and those who connect. */
#include "option/groups.h"

static const struct option serving_options[] = {
    {.name = "tls",
     .argument = "[self-signed]",
     .setting = "tls",
     .choices = "on self-signed",
     .kind = OPTION_MAYBE,
     .help = "speaks TLS 1.2 and 1.3, with the certificate of --cert; self-signed makes a throw-away one and "
             "tells its fingerprint"},
    {.name = "cert",
     .argument = "FILE",
     .setting = "cert",
     .kind = OPTION_PATH,
     .help = "a certificate in PEM, with those between it and its authority; again for another one, chosen "
             "by the name the client asks for (SNI)"},
    {.name = "key",
     .argument = "FILE",
     .setting = "key",
     .kind = OPTION_PATH,
     .help = "its key; without one it is in the certificate's file"},
    {.name = "client-ca",
     .argument = "FILE",
     .setting = "client-ca",
     .kind = OPTION_PATH,
     .help = "lets in clients only that show a certificate of these authorities; lists of revoked ones in "
             "FILE are heeded"},
    {.name = "alpn",
     .argument = "LIST",
     .setting = "alpn",
     .help = "the protocols spoken inside, the preferred first: h2,http/1.1"},
    {0},
};
const struct option_group tls_serving_group = {.title = "TLS", .options = serving_options};

static const struct option dialling_options[] = {
    {.name = "tls",
     .setting = "dial-tls",
     .help = "speaks TLS 1.2 and 1.3, and verifies the server's certificate: its chain, its name, its dates"},
    {.name = "ca",
     .argument = "FILE",
     .setting = "dial-ca",
     .kind = OPTION_PATH,
     .help = "trusts the authorities, or the certificate, in FILE instead of the system's; lists of revoked "
             "ones in it are heeded"},
    {.name = "server-name",
     .argument = "NAME",
     .setting = "server-name",
     .help = "whom the certificate must be for, and the name asked for (SNI); the host connected to"},
    {.name = "pin",
     .argument = "sha256:HEX",
     .setting = "pin",
     .help = "trusts exactly the certificate of this fingerprint (SHA-256 of its DER), whatever its name and "
             "dates"},
    {.name = "insecure", .setting = "insecure", .help = "verifies nothing: whoever answers is believed"},
    {.name = "cert",
     .argument = "FILE",
     .setting = "dial-cert",
     .kind = OPTION_PATH,
     .help = "our own certificate in PEM, for a server that asks for one"},
    {.name = "key",
     .argument = "FILE",
     .setting = "dial-key",
     .kind = OPTION_PATH,
     .help = "its key; without one it is in the certificate's file"},
    {.name = "alpn",
     .argument = "LIST",
     .setting = "dial-alpn",
     .help = "the protocols offered, the preferred first: h2,http/1.1"},
    {0},
};
const struct option_group tls_dialling_group = {.title = "TLS", .options = dialling_options};

/* Of either side. */
static const struct option version_options[] = {
    {.name = "tls-min",
     .argument = "VERSION",
     .setting = "tls-min",
     .choices = "1.2 1.3",
     .help = "the oldest version that is spoken; 1.2"},
    {.name = "tls-max",
     .argument = "VERSION",
     .setting = "tls-max",
     .choices = "1.2 1.3",
     .help = "the newest; 1.3"},
    {0},
};
const struct option_group tls_version_group = {.title = "TLS", .options = version_options};

static const struct option loading_options[] = {
    {.name = "resume",
     .setting = "dial-resume",
     .help = "resumes a session of the server's where there is one, instead of a whole handshake; the report "
             "tells how many were"},
    {0},
};
const struct option_group tls_loading_group = {.title = "TLS", .options = loading_options};
