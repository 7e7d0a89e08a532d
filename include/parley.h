/* parley: write the handler of a TCP service once; run it, unchanged, under every server design.
 *
 *     static void received(parley_conn *conn, const void *bytes, size_t size)
 *     {
 *         parley_send(conn, bytes, size);
 *     }
 *
 *     int main(void)
 *     {
 *         static const parley_handler echo = PARLEY_HANDLER(.name = "echo", .received = received);
 *         return parley_serve(&echo, "3000", "prethread+epoll");
 *     }
 *
 * Three rules cover the whole library:
 *  1. A connection belongs to one worker. Calls that take a `parley_conn` are made inside callbacks of
 *     that worker only (its own, or of a watch); it is lent there, and never yours to free.
 *  2. Calls that take a `parley_server` together with a `parley_id` may be made from any thread.
 *  3. A call that fails returns a negative parley_status; parley_error() has the sentence.
 *
 * Sizes are bytes, times are milliseconds, addresses are text: "3000", ":3000", "host:3000",
 * "[::1]:3000", "unix:/path", "@abstract". */
#ifndef PARLEY_H
#define PARLEY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PARLEY_VERSION_MAJOR 0
#define PARLEY_VERSION_MINOR 1
#define PARLEY_VERSION_PATCH 0

#if defined(__GNUC__)
#define PARLEY_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define PARLEY_API __attribute__((visibility("default")))
#else
#define PARLEY_PRINTF(text, first)
#define PARLEY_API
#endif

/* A set of listeners, dialled connections and workers that share one handler and one model.
 * Made by parley_server_new(), owned by the caller, freed by parley_server_free(). */
typedef struct parley_server parley_server;

/* One connection, accepted or dialled. Owned by the engine; valid from `opened` to `closed`. */
typedef struct parley_conn parley_conn;

/* A blocking client connection for small programs; owned by the caller. */
typedef struct parley_stream parley_stream;

/* Names a connection outside its callbacks: worker, slot and generation. 0 names none. An id that
 * outlived its connection is refused with PARLEY_STALE, never mistaken for a later connection. */
typedef uint64_t parley_id;

/* What a failing call returns. */
typedef enum parley_status {
    PARLEY_OK = 0,
    PARLEY_NETWORK = -1,  /* the network or the peer: refused, reset, unreachable, in use */
    PARLEY_USAGE = -2,    /* a wrong argument, or a combination that cannot be correct */
    PARLEY_RESOURCE = -3, /* this machine: memory, descriptors, processes, permission */
    PARLEY_TIMEOUT = -4,  /* a deadline passed */
    PARLEY_STALE = -5,    /* the connection of this parley_id has gone, or lives in another process */
    PARLEY_FULL = -6      /* the worker's mailbox is full: try again later */
} parley_status;

/* Why a connection ended; handed to `closed`. parley_reason_text() puts it in words. */
typedef enum parley_reason {
    PARLEY_FINISHED = 0,    /* both sides finished sending, nothing was lost */
    PARLEY_RESET = 1,       /* the peer reset the connection, or the network gave it up */
    PARLEY_ABORTED = 2,     /* the handler called parley_abort() */
    PARLEY_IDLE = 3,        /* the idle time passed without a byte either way */
    PARLEY_LIFETIME = 4,    /* the whole-life deadline passed */
    PARLEY_STALLED = 5,     /* the peer took no byte of what was queued until the write deadline */
    PARLEY_OVERFLOW = 6,    /* more was queued than the hard cap allows */
    PARLEY_BAD_MESSAGE = 7, /* the framing was violated: too long, or a wrong length */
    PARLEY_TRUNCATED = 8,   /* the peer finished in the middle of a message */
    PARLEY_DRAINED = 9,     /* the server stopped; what was queued was sent */
    PARLEY_CUT = 10,        /* the server stopped and the drain deadline passed with bytes unsent */
    PARLEY_FAILED = 11,     /* another system error, or no memory */
    PARLEY_UNREACHED = 12,  /* a dialled connection was never established */
    PARLEY_REFUSED = 13,    /* it was not let in, or broke the rule by which it was: parley_failure() says */
    PARLEY_TLS_TRUNCATED = 14, /* the wire ended without TLS's close_notify (RFC 8446, 6.1): what came may not
                                  be all. `ended` was not called; what was queued is still sent */
    PARLEY_TLS_BROKEN = 15,    /* a record was damaged, or the peer refused later: parley_failure(). What came
                                  whole before it was delivered */
    PARLEY_SILENT = 16,        /* the "first-byte" time passed without a byte of the peer's */
    PARLEY_SLOW = 17,          /* it moved fewer bytes than "min-rate" asks for */
    PARLEY_QUOTA = 18          /* it moved more bytes than "bytes-max" allows */
} parley_reason;

