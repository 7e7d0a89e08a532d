# bash completion for parley; made by: parley completion bash
_parley() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} options words
    if [[ $previous == '=' ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $current == '=' ]]; then
        current=
    fi
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'serve listen connect load compare help version completion --help --version' -- "$current")
        return
    fi
    case ${COMP_WORDS[1]} in
    serve)
        case $previous in
        --port | -p) return ;;
        --ipaddr | -i) mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"); return ;;
        --domain | -d) mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"); return ;;
        --unix | -U) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --listen) return ;;
        --backlog) return ;;
        --unix-mode) return ;;
        --ready-fd) return ;;
        --model) mapfile -t COMPREPLY < <(compgen -W 'iterative fork thread prefork prethread blocking select poll epoll uring iterative+blocking iterative+select iterative+poll iterative+epoll iterative+uring fork+blocking fork+select fork+poll fork+epoll fork+uring thread+blocking thread+select thread+poll thread+epoll thread+uring prefork+blocking prefork+select prefork+poll prefork+epoll prefork+uring prethread+blocking prethread+select prethread+poll prethread+epoll prethread+uring' -- "$current"); return ;;
        --workers) return ;;
        --proxy-from) return ;;
        --tls) mapfile -t COMPREPLY < <(compgen -W 'on self-signed' -- "$current"); return ;;
        --cert) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --key) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --client-ca) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --alpn) return ;;
        --tls-min) mapfile -t COMPREPLY < <(compgen -W '1.2 1.3' -- "$current"); return ;;
        --tls-max) mapfile -t COMPREPLY < <(compgen -W '1.2 1.3' -- "$current"); return ;;
        --allow) return ;;
        --deny) return ;;
        --connections) return ;;
        --per-address) return ;;
        --per-network) return ;;
        --accept-rate) return ;;
        --when-full) return ;;
        --first-byte) return ;;
        --min-rate) return ;;
        --bytes-max) return ;;
        --message-max) return ;;
        --when-over) return ;;
        --high-water) return ;;
        --queue-max) return ;;
        --framing) return ;;
        --idle) return ;;
        --life) return ;;
        --handshake-timeout) return ;;
        --write-timeout) return ;;
        --linger) return ;;
        --drain) return ;;
        --keepalive) return ;;
        --receive-buffer) return ;;
        --send-buffer) return ;;
        --user) return ;;
        --group) return ;;
        --chroot) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --message) return ;;
        --shell) return ;;
        --env) return ;;
        --as) return ;;
        --rlimit) return ;;
        --max-children) return ;;
        --grace) return ;;
        --to) return ;;
        --to-ca) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --to-server-name) return ;;
        --to-pin) return ;;
        --to-cert) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --to-key) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --to-alpn) return ;;
        --connect-timeout) return ;;
        --retry) return ;;
        --proxy-send) mapfile -t COMPREPLY < <(compgen -W 'v1 v2' -- "$current"); return ;;
        --log) mapfile -t COMPREPLY < <(compgen -W 'text json off none' -- "$current"); return ;;
        esac
        options=' --port -p --ipaddr -i --domain -d --unix -U --ipv4 -4 --ipv6 -6 --listen --passive -l --keep -k --backlog --unix-mode --print-port --ready-fd --model --workers --reuseport --explain --proxy-from --tls --cert --key --client-ca --alpn --tls-min --tls-max --allow --deny --connections --per-address --per-network --accept-rate --when-full --first-byte --min-rate --bytes-max --message-max --when-over --high-water --queue-max --framing --idle --life --handshake-timeout --write-timeout --linger --drain --no-nodelay --keepalive --receive-buffer --send-buffer --user --group --chroot --no-sandbox --once --message --shell --env --as --new-privileges --rlimit --max-children --grace --stderr-to-client --pty --to --to-tls --to-ca --to-server-name --to-pin --to-insecure --to-cert --to-key --to-alpn --connect-timeout --retry --proxy-send --log --verbose -v --quiet -q --help -h'
        words='hangup echo upper greet discard exec relay chargen'
        ;;
    listen)
        case $previous in
        --port | -p) return ;;
        --ipaddr | -i) mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"); return ;;
        --domain | -d) mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"); return ;;
        --unix | -U) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --backlog) return ;;
        --unix-mode) return ;;
        --ready-fd) return ;;
        --prompt) return ;;
        --until) return ;;
        --framing) return ;;
        --quit-after | -q) return ;;
        --save) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --model) mapfile -t COMPREPLY < <(compgen -W 'iterative+select iterative+poll iterative+epoll iterative+uring prethread select poll epoll uring prethread+select prethread+poll prethread+epoll prethread+uring' -- "$current"); return ;;
        --proxy-from) return ;;
        --tls) mapfile -t COMPREPLY < <(compgen -W 'on self-signed' -- "$current"); return ;;
        --cert) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --key) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --client-ca) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --alpn) return ;;
        --tls-min) mapfile -t COMPREPLY < <(compgen -W '1.2 1.3' -- "$current"); return ;;
        --tls-max) mapfile -t COMPREPLY < <(compgen -W '1.2 1.3' -- "$current"); return ;;
        --allow) return ;;
        --deny) return ;;
        --first-byte) return ;;
        --min-rate) return ;;
        --bytes-max) return ;;
        --message-max) return ;;
        --when-over) return ;;
        --high-water) return ;;
        --queue-max) return ;;
        --idle) return ;;
        --life) return ;;
        --handshake-timeout) return ;;
        --write-timeout) return ;;
        --linger) return ;;
        --drain) return ;;
        --keepalive) return ;;
        --receive-buffer) return ;;
        --send-buffer) return ;;
        --user) return ;;
        --group) return ;;
        --chroot) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --log) mapfile -t COMPREPLY < <(compgen -W 'text json off none' -- "$current"); return ;;
        esac
        options=' --port -p --ipaddr -i --domain -d --unix -U --ipv4 -4 --ipv6 -6 --keep -k --listen -l --backlog --unix-mode --print-port --ready-fd --prompt --until --framing --crlf -C --half-close -N --quit-after -q --dump --save --raw --model --explain --proxy-from --tls --cert --key --client-ca --alpn --tls-min --tls-max --allow --deny --first-byte --min-rate --bytes-max --message-max --when-over --high-water --queue-max --idle --life --handshake-timeout --write-timeout --linger --drain --no-nodelay --keepalive --receive-buffer --send-buffer --user --group --chroot --no-sandbox --log --verbose -v --help -h'
        words=''
        ;;
    connect)
        case $previous in
        --port | -p) return ;;
        --ipaddr | -i) mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"); return ;;
        --domain | -d) mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"); return ;;
        --unix | -U) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --connect-timeout | -w) return ;;
        --retry) return ;;
        --wait) return ;;
        --bind) return ;;
        --source-port) return ;;
        --ca) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --server-name) return ;;
        --pin) return ;;
        --cert) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --key) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --alpn) return ;;
        --tls-min) mapfile -t COMPREPLY < <(compgen -W '1.2 1.3' -- "$current"); return ;;
        --tls-max) mapfile -t COMPREPLY < <(compgen -W '1.2 1.3' -- "$current"); return ;;
        --proxy-send) mapfile -t COMPREPLY < <(compgen -W 'v1 v2' -- "$current"); return ;;
        --proxy-source) return ;;
        --send) return ;;
        --every) return ;;
        --count) return ;;
        --prompt) return ;;
        --until) return ;;
        --framing) return ;;
        --quit-after | -q) return ;;
        --save) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --model) mapfile -t COMPREPLY < <(compgen -W 'iterative+select iterative+poll iterative+epoll iterative+uring prethread select poll epoll uring prethread+select prethread+poll prethread+epoll prethread+uring' -- "$current"); return ;;
        --idle) return ;;
        --life) return ;;
        --handshake-timeout) return ;;
        --write-timeout) return ;;
        --linger) return ;;
        --drain) return ;;
        --keepalive) return ;;
        --receive-buffer) return ;;
        --send-buffer) return ;;
        --log) mapfile -t COMPREPLY < <(compgen -W 'text json off none' -- "$current"); return ;;
        esac
        options=' --port -p --ipaddr -i --domain -d --unix -U --ipv4 -4 --ipv6 -6 --connect-timeout -w --retry --wait --bind --source-port --probe -z --tls --ca --server-name --pin --insecure --cert --key --alpn --tls-min --tls-max --proxy-send --proxy-source --send --every --count --prompt --until --framing --crlf -C --half-close -N --quit-after -q --dump --save --raw --model --explain --idle --life --handshake-timeout --write-timeout --linger --drain --no-nodelay --keepalive --receive-buffer --send-buffer --log --verbose -v --help -h'
        words=''
        ;;
    load)
        case $previous in
        --port | -p) return ;;
        --ipaddr | -i) mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"); return ;;
        --domain) mapfile -t COMPREPLY < <(compgen -A hostname -- "$current"); return ;;
        --unix | -U) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --source) return ;;
        --timeout) return ;;
        --ca) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --server-name) return ;;
        --pin) return ;;
        --cert) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --key) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --alpn) return ;;
        --tls-min) mapfile -t COMPREPLY < <(compgen -W '1.2 1.3' -- "$current"); return ;;
        --tls-max) mapfile -t COMPREPLY < <(compgen -W '1.2 1.3' -- "$current"); return ;;
        --connections | -c) return ;;
        --threads | -t) return ;;
        --duration | -d) return ;;
        --rate | -R) return ;;
        --depth) return ;;
        --idle) return ;;
        --ramp) return ;;
        --warmup) return ;;
        --grace) return ;;
        --poller) mapfile -t COMPREPLY < <(compgen -W 'select poll epoll uring' -- "$current"); return ;;
        --message) return ;;
        --file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --size) return ;;
        --reply-size) return ;;
        --expect-framing) return ;;
        --proxy-send) mapfile -t COMPREPLY < <(compgen -W 'v1 v2' -- "$current"); return ;;
        --proxy-source) return ;;
        --fail-if) return ;;
        --find-rate) return ;;
        --intervals) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --json) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --csv) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --hgrm) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --hdr-log) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --report) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        esac
        options=' --port -p --ipaddr -i --domain --unix -U --ipv4 -4 --ipv6 -6 --source --timeout --tls --ca --server-name --pin --insecure --cert --key --alpn --tls-min --tls-max --resume --connections -c --threads -t --duration -d --rate -R --depth --churn --idle --ramp --warmup --grace --poller --message --file --size --reply-size --expect-framing --expect-end --verify --proxy-send --proxy-source --fail-if --find-rate --intervals --json --csv --hgrm --hdr-log --report --quiet -q --help -h'
        words=''
        ;;
    compare)
        case $previous in
        --models) return ;;
        --peer) return ;;
        --workers) return ;;
        --processors) return ;;
        --connections | -c) return ;;
        --duration | -d) return ;;
        --rounds) return ;;
        --size) return ;;
        --depth) return ;;
        --json) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --csv) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --report) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        esac
        options=' --models --peer --workers --processors --connections -c --duration -d --rounds --size --depth --json --csv --report --help -h'
        words='hangup echo upper greet discard'
        ;;
    help)
        case $previous in
        esac
        options=' --man --help -h'
        words='serve listen connect load compare help version completion'
        ;;
    version)
        case $previous in
        esac
        options=' --help -h'
        words=''
        ;;
    completion)
        case $previous in
        esac
        options=' --help -h'
        words='bash zsh fish'
        ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    elif ((COMP_CWORD == 2)); then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    fi
}
complete -F _parley parley
