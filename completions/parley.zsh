#compdef parley
# zsh completion for parley; made by: parley completion zsh
_parley() {
    local line state
    _arguments -C '1:subcommand:((serve\:"serves one of the built-in services under any server design" listen\:"waits for a client and talks to it from here" connect\:"connects to a server and talks to it from here" load\:"loads a server and measures its replies" compare\:"measures the designs of a service, and other servers, against each other" help\:"tells what a subcommand does and its options" version\:"prints the version" completion\:"prints the completion for a shell"))' '*::operand:->operands'
    case $line[1] in
    serve)
        _arguments -s -S \
            '(-p --port)'{-p+,--port=}'[the port]:PORT: ' \
            '(-i --ipaddr)'{-i+,--ipaddr=}'[the IP address]:ADDRESS:_hosts' \
            '(-d --domain)'{-d+,--domain=}'[the host'\''s name]:NAME:_hosts' \
            '(-U --unix)'{-U+,--unix=}'[a unix socket instead of TCP; @NAME is an abstract one]:PATH:_files' \
            '(-4 --ipv4)'{-4,--ipv4}'[IPv4 only]' \
            '(-6 --ipv6)'{-6,--ipv6}'[IPv6 only]' \
            '--listen=[one more address to listen on; may be repeated. Behind it, as behind each address, limits of its own may stand\: '\''127.0.0.1\:8080 connections=100 idle=30s'\'']:ADDRESS: ' \
            '(-l --passive)'{-l,--passive}'[listens; always so]' \
            '(-k --keep)'{-k,--keep}'[serves client after client; always so]' \
            '--backlog=[length of the queue of clients not yet accepted; 0, the default\: the system'\''s maximum]:N: ' \
            '--unix-mode=[permissions of the unix sockets'\'' files, in octal, as 0660\: who may write to it may connect; by default what the umask leaves]:MODE: ' \
            '--print-port[prints the port of each listening socket on stdout, a line each]' \
            '--ready-fd=[writes each listening address to descriptor N, a line each, and closes it]:N: ' \
            '--model=[the server design, PLACEMENT+POLLER or either half\: iterative, fork, thread, prefork or prethread with blocking, select, poll, epoll or uring; by default prethread+epoll]:MODEL:(iterative fork thread prefork prethread blocking select poll epoll uring iterative+blocking iterative+select iterative+poll iterative+epoll iterative+uring fork+blocking fork+select fork+poll fork+epoll fork+uring thread+blocking thread+select thread+poll thread+epoll thread+uring prefork+blocking prefork+select prefork+poll prefork+epoll prefork+uring prethread+blocking prethread+select prethread+poll prethread+epoll prethread+uring)' \
            '--workers=[workers of prefork and prethread; 1 is a single loop; 0, the default\: as many as processors]:N: ' \
            '--reuseport[gives each worker a listening socket of its own (SO_REUSEPORT)]' \
            '--explain[tells each system call of a connection'\''s life on stderr as it happens]' \
            '--proxy-from=[the proxies in front\: 10.0.0.0/8,\:\:1,unix; may be repeated. Who comes from there must begin with a PROXY header, version 1 or 2, and its client is the peer from then on; who sends one from elsewhere is turned away]:NETWORKS: ' \
            '--tls=[speaks TLS 1.2 and 1.3, with the certificate of --cert; self-signed makes a throw-away one and tells its fingerprint]:[self-signed]:(on self-signed)' \
            '--cert=[a certificate in PEM, with those between it and its authority; again for another one, chosen by the name the client asks for (SNI)]:FILE:_files' \
            '--key=[its key; without one it is in the certificate'\''s file]:FILE:_files' \
            '--client-ca=[lets in clients only that show a certificate of these authorities; lists of revoked ones in FILE are heeded]:FILE:_files' \
            '--alpn=[the protocols spoken inside, the preferred first\: h2,http/1.1]:LIST: ' \
            '--tls-min=[the oldest version that is spoken; 1.2]:VERSION:(1.2 1.3)' \
            '--tls-max=[the newest; 1.3]:VERSION:(1.2 1.3)' \
            '--allow=[who may come\: 10.0.0.0/8,\:\:1, or @FILE with a network a line and # comments, read again on SIGHUP; may be repeated and mixed with --deny\: the first that holds the client'\''s address decides, and who is in none is treated opposite to the last]:NETWORKS: ' \
            '--deny=[who may not come; as --allow]:NETWORKS: ' \
            '--connections=[most connections at once, all workers together; 0, the default\: any]:N: ' \
            '--per-address=[most connections of one address; of IPv6, of one /64]:N: ' \
            '--per-network=[most connections of one network\: a /24 of IPv4, a /48 of IPv6]:N: ' \
            '--accept-rate=[most clients a second; as many as come in a tenth of it may come at once]:N: ' \
            '--when-full=[what becomes of a client above these\: queue, the default (it waits to be accepted, or is closed if that shows only by its address), close, reset, or message=TEXT (a line, then the close; under TLS the close alone)]:POLICY: ' \
            '--first-byte=[closes a connection whose peer has sent nothing so long after it was let in]:TIME: ' \
            '--min-rate=[cuts a connection that moves, both ways together, fewer BYTES in each TIME; without TIME\: fewer a second, over 10s]:BYTES[/TIME]: ' \
            '--bytes-max=[cuts a connection that moves more, both ways together]:SIZE: ' \
            '--message-max=[longest message of the framing, instead of its own max]:SIZE: ' \
            '--when-over=[what becomes of a connection that meets one of these limits, --idle, --life or --write-timeout\: close, the default, reset, or message=TEXT (one more message or, where bytes are raw, a line, behind what is queued, and then the close)]:POLICY: ' \
            '--high-water=[queued bytes above which a connection'\''s reading pauses; 256KiB]:SIZE: ' \
            '--queue-max=[queued bytes above which a connection is cut; 64MiB]:SIZE: ' \
            '--framing=[how messages are told apart\: "raw", "line max=512", "u16be", "u32be max=1MiB", "varint", "fixed=64", "delim=\\r\\n"]:FRAMING: ' \
            '--idle=[closes a connection without a byte either way for so long]:TIME: ' \
            '--life=[closes a connection so long after it was established]:TIME: ' \
            '--handshake-timeout=[gives up a connection that is not let in for so long, PROXY header and TLS handshake together; 10s]:TIME: ' \
            '--write-timeout=[cuts a peer that takes no byte of what is queued for so long; 60s]:TIME: ' \
            '--linger=[after the last byte waits so long for the peer to finish too; 2s]:TIME: ' \
            '--drain=[when told to stop, lets connections finish for so long; 10s, a conversation of connect or listen 200ms]:TIME: ' \
            '--no-nodelay[leaves Nagle'\''s algorithm on (no TCP_NODELAY)]' \
            '--keepalive=[probes a silent peer after so long, and gives up one that has vanished, or acknowledges nothing, after twice the time (at least 3 s more)]:TIME: ' \
            '--receive-buffer=[SO_RCVBUF]:SIZE: ' \
            '--send-buffer=[SO_SNDBUF]:SIZE: ' \
            '--user=[becomes this user, a name or a number, once it listens; with the user'\''s groups, unless --group names one]:USER: ' \
            '--group=[becomes a member of this group, and of no other]:GROUP: ' \
            '--chroot=[makes DIR the root of all paths once it listens]:DIR:_files' \
            '--no-sandbox[keeps the privileges that a server without a need for them gives up]' \
            '--once[one exchange a connection\: answers the first message and closes]' \
            '--message=[what it answers, sent exactly as given; by default "Hello!" and a newline]:TEXT: ' \
            '--shell=[runs /bin/sh -c LINE instead of a program named behind --]:LINE: ' \
            '--env=[a variable of its environment, which has UCSPI'\''s and PATH otherwise; without a value, the one it has here; may be repeated]:NAME[=VALUE]: ' \
            '--as=[runs it as this user, with its groups; only root can]:USER: ' \
            '--new-privileges[lets it gain privileges, as set-user-ID programs do (sudo, sendmail); one that has may be out of reach of --grace and the stop]' \
            '--rlimit=[limits it\: as, core, cpu, data, fsize, memlock, nofile, nproc or stack, as in nofile=64, as=512MiB or cpu=10 (seconds); may be repeated]:NAME=VALUE: ' \
            '--max-children=[most programs at once, above which clients wait; 0, the default\: any]:N: ' \
            '--grace=[when its client is gone, its group has so long from SIGTERM to SIGKILL; 5s]:TIME: ' \
            '--stderr-to-client[sends what it says on descriptor 2 to the client, and not to the log]' \
            '--pty[gives it a terminal of its own instead, for those that want one; under blocking there is none]' \
            '--to=[whom each connection is forwarded to\: 3000, host\:3000, \[\:\:1\]\:3000, unix\:/path, @name]:ADDRESS: ' \
            '--to-tls[speaks TLS to it, and verifies its certificate\: its chain, its name, its dates]' \
            '--to-ca=[trusts the authorities, or the certificate, in FILE instead of the system'\''s]:FILE:_files' \
            '--to-server-name=[whom its certificate must be for, and the name asked for (SNI); the host of --to]:NAME: ' \
            '--to-pin=[trusts exactly the certificate of this fingerprint (SHA-256 of its DER)]:sha256\:HEX: ' \
            '--to-insecure[verifies nothing\: whoever answers is believed]' \
            '--to-cert=[our own certificate in PEM, for a target that asks for one]:FILE:_files' \
            '--to-key=[its key; without one it is in the certificate'\''s file]:FILE:_files' \
            '--to-alpn=[the protocols offered to it, the preferred first\: h2,http/1.1]:LIST: ' \
            '--connect-timeout=[gives up a target that is not reached within so long, name look-up and retries included; 10s]:TIME: ' \
            '--retry=[tries it again so many times, pausing longer and longer; 0]:N: ' \
            '--proxy-send=[tells the target of relay, or a program of exec, who the client is\: a PROXY header of this version comes before all else]:VERSION:(v1 v2)' \
            '--log=[how events are told on stderr\: text, json (an object a line) or none]:FORMAT:(text json off none)' \
            '(-v --verbose)'{-v,--verbose}'[tells more]' \
            '(-q --quiet)'{-q,--quiet}'[tells only failures, the start and the stop]' \
            '(-h --help)'{-h,--help}'[shows this help]' \
            '1:operand:((hangup\:"accepts and hangs up at once" echo\:"sends back what it receives" upper\:"sends it back with a-z as A-Z; a line \"end\" ends the conversation" greet\:"reads the first message, answers with its own, and closes" discard\:"reads and forgets \(RFC 863\)" exec\:"runs a program for each connection\: parley serve exec 3000 -- PROGRAM ARGS..." relay\:"forwards each connection\: parley serve relay 3000 --to HOST\:PORT" chargen\:"sends a pattern of characters without end \(RFC 864\)"))' \
            '*:address:_hosts'
        ;;
    listen)
        _arguments -s -S \
            '(-p --port)'{-p+,--port=}'[the port]:PORT: ' \
            '(-i --ipaddr)'{-i+,--ipaddr=}'[the IP address]:ADDRESS:_hosts' \
            '(-d --domain)'{-d+,--domain=}'[the host'\''s name]:NAME:_hosts' \
            '(-U --unix)'{-U+,--unix=}'[a unix socket instead of TCP; @NAME is an abstract one]:PATH:_files' \
            '(-4 --ipv4)'{-4,--ipv4}'[IPv4 only]' \
            '(-6 --ipv6)'{-6,--ipv6}'[IPv6 only]' \
            '(-k --keep)'{-k,--keep}'[waits for the next client when one has left]' \
            '(-l --listen)'{-l,--listen}'[listens; always so]' \
            '--backlog=[length of the queue of clients not yet accepted; 0, the default\: the system'\''s maximum]:N: ' \
            '--unix-mode=[permissions of the unix sockets'\'' files, in octal, as 0660\: who may write to it may connect; by default what the umask leaves]:MODE: ' \
            '--print-port[prints the port of each listening socket on stdout, a line each]' \
            '--ready-fd=[writes each listening address to descriptor N, a line each, and closes it]:N: ' \
            '--prompt=[shows TEXT before each line that is typed at a terminal]:TEXT: ' \
            '--until=[leaves when a line of the answer is TEXT; the exit code is 3 if none was]:TEXT: ' \
            '--framing=[each line of the input is a message, and each message is shown as a line\: "line", "u16be", "u32be max=1MiB", "varint", "fixed=64", "delim=\\r\\n"]:FRAMING: ' \
            '(-C --crlf)'{-C,--crlf}'[ends each line sent with CR LF]' \
            '(-N --half-close)'{-N,--half-close}'[says the end when the input ends, and goes on reading; always so]' \
            '(-q --quit-after)'{-q+,--quit-after=}'[leaves so long after the input'\''s end, even if the peer goes on]:TIME: ' \
            '--dump[shows what passes, both ways, in hex and text with the time, on stderr]' \
            '--save=[writes what is received to FILE too, which appears when all has come]:FILE:_files' \
            '--raw[passes control bytes of the peer on to a terminal instead of showing them as \\xNN]' \
            '--model=[the design, PLACEMENT+POLLER or a half\: iterative or prethread with select, poll, epoll or uring; by default iterative+epoll]:MODEL:(iterative+select iterative+poll iterative+epoll iterative+uring prethread select poll epoll uring prethread+select prethread+poll prethread+epoll prethread+uring)' \
            '--explain[tells each system call of a connection'\''s life on stderr as it happens]' \
            '--proxy-from=[the proxies in front\: 10.0.0.0/8,\:\:1,unix; may be repeated. Who comes from there must begin with a PROXY header, version 1 or 2, and its client is the peer from then on; who sends one from elsewhere is turned away]:NETWORKS: ' \
            '--tls=[speaks TLS 1.2 and 1.3, with the certificate of --cert; self-signed makes a throw-away one and tells its fingerprint]:[self-signed]:(on self-signed)' \
            '--cert=[a certificate in PEM, with those between it and its authority; again for another one, chosen by the name the client asks for (SNI)]:FILE:_files' \
            '--key=[its key; without one it is in the certificate'\''s file]:FILE:_files' \
            '--client-ca=[lets in clients only that show a certificate of these authorities; lists of revoked ones in FILE are heeded]:FILE:_files' \
            '--alpn=[the protocols spoken inside, the preferred first\: h2,http/1.1]:LIST: ' \
            '--tls-min=[the oldest version that is spoken; 1.2]:VERSION:(1.2 1.3)' \
            '--tls-max=[the newest; 1.3]:VERSION:(1.2 1.3)' \
            '--allow=[who may come\: 10.0.0.0/8,\:\:1, or @FILE with a network a line and # comments, read again on SIGHUP; may be repeated and mixed with --deny\: the first that holds the client'\''s address decides, and who is in none is treated opposite to the last]:NETWORKS: ' \
            '--deny=[who may not come; as --allow]:NETWORKS: ' \
            '--first-byte=[closes a connection whose peer has sent nothing so long after it was let in]:TIME: ' \
            '--min-rate=[cuts a connection that moves, both ways together, fewer BYTES in each TIME; without TIME\: fewer a second, over 10s]:BYTES[/TIME]: ' \
            '--bytes-max=[cuts a connection that moves more, both ways together]:SIZE: ' \
            '--message-max=[longest message of the framing, instead of its own max]:SIZE: ' \
            '--when-over=[what becomes of a connection that meets one of these limits, --idle, --life or --write-timeout\: close, the default, reset, or message=TEXT (one more message or, where bytes are raw, a line, behind what is queued, and then the close)]:POLICY: ' \
            '--high-water=[queued bytes above which a connection'\''s reading pauses; 256KiB]:SIZE: ' \
            '--queue-max=[queued bytes above which a connection is cut; 64MiB]:SIZE: ' \
            '--idle=[closes a connection without a byte either way for so long]:TIME: ' \
            '--life=[closes a connection so long after it was established]:TIME: ' \
            '--handshake-timeout=[gives up a connection that is not let in for so long, PROXY header and TLS handshake together; 10s]:TIME: ' \
            '--write-timeout=[cuts a peer that takes no byte of what is queued for so long; 60s]:TIME: ' \
            '--linger=[after the last byte waits so long for the peer to finish too; 2s]:TIME: ' \
            '--drain=[when told to stop, lets connections finish for so long; 10s, a conversation of connect or listen 200ms]:TIME: ' \
            '--no-nodelay[leaves Nagle'\''s algorithm on (no TCP_NODELAY)]' \
            '--keepalive=[probes a silent peer after so long, and gives up one that has vanished, or acknowledges nothing, after twice the time (at least 3 s more)]:TIME: ' \
            '--receive-buffer=[SO_RCVBUF]:SIZE: ' \
            '--send-buffer=[SO_SNDBUF]:SIZE: ' \
            '--user=[becomes this user, a name or a number, once it listens; with the user'\''s groups, unless --group names one]:USER: ' \
            '--group=[becomes a member of this group, and of no other]:GROUP: ' \
            '--chroot=[makes DIR the root of all paths once it listens]:DIR:_files' \
            '--no-sandbox[keeps the privileges that a server without a need for them gives up]' \
            '--log=[how events are told on stderr\: text, json (an object a line) or none]:FORMAT:(text json off none)' \
            '(-v --verbose)'{-v,--verbose}'[tells more]' \
            '(-h --help)'{-h,--help}'[shows this help]' \
            '*:address:_hosts'
        ;;
    connect)
        _arguments -s -S \
            '(-p --port)'{-p+,--port=}'[the port]:PORT: ' \
            '(-i --ipaddr)'{-i+,--ipaddr=}'[the IP address]:ADDRESS:_hosts' \
            '(-d --domain)'{-d+,--domain=}'[the host'\''s name]:NAME:_hosts' \
            '(-U --unix)'{-U+,--unix=}'[a unix socket instead of TCP; @NAME is an abstract one]:PATH:_files' \
            '(-4 --ipv4)'{-4,--ipv4}'[IPv4 only]' \
            '(-6 --ipv6)'{-6,--ipv6}'[IPv6 only]' \
            '(-w --connect-timeout)'{-w+,--connect-timeout=}'[gives up after so long, name look-up and retries included]:TIME: ' \
            '--retry=[tries again so many times, pausing longer and longer]:N: ' \
            '--wait=[keeps trying for so long until the server is there]:TIME: ' \
            '--bind=[the local address, and port if named, to connect from]:ADDRESS: ' \
            '--source-port=[the local port to connect from]:PORT: ' \
            '(-z --probe)'{-z,--probe}'[connects to each port named, as in 22 80 20-25, prints those that are open, and sends nothing]' \
            '--tls[speaks TLS 1.2 and 1.3, and verifies the server'\''s certificate\: its chain, its name, its dates]' \
            '--ca=[trusts the authorities, or the certificate, in FILE instead of the system'\''s; lists of revoked ones in it are heeded]:FILE:_files' \
            '--server-name=[whom the certificate must be for, and the name asked for (SNI); the host connected to]:NAME: ' \
            '--pin=[trusts exactly the certificate of this fingerprint (SHA-256 of its DER), whatever its name and dates]:sha256\:HEX: ' \
            '--insecure[verifies nothing\: whoever answers is believed]' \
            '--cert=[our own certificate in PEM, for a server that asks for one]:FILE:_files' \
            '--key=[its key; without one it is in the certificate'\''s file]:FILE:_files' \
            '--alpn=[the protocols offered, the preferred first\: h2,http/1.1]:LIST: ' \
            '--tls-min=[the oldest version that is spoken; 1.2]:VERSION:(1.2 1.3)' \
            '--tls-max=[the newest; 1.3]:VERSION:(1.2 1.3)' \
            '--proxy-send=[begins each connection with a PROXY header of this version, before TLS, as a proxy would]:VERSION:(v1 v2)' \
            '--proxy-source=[the client that it names\: 192.0.2.1, \[2001\:db8\:\:1\]\:40000, unix\:/path; without a port that of the connection; by default the connection'\''s own address]:ADDRESS: ' \
            '--send=[sends TEXT instead of reading the input, then says the end (half-close); with --until not before the peer has been silent for 1s. %d in it is the message'\''s number, %% a percent sign]:TEXT: ' \
            '--every=[sends it again each TIME]:TIME: ' \
            '--count=[how often; with --every and no count, until the peer ends]:N: ' \
            '--prompt=[shows TEXT before each line that is typed at a terminal]:TEXT: ' \
            '--until=[leaves when a line of the answer is TEXT; the exit code is 3 if none was]:TEXT: ' \
            '--framing=[each line of the input is a message, and each message is shown as a line\: "line", "u16be", "u32be max=1MiB", "varint", "fixed=64", "delim=\\r\\n"]:FRAMING: ' \
            '(-C --crlf)'{-C,--crlf}'[ends each line sent with CR LF]' \
            '(-N --half-close)'{-N,--half-close}'[says the end when the input ends, and goes on reading; always so]' \
            '(-q --quit-after)'{-q+,--quit-after=}'[leaves so long after the input'\''s end, even if the peer goes on]:TIME: ' \
            '--dump[shows what passes, both ways, in hex and text with the time, on stderr]' \
            '--save=[writes what is received to FILE too, which appears when all has come]:FILE:_files' \
            '--raw[passes control bytes of the peer on to a terminal instead of showing them as \\xNN]' \
            '--model=[the design, PLACEMENT+POLLER or a half\: iterative or prethread with select, poll, epoll or uring; by default iterative+epoll]:MODEL:(iterative+select iterative+poll iterative+epoll iterative+uring prethread select poll epoll uring prethread+select prethread+poll prethread+epoll prethread+uring)' \
            '--explain[tells each system call of a connection'\''s life on stderr as it happens]' \
            '--idle=[closes a connection without a byte either way for so long]:TIME: ' \
            '--life=[closes a connection so long after it was established]:TIME: ' \
            '--handshake-timeout=[gives up a connection that is not let in for so long, PROXY header and TLS handshake together; 10s]:TIME: ' \
            '--write-timeout=[cuts a peer that takes no byte of what is queued for so long; 60s]:TIME: ' \
            '--linger=[after the last byte waits so long for the peer to finish too; 2s]:TIME: ' \
            '--drain=[when told to stop, lets connections finish for so long; 10s, a conversation of connect or listen 200ms]:TIME: ' \
            '--no-nodelay[leaves Nagle'\''s algorithm on (no TCP_NODELAY)]' \
            '--keepalive=[probes a silent peer after so long, and gives up one that has vanished, or acknowledges nothing, after twice the time (at least 3 s more)]:TIME: ' \
            '--receive-buffer=[SO_RCVBUF]:SIZE: ' \
            '--send-buffer=[SO_SNDBUF]:SIZE: ' \
            '--log=[how events are told on stderr\: text, json (an object a line) or none]:FORMAT:(text json off none)' \
            '(-v --verbose)'{-v,--verbose}'[tells more]' \
            '(-h --help)'{-h,--help}'[shows this help]' \
            '*:address:_hosts'
        ;;
    load)
        _arguments -s -S \
            '(-p --port)'{-p+,--port=}'[the port]:PORT: ' \
            '(-i --ipaddr)'{-i+,--ipaddr=}'[the IP address]:ADDRESS:_hosts' \
            '--domain=[the host'\''s name]:NAME:_hosts' \
            '(-U --unix)'{-U+,--unix=}'[a unix socket instead of TCP; @NAME is an abstract one]:PATH:_files' \
            '(-4 --ipv4)'{-4,--ipv4}'[IPv4 only]' \
            '(-6 --ipv6)'{-6,--ipv6}'[IPv6 only]' \
            '--source=[a local address to connect from, or a range such as 127.0.0.2-127.0.0.9; may be repeated\: each one is good for 28 thousand connections]:ADDRESS: ' \
            '--timeout=[gives up an attempt to connect after so long; 5s]:TIME: ' \
            '--tls[speaks TLS 1.2 and 1.3, and verifies the server'\''s certificate\: its chain, its name, its dates]' \
            '--ca=[trusts the authorities, or the certificate, in FILE instead of the system'\''s; lists of revoked ones in it are heeded]:FILE:_files' \
            '--server-name=[whom the certificate must be for, and the name asked for (SNI); the host connected to]:NAME: ' \
            '--pin=[trusts exactly the certificate of this fingerprint (SHA-256 of its DER), whatever its name and dates]:sha256\:HEX: ' \
            '--insecure[verifies nothing\: whoever answers is believed]' \
            '--cert=[our own certificate in PEM, for a server that asks for one]:FILE:_files' \
            '--key=[its key; without one it is in the certificate'\''s file]:FILE:_files' \
            '--alpn=[the protocols offered, the preferred first\: h2,http/1.1]:LIST: ' \
            '--tls-min=[the oldest version that is spoken; 1.2]:VERSION:(1.2 1.3)' \
            '--tls-max=[the newest; 1.3]:VERSION:(1.2 1.3)' \
            '--resume[resumes a session of the server'\''s where there is one, instead of a whole handshake; the report tells how many were]' \
            '(-c --connections)'{-c+,--connections=}'[connections, over all threads; 1]:N: ' \
            '(-t --threads)'{-t+,--threads=}'[threads that generate the load; 1]:N: ' \
            '(-d --duration)'{-d+,--duration=}'[measures for so long; 10s]:TIME: ' \
            '(-R --rate)'{-R+,--rate=}'[open loop\: so many requests a second over all connections, on a schedule that does not wait for replies; latency counts from the intended time. Without it, a closed loop\: each connection sends when its reply is there]:N: ' \
            '--depth=[requests under way on a connection at once (pipelining); 1]:N: ' \
            '--churn[a connection for each exchange\: connect, send, receive, close]' \
            '--idle=[holds so many connections besides, that say nothing]:N: ' \
            '--ramp=[opens the connections evenly over so long, before anything is measured]:TIME: ' \
            '--warmup=[loads for so long before it measures]:TIME: ' \
            '--grace=[waits so long for the replies still owed at the end; 2s]:TIME: ' \
            '--poller=[how the generator learns of bytes; epoll]:POLLER:(select poll epoll uring)' \
            '--message=[what each request is; \\n, \\r, \\t, \\0, \\\\ and \\xHH stand for bytes]:TEXT: ' \
            '--file=[the request is what this file holds]:FILE:_files' \
            '--size=[the request is so many generated bytes, each request different, the last one LF; 64]:SIZE: ' \
            '--reply-size=[bytes of a reply; as many as the request has; 0\: none comes, and a request is done when the kernel has taken it]:SIZE: ' \
            '--expect-framing=[a reply is a whole message of this framing\: line, u32be, "delim=\\r\\n" and so on, as in parley serve --framing]:FRAMING: ' \
            '--expect-end[a reply ends when the server closes; goes with --churn]' \
            '--verify[compares each reply with its request, as an echo should have it]' \
            '--proxy-send=[begins each connection with a PROXY header of this version, before TLS, as a proxy would]:VERSION:(v1 v2)' \
            '--proxy-source=[the client that it names\: 192.0.2.1, \[2001\:db8\:\:1\]\:40000, unix\:/path; without a port that of the connection; by default the connection'\''s own address]:ADDRESS: ' \
            '--fail-if=[exit code 3 if this holds\: '\''p99>5ms'\'', '\''errors>0'\'', '\''rate<10k'\'', '\''service.p99.9>1ms'\''; may be repeated]:CONDITION: ' \
            '--find-rate=[searches the highest rate that keeps a promise such as '\''p99<5ms'\'', in open-loop runs of -d (2s) each; may be repeated\: all are to be kept at once]:PROMISE: ' \
            '--intervals=[writes a JSON object for each second as it passes; - is stdout]:FILE:_files' \
            '--json=[writes the result as JSON; - is stdout]:FILE:_files' \
            '--csv=[writes a row for each second and one for the whole; - is stdout]:FILE:_files' \
            '--hgrm=[writes the latencies by percentile, as HdrHistogram'\''s plotters read them]:FILE:_files' \
            '--hdr-log=[writes a histogram for each second, in HdrHistogram'\''s log format V2]:FILE:_files' \
            '--report=[writes one page of HTML with pictures]:FILE:_files' \
            '(-q --quiet)'{-q,--quiet}'[prints no table and no live line]' \
            '(-h --help)'{-h,--help}'[shows this help]' \
            '*:address:_hosts'
        ;;
    compare)
        _arguments -s -S \
            '--models=[the designs, separated by commas, each PLACEMENT+POLLER or either half; by default all 25]:LIST: ' \
            '--peer=[one more server, which listens on {port} of 127.0.0.1; split as a shell would, but run without one; may be repeated]:NAME=COMMAND: ' \
            '--workers=[workers of prefork and prethread; 0, the default\: as many as processors they may use]:N: ' \
            '--processors=[the processors of the servers and of the generator, each a number or a range\: 0-3,4-7; by default one each where there are two]:S,G: ' \
            '(-c --connections)'{-c+,--connections=}'[the numbers of connections to measure with, separated by commas; 1,50,1000]:LIST: ' \
            '(-d --duration)'{-d+,--duration=}'[of each measurement, a warm-up aside; 2s]:TIME: ' \
            '--rounds=[measurements of each, in turn; 3]:N: ' \
            '--size=[of a message; 64]:SIZE: ' \
            '--depth=[messages under way on a connection at the same time; 1]:N: ' \
            '--json=[writes everything as JSON; - is standard output, instead of the tables\: so for the others]:FILE:_files' \
            '--csv=[writes a row for each server and each number of connections]:FILE:_files' \
            '--report=[writes one page of HTML with charts, which needs nothing beside it]:FILE:_files' \
            '(-h --help)'{-h,--help}'[shows this help]' \
            '1:operand:((hangup\:"accepts and hangs up at once" echo\:"sends back what it receives" upper\:"sends it back with a-z as A-Z; a line \"end\" ends the conversation" greet\:"reads the first message, answers with its own, and closes" discard\:"reads and forgets \(RFC 863\)"))' \
            '*:address:_hosts'
        ;;
    help)
        _arguments -s -S \
            '--man[prints the options as the manual page has them, in scdoc]' \
            '(-h --help)'{-h,--help}'[shows this help]' \
            '1:operand:((serve\:"serves one of the built-in services under any server design" listen\:"waits for a client and talks to it from here" connect\:"connects to a server and talks to it from here" load\:"loads a server and measures its replies" compare\:"measures the designs of a service, and other servers, against each other" help\:"tells what a subcommand does and its options" version\:"prints the version" completion\:"prints the completion for a shell"))' \
            '*:address:_hosts'
        ;;
    version)
        _arguments -s -S \
            '(-h --help)'{-h,--help}'[shows this help]' \
            '*:address:_hosts'
        ;;
    completion)
        _arguments -s -S \
            '(-h --help)'{-h,--help}'[shows this help]' \
            '1:operand:((bash\:"for bash-completion/completions/parley" zsh\:"for site-functions/_parley" fish\:"for vendor_completions.d/parley.fish"))' \
            '*:address:_hosts'
        ;;
    esac
}
_parley "$@"