/* What a service requires of a model; a model that cannot give it is refused at the start. */
enum {
    /* One connection's event sends on another, by parley_server_send(): a chat. Not under blocking,
     * iterative, fork, prefork: connections must be told, at the same time, in one memory. */
    PARLEY_PUSH = 1u << 0,
    /* Several clients must be connected at the same time. Not under iterative, nor one blocking worker. */
    PARLEY_CONCURRENT = 1u << 1,
    /* A connection has others beside it: parley_adopt(), parley_connect(). Not under blocking. */
    PARLEY_BESIDE = 1u << 2
};

/* Members left out of a C++ initializer are meant to be: a default of their own says so. */
/* clang-format off */
#if defined(__cplusplus) && __cplusplus >= 201402L
#define PARLEY_UNSET {}
#else
#define PARLEY_UNSET
#endif
/* clang-format on */

/* The callbacks of a service. Fill it with PARLEY_HANDLER(...), which sets `size`. Any callback may
 * be NULL. All callbacks of one connection run in one worker, one after another, never nested: no
 * call you make from a callback runs another callback of that connection before yours returns.
 * What connections share, such as a global, threads use at once: lock it; processes have a copy each.
 * Under the placement "thread" callbacks have a stack of 256 KiB: what is larger belongs into the state.
 * The server copies the structure; what it points to must outlive the server. */
typedef struct parley_handler {
    size_t size PARLEY_UNSET;         /* sizeof(parley_handler): lets the library grow without breaking you */
    const char *name PARLEY_UNSET;    /* for logs */
    size_t state_size PARLEY_UNSET;   /* zeroed bytes kept per connection: parley_state() */
    unsigned needs PARLEY_UNSET;      /* PARLEY_PUSH, PARLEY_CONCURRENT, PARLEY_BESIDE */
    const char *framing PARLEY_UNSET; /* in words, see parley_set() "framing"; NULL is raw */

    /* The connection is established, accepted or dialled. Called once, first. */
    void (*opened)(parley_conn *conn) PARLEY_UNSET;
    /* Bytes arrived: a whole message if framed, otherwise what one receive returned (never empty;
     * a framed message may be). They are lent for the call and may hold any byte. */
    void (*received)(parley_conn *conn, const void *bytes, size_t size) PARLEY_UNSET;
    /* Everything given to parley_send() has been passed to the kernel: a producer sends more here. */
    void (*drained)(parley_conn *conn) PARLEY_UNSET;
    /* The peer finished sending (its half-close, recv(2) returning 0). NULL: parley_finish(). */
    void (*ended)(parley_conn *conn) PARLEY_UNSET;
    /* The time set by parley_set_timer() has come. */
    void (*timed)(parley_conn *conn) PARLEY_UNSET;
    /* The connection has ended. Called exactly once, last, and never inside a call of yours (unless its
     * process is killed: by a second signal, or by the system). If it was dialled and never opened this is
     * the only callback, with PARLEY_UNREACHED or PARLEY_REFUSED; one that was accepted and never opened
     * has none. */
    void (*closed)(parley_conn *conn, parley_reason reason) PARLEY_UNSET;
} parley_handler;
#undef PARLEY_UNSET

/* PARLEY_HANDLER(.name = "echo", .received = received): C; C++14 and later with the members in the order
 * above (before C++20 as an extension of gcc and clang, which neither warns of). Older C++ assigns them, and
 * `size` too. */
/* clang-format off */
#if defined(__cplusplus) && defined(__GNUC__)
#define PARLEY_HANDLER(...) __extension__(parley_handler){.size = sizeof(parley_handler), __VA_ARGS__}
#else
#define PARLEY_HANDLER(...) {.size = sizeof(parley_handler), __VA_ARGS__}
#endif
/* clang-format on */

/* ---- the server ---------------------------------------------------------------------------- */

/* Serves `handler` on `address` until SIGTERM or SIGINT has drained it: parley_server_new(),
 * parley_set("signals", "on"), parley_set("model", model) unless NULL, parley_listen(), parley_run().
 * Failures are written to stderr in one line. Returns the process's exit code, as parley_exit_code(). */
PARLEY_API int parley_serve(const parley_handler *handler, const char *address, const char *model);

/* A server that will run `handler`, once. NULL on failure, with parley_error(): no memory, a wrong framing, a
 * handler without its size. Free it with parley_server_free(). */
PARLEY_API parley_server *parley_server_new(const parley_handler *handler);

/* Closes the listeners and frees everything. Not while parley_run() runs. NULL is allowed. */
PARLEY_API void parley_server_free(parley_server *server);

/* Sets an option by its name, before parley_run(); what concerns listeners (backlog, nodelay, keepalive,
 * buffers, reuseport, unix-mode, family) before parley_listen(); backlog, reuseport and unix-mode are refused
 * later. Times take a unit ("30s", "500ms"; a bare number is seconds, 0 is none), sizes take KiB, MiB, GiB,
 * switches take on and off. An unknown name or a bad value is PARLEY_USAGE, with the sentence that says what
 * is right.
 *
 *   model       PLACEMENT+POLLER or either half; placements iterative fork thread prefork prethread,
 *               pollers blocking select poll epoll uring                    (default prethread+epoll)
 *   workers     workers of prefork and prethread                      (0: the processors it may use)
 *   reuseport   a listening socket per worker instead of a shared one (SO_REUSEPORT)           (off)
 *   backlog     length of the accept queue, listen(2)                  (0: the system's maximum)
 *   nodelay     TCP_NODELAY                                                                    (on)
 *   keepalive   time before the first TCP keepalive probe, tcp(7); a peer that has vanished, or acknowledges
 *               nothing of what was sent, is given up after twice the time (at least 3 s more)    (0)
 *   receive-buffer, send-buffer   SO_RCVBUF, SO_SNDBUF                        (0: the kernel tunes)
 *   unix-mode   permissions of the socket files made, in octal: "0660"; nobody can connect before they hold.
 *               Who may write may connect, unix(7)                               (what the umask leaves)
 *   family      any, 4 or 6: which IP versions names and wildcards resolve to; a number of the other one is
 *               refused, but for parley_connect()                                             (any)
 *   bind        local address and port of dialled connections                      (any free port)
 *   framing     overrides the handler's: "raw", "line max=512" (ends in LF, CR LF accepted; a last line may
 *               end with the connection), "u16be", "u32be max=1MiB", "varint", "fixed=64",
 *               "delim=\r\n max=4KiB"; a length counts the payload alone; sending adds what receiving
 *               strips. Without max: line and delim 64KiB, u32be and varint 16MiB
 *   idle        closes a connection without a byte either way for so long                       (0)
 *   life        closes a connection so long after it was established                            (0)
 *   handshake-timeout  turns away who has not been let in for so long: PROXY header and TLS handshake
 *               together                                                                      (10s)
 *   proxy-from  the proxies in front, as networks with commas between ("10.0.0.0/8,::1,unix"); each call adds
 *               some. Whoever comes from there must begin with a PROXY header (version 1 or 2), which names
 *               the client: see parley_via(). Whoever sends one from elsewhere is turned away  (none)
 *   proxy-send  begins what a dialled connection sends with a PROXY header, v1, v2 or off, before TLS: one of
 *               parley_dial() names its own address, one of parley_connect() that of the connection beside
 *               it, with v2 what is known of its TLS too                                      (off)
 *   proxy-source  the client it names instead: an address, with or without a port             (none)
 *   write-timeout  cuts a peer that takes no byte of what is queued for so long               (60s)
 *   linger      after the last byte, waits so long for the peer to finish too; longer while the peer
 *               still takes bytes; 0 does not wait                                             (2s)
 *   drain       at the stop each connection is finished, as by parley_finish(), and a bridge goes on; what
 *               is not sent, or has not ended, after so long is cut                           (10s)
 *   high-water  queued bytes above which a connection's reading pauses                     (256KiB)
 *   queue-max   queued bytes above which a connection is cut, PARLEY_OVERFLOW               (64MiB)
 *   connect-timeout  overall deadline of a dial, name look-up and retries included              (0)
 *   retry       further attempts of a dial that failed, with jittered back-off                  (0)
 *   connections most connections at once, all workers together; there are then no more workers  (0: any)
 *   per-address, per-network  most connections of one address (IPv6: of a /64), of one network (a /24; IPv6:
 *               a /48); unix peers are not counted                                         (0: any)
 *   accept-rate most clients a second; a tenth of a second's may come at once              (0: any)
 *   when-full   what becomes of a client above these: "queue", it waits to be accepted (or is closed, if that
 *               shows only by its address); "close"; "reset"; "message=TEXT", a line and the close, which is
 *               the close alone where TLS is spoken                                            (queue)
 *   when-over   what becomes of a client that meets one of its limits: idle, life, write-timeout,
 *               first-byte, min-rate, bytes-max, queue-max, message-max or the framing. "close", which is a
 *               reset where bytes were queued for it, lest they seem to have been all; "reset"; or
 *               "message=TEXT": one more message of its framing (raw: a line) behind what is queued, if it is
 *               taken within "linger", then the close; none to a peer that takes nothing, or was told the
 *               end before. Who is not let in by handshake-timeout is told nothing                (close)
 *   first-byte  closes a connection whose peer has sent nothing so long after it was let in         (0)
 *   min-rate    "100", "1KiB/30s": cuts a connection that moves, both ways together, fewer bytes in each
 *               such time; without one, fewer a second, over 10s                                 (none)
 *   bytes-max   cuts a connection that moves more, both ways together                            (0: any)
 *   message-max longest message of the framing, instead of its own max                   (the framing's)
 *   allow, deny who may come: networks ("10.0.0.0/8,::1", "unix" for unix sockets), or "@FILE" with one a
 *               line and # comments, read again on SIGHUP. May be set several times: the first that holds the
 *               client's address decides; who is in none is treated opposite to the last     (anybody)
 *   tls         listeners speak TLS 1.2 and 1.3: on (needs cert), self-signed (a throw-away certificate,
 *               whose fingerprint is logged), off. A client may resume its session for an hour; the keys of
 *               session tickets change each hour                                               (off)
 *   cert, key   PEM files: a certificate with those between it and its authority, and its key; without a key
 *               it is in the same file. Again: one more, chosen by the name the client asks for (SNI)
 *   client-ca   PEM file: a client must show a certificate that these authorities issued; lists of revoked
 *               ones in it are heeded                                                     (none asked)
 *   alpn        protocols spoken inside, the preferred first, "h2,http/1.1"; a client that offers only others
 *               is refused
 *   tls-min, tls-max   1.2 or 1.3, for listeners and dials                               (1.2, 1.3)
 *   dial-tls    dialled connections speak TLS, and verify chain and name                       (off)
 *   dial-ca     PEM file of authorities to trust instead of the system's; revocations as above
 *   dial-cert, dial-key   our own certificate, for a server that asks
 *   dial-alpn   as alpn
 *   server-name whom the certificate must be for, and the name asked for       (the host dialled)
 *   pin         sha256:HEX: trust exactly the certificate (its DER) of this SHA-256; with dial-ca both count
 *   dial-resume resume a session with the same host where there is one: fewer computations, but whoever
 *               watches the wire sees that the same client came again                          (off)
 *   insecure    verify nothing: whoever answers is taken for the server                        (off)
 *   signals     handle SIGTERM and SIGINT: the first drains, the second aborts; and SIGHUP, where there
 *               are files to be read again: one that is broken leaves what was read before    (off)
 *   log         off, text or json: one line per event on stderr                               (off)
 *   verbosity   0 failures only, 1 comings and goings, 2 everything                             (1)
 *   notify      a service manager's socket, as $NOTIFY_SOCKET names it: it is told READY=1 when the workers
 *               have been started, RELOADING=1, STOPPING=1, and a STATUS; sd_notify(3)        ("": none)
 *   watchdog    it is told WATCHDOG=1 twice in this time, unless a worker is busy for longer without a
 *               pause, as $WATCHDOG_USEC asks; sd_watchdog_enabled(3)                              (0)
 *   explain     narrates each system call of a connection's life on stderr, for the whole process and
 *               from now on                                                                   (off) */
PARLEY_API int parley_set(parley_server *server, const char *option, const char *value);

/* A pointer of yours, for parley_user(). Not touched by the engine; each process has its copy. */
PARLEY_API void parley_server_set_user(parley_server *server, void *user);

/* That pointer again, where only the server is at hand: in the callback of a watch. Any thread. */
PARLEY_API void *parley_server_user(const parley_server *server);

/* Whether handler, model and options fit each other and this machine, such as io_uring where a container
 * forbids it: 0, or PARLEY_USAGE or PARLEY_RESOURCE with the sentence that explains. parley_run() asks the
 * same; ask before parley_listen() to refuse before anything is bound. */
PARLEY_API int parley_check(const parley_server *server);

/* Binds and listens on `address` now, so that its failures show here: in use, no permission, not
 * ours. Port 0 takes a free one. May be called several times. A host name that resolves to several
 * addresses listens on all; a bare port is one dual-stack socket. bind(2), listen(2). */
PARLEY_API int parley_listen(parley_server *server, const char *address);

/* Listens on a socket that is bound and listens already, as a service manager passes it. It becomes the
 * server's, which closes its copy at the end and removes no socket file, and close-on-exec. PARLEY_USAGE when
 * it is not open, of another kind than a stream socket that listens, or with "reuseport". */
PARLEY_API int parley_listen_fd(parley_server *server, int descriptor);

/* Sets an option for the clients of one listener, `index` as below, before parley_run(). What a listener sets
 * counts there in place of the server's, and by itself: who holds one of its places takes none elsewhere. The
 * sockets of one parley_listen() are one listener, of which at most 63 may have options of their own. These
 * can be set: connections per-address per-network accept-rate when-full when-over first-byte idle life
 * handshake-timeout write-timeout min-rate bytes-max message-max queue-max allow deny proxy-from, of which
 * the last three, once set, replace the server's list. Values and errors are those of parley_set(). */
PARLEY_API int parley_listener_set(parley_server *server, size_t index, const char *option,
                                   const char *value);

/* How many sockets listen, and the address ("127.0.0.1:3000") and port (0 for unix) of each, as bound. */
PARLEY_API size_t parley_listeners(const parley_server *server);
PARLEY_API const char *parley_listener_address(const parley_server *server, size_t index);
PARLEY_API int parley_listener_port(const parley_server *server, size_t index);

/* Dials `address` when parley_run() starts; the connection takes the server's handler like an
 * accepted one: parley_is_dialled() tells them apart. Names are looked up off the loop and raced (RFC 8305).
 * Models iterative and prethread, under blocking beside listeners with more than one worker; a server without
 * listeners ends when its last connection has closed. */
PARLEY_API int parley_dial(parley_server *server, const char *address);

/* Told what a dial does, in sentences: "localhost is ::1, 127.0.0.1", "trying [::1]:3000". Before
 * parley_run(); called from a thread of the dial's own. */
PARLEY_API void parley_on_progress(parley_server *server,
                                   void (*progress)(parley_server *server, const char *sentence));

/* Calls `listening` in parley_run(), in its thread, when every socket listens and before the first worker
 * starts: the place to give up privileges and to say that the server is there. A negative parley_status
 * ends parley_run() with it. Before parley_run(). */
PARLEY_API void parley_on_listening(parley_server *server, int (*listening)(parley_server *server));

/* Runs the server in this thread (workers beside it; a single one in it) until it is stopped or has nothing
 * left to do.
 * 0 after a clean drain; PARLEY_NETWORK if its dial failed; 128+n if a second signal n cut it short.
 * Processes of fork and prefork never return from here. */
PARLEY_API int parley_run(parley_server *server);

/* Asks a running server to drain and end. Any thread, any process's signal handler; idempotent. */
PARLEY_API void parley_stop(parley_server *server);

/* Calls `readable` on the first worker whenever `descriptor` (a pipe, terminal, socket, file or
 * timerfd(2) of yours) can be read or is at its end. One per descriptor; parley_watch_pause() holds it back.
 * Before parley_run(); event pollers, iterative and prethread. The descriptor stays yours. */
PARLEY_API int parley_watch(parley_server *server, int descriptor,
                            void (*readable)(parley_server *server, int descriptor));
/* Pauses or resumes a watch; before parley_run(), or from callbacks of the first worker. */
PARLEY_API void parley_watch_pause(parley_server *server, int descriptor, bool paused);

/* ---- a connection, inside its callbacks ----------------------------------------------------- */

/* Queues `size` bytes, framed as the connection is, and returns at once. All bytes are sent, in
 * order, however slowly the peer reads. Above "high-water" the connection's own reading pauses, so a
 * naive echo is safe; a client that sends much before it reads raises "high-water", or waits for
 * `drained` itself, lest both sides wait for the other to read. PARLEY_FULL above "queue-max" (the connection
 * is then cut, PARLEY_OVERFLOW), PARLEY_STALE after parley_finish(),
 * parley_half_close() or the end. */
PARLEY_API int parley_send(parley_conn *conn, const void *bytes, size_t size);

/* The same for text, as printf(3). Up to 4 KiB once formatted; longer is PARLEY_USAGE. */
PARLEY_API int parley_sendf(parley_conn *conn, const char *format, ...) PARLEY_PRINTF(2, 3);

/* Sends what is queued, says the end (FIN), waits for the peer's end within "linger", then closes.
 * What arrives meanwhile is discarded, so no reset can destroy the last bytes sent. */
PARLEY_API void parley_finish(parley_conn *conn);

/* Sends what is queued, then SHUT_WR, and goes on receiving: a client's end of input. */
PARLEY_API void parley_half_close(parley_conn *conn);

/* Drops what is queued and resets the connection (RST). */
PARLEY_API void parley_abort(parley_conn *conn);

/* Holds back or resumes receiving; the peer feels it as back-pressure. */
PARLEY_API void parley_pause(parley_conn *conn);
PARLEY_API void parley_resume(parley_conn *conn);

/* Calls `timed` once after `delay` milliseconds; a later call moves it, -1 cancels it. */
PARLEY_API void parley_set_timer(parley_conn *conn, int64_t delay);

/* The `state_size` bytes of this connection, zeroed at first, aligned for any type, freed behind `closed`. */
PARLEY_API void *parley_state(parley_conn *conn);
/* The pointer given to parley_server_set_user(). */
PARLEY_API void *parley_user(const parley_conn *conn);
/* The server it belongs to, for calls from other threads. */
PARLEY_API parley_server *parley_server_of(const parley_conn *conn);
/* Its name outside callbacks. */
PARLEY_API parley_id parley_id_of(const parley_conn *conn);
/* "127.0.0.1:40000", "[::1]:40000", "unix". The text lives until the thread's next such call. Behind a proxy
 * (option proxy-from) they are the client's, and the address that it came to, as its header says. */
PARLEY_API const char *parley_peer(const parley_conn *conn);
PARLEY_API const char *parley_local(const parley_conn *conn);
/* The address of the proxy whose header named the client; "" when the client came by itself, and when the
 * proxy spoke for itself or did not say for whom. */
PARLEY_API const char *parley_via(const parley_conn *conn);
/* Whether this side dialled. */
PARLEY_API bool parley_is_dialled(const parley_conn *conn);
/* Bytes given to parley_send() that the kernel has not taken yet. */
PARLEY_API size_t parley_queued(const parley_conn *conn);
/* Bytes on the wire so far, framing included. */
PARLEY_API uint64_t parley_bytes_received(const parley_conn *conn);
PARLEY_API uint64_t parley_bytes_sent(const parley_conn *conn);
/* "finished", "reset by the peer", …; a constant. */
PARLEY_API const char *parley_reason_text(parley_reason reason);
/* For PARLEY_RESET, PARLEY_FAILED and PARLEY_UNREACHED: the call and the reason; for PARLEY_REFUSED and
 * PARLEY_TLS_BROKEN: why; for a limit ("idle 30s"): which; else "". */
PARLEY_API const char *parley_failure(const parley_conn *conn);

/* What TLS knows of the connection; NULL where it speaks plain, or for another word. The text lives until the
 * thread's next such call; bytes of the peer's in it are escaped as in a log; "" is "there is none".
 *
 *   protocol     "TLSv1.3", "TLSv1.2"
 *   cipher       "TLS_AES_256_GCM_SHA384", as OpenSSL names it
 *   server-name  the name the client asked for (SNI)
 *   alpn         the protocol that was agreed on
 *   peer-cn      common name of the peer's certificate, if it showed one
 *   peer-pin     that certificate's fingerprint, "sha256:HEX", as "pin" takes it
 *   verified     how we know the peer: "for NAME", "by its pin", "by its chain" (a client); "": we do not
 *   resumed      "yes" if an earlier session was resumed
 *
 * Of one that speaks plain to us behind a proxy that ended its TLS (option proxy-from) it is what the header
 * says, where it says so: protocol, cipher, server-name, and peer-cn of a certificate that was verified. */
PARLEY_API const char *parley_tls(const parley_conn *conn, const char *what);

/* One log line about this connection, if the log is on: "127.0.0.1:40000 TEXT". Control bytes are
 * escaped, so peer bytes are safe in it. */
PARLEY_API void parley_log(parley_conn *conn, const char *format, ...) PARLEY_PRINTF(2, 3);
/* The same about the server itself: "TEXT". Any thread, while parley_run() runs. */
PARLEY_API void parley_server_log(parley_server *server, const char *format, ...) PARLEY_PRINTF(2, 3);
/* Logs a message: `127.0.0.1:40000 what: 6 bytes "hello\n"`, escaped, cut after 200 bytes. */
PARLEY_API void parley_log_message(parley_conn *conn, const char *what, const void *bytes, size_t size);

/* ---- connections beside a connection -------------------------------------------------------- */

/* Takes over `descriptor`, a connected stream socket of yours, into the worker of `beside`: one end of a
 * socketpair(2) to a program, say. It becomes a connection like others, with `handler` (copied) and `user`,
 * which parley_user() gives, in place of the server's; "idle", "life" and "write-timeout" are not applied to
 * it, and it takes no place of "connections". With "proxy-send" it is told of `beside` before all else.
 * `opened` is called before this returns. The descriptor is the engine's from now on, and is closed if this
 * fails: NULL, with parley_error(). Not under blocking: PARLEY_BESIDE. */
PARLEY_API parley_conn *parley_adopt(parley_conn *beside, int descriptor, const parley_handler *handler,
                                     void *user);

/* Dials `address` in the worker of `beside`, without waiting: numbers and unix sockets in its loop, names as
 * parley_dial() does. "connect-timeout", "retry", "bind" and "family" hold for it. Returns the connection at
 * once, which may be bridged, and unless it is to speak TLS sent to, before it is established; then, or when
 * it is not, its `handler` (copied) hears of it as that of parley_dial() does. NULL when it could not even
 * begin, with parley_error(); no callback follows. "idle" and "life" are not applied to it. Not under
 * blocking: PARLEY_BESIDE. */
PARLEY_API parley_conn *parley_connect(parley_conn *beside, const char *address,
                                       const parley_handler *handler, void *user);

/* Bridges two connections of one worker: what one receives from now on is sent on the other, both ways, and
 * the end of one half-closes the other. While "high-water" is queued for one, the other is not read; the two
 * directions do not wait for each other. When both have said their ends both finish. One that ends otherwise
 * takes the other along: finished where it ended in order, else reset. Instead of `received` and `drained`
 * nothing is called; `ended` is, after the other has been half-closed, and need not do anything. What
 * parley_send() gives goes out before what is bridged later. At a stop a bridge goes on until it ends, or the
 * drain deadline cuts it. 0; PARLEY_USAGE: another worker's, bridged already, or framed; PARLEY_STALE. */
PARLEY_API int parley_bridge(parley_conn *one, parley_conn *other);

/* ---- from any thread ------------------------------------------------------------------------ */

/* As parley_send(), parley_finish() and parley_abort(), through the bounded mailbox of the
 * connection's worker; also from a callback of another connection. The bytes are copied, and framed there.
 * PARLEY_STALE when the connection has gone or lives in another process, PARLEY_FULL when the mailbox is,
 * PARLEY_USAGE when the model's poller is blocking (a blocked recv cannot be told). That the call succeeds
 * promises queueing, not delivery: a connection that ends before its worker reads the letter takes it along.
 */
PARLEY_API int parley_server_send(parley_server *server, parley_id id, const void *bytes, size_t size);
PARLEY_API int parley_server_finish(parley_server *server, parley_id id);
PARLEY_API int parley_server_abort(parley_server *server, parley_id id);

/* ---- a blocking client ---------------------------------------------------------------------- */

/* Dials `address` (names raced, RFC 8305) within `timeout` ms (0: the kernel's own time). NULL on
 * failure, with parley_error(). One thread at a time. Every write is whole, no SIGPIPE is raised. */
PARLEY_API parley_stream *parley_stream_dial(const char *address, int64_t timeout);
/* Speaks TLS from here on: right after the dial, or once both sides have agreed to. The server's certificate
 * must be for the host that was dialled, and lead to an authority of the system's, unless `options` say
 * otherwise: names and values in turn, ended by NULL, or NULL for none; dial-ca, dial-cert, dial-key,
 * dial-alpn, server-name, pin, insecure, tls-min and tls-max, as parley_set() has them. Reads then give clear
 * bytes, and 0 is the peer's close_notify: a wire that ends without one is PARLEY_NETWORK. The timeout of
 * parley_stream_set_timeout() bounds the handshake. 0, or a parley_status: after PARLEY_USAGE the stream is
 * as it was, after any other it can only be hung up. */
PARLEY_API int parley_stream_secure(parley_stream *stream, const char *const *options);
/* Reads up to `size` bytes as recv(2) does: > 0 bytes, 0 the peer finished, or a parley_status. */
PARLEY_API ssize_t parley_stream_read(parley_stream *stream, void *bytes, size_t size);
/* Reads exactly `size` bytes: `size`, fewer when the peer finished first, or a parley_status. */
PARLEY_API ssize_t parley_stream_read_all(parley_stream *stream, void *bytes, size_t size);
/* Writes all of it: 0 or a parley_status. */
PARLEY_API int parley_stream_write(parley_stream *stream, const void *bytes, size_t size);
/* Says "no more from here" (close_notify, SHUT_WR) and goes on reading. */
PARLEY_API int parley_stream_half_close(parley_stream *stream);
/* Bounds each later read and write to `timeout` ms (0: none): PARLEY_TIMEOUT. */
PARLEY_API int parley_stream_set_timeout(parley_stream *stream, int64_t timeout);
/* "127.0.0.1:3000": whom it reached; lives as long as the stream. */
PARLEY_API const char *parley_stream_peer(const parley_stream *stream);
/* Closes and frees it. NULL is allowed. */
PARLEY_API void parley_stream_hang_up(parley_stream *stream);

/* ---- failures ------------------------------------------------------------------------------- */

/* The sentence of this thread's last failing call: the call, the address, the reason, as in
 * "bind 0.0.0.0:80: permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)". Never NULL. */
PARLEY_API const char *parley_error(void);
/* The exit code of the parley command for a status or a parley_run() result: 0, 1, 2, 4 or 128+n. */
PARLEY_API int parley_exit_code(int status);
/* "0.1.0": of the library that runs, which may be newer than the header compiled against. */
PARLEY_API const char *parley_version(void);

#ifdef __cplusplus
}
#endif
#endif
