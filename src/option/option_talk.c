/* The options of connect and listen: dialling, and holding a conversation. */
#include "option/groups.h"

static const struct option dial_options[] = {
    {.name = "connect-timeout",
     .letter = 'w',
     .argument = "TIME",
     .setting = "connect-timeout",
     .help = "gives up after so long, name look-up and retries included"},
    {.name = "retry",
     .argument = "N",
     .setting = "retry",
     .help = "tries again so many times, pausing longer and longer"},
    {.name = "wait",
     .argument = "TIME",
     .kind = OPTION_TIME,
     .help = "keeps trying for so long until the server is there"},
    {.name = "bind",
     .argument = "ADDRESS",
     .setting = "bind",
     .help = "the local address, and port if named, to connect from"},
    {.name = "source-port",
     .argument = "PORT",
     .setting = "bind",
     .kind = OPTION_PORT,
     .help = "the local port to connect from"},
    {.name = "probe",
     .letter = 'z',
     .help = "connects to each port named, as in 22 80 20-25, prints those that are open, and sends nothing"},
    {.name = "listen",
     .letter = 'l',
     .kind = OPTION_REFUSED,
     .help = "connect does not listen; use parley listen"},
    {0},
};
const struct option_group dial_group = {.title = "Connecting", .options = dial_options};

static const struct option send_options[] = {
    {.name = "send",
     .may_be_empty = true,
     .argument = "TEXT",
     .help = "sends TEXT instead of reading the input, then says the end (half-close); with --until not "
             "before the peer has been silent for 1s. %d in it is the message's number, %% a percent sign"},
    {.name = "every", .argument = "TIME", .kind = OPTION_TIME, .help = "sends it again each TIME"},
    {.name = "count",
     .argument = "N",
     .kind = OPTION_COUNT,
     .help = "how often; with --every and no count, until the peer ends"},
    {0},
};
const struct option_group send_group = {.title = "Sending", .options = send_options};

static const struct option talk_options[] = {
    {.name = "prompt",
     .may_be_empty = true,
     .argument = "TEXT",
     .help = "shows TEXT before each line that is typed at a terminal"},
    {.name = "until",
     .argument = "TEXT",
     .help = "leaves when a line of the answer is TEXT; the exit code is 3 if none was"},
    {.name = "framing",
     .argument = "FRAMING",
     .setting = "framing",
     .help = "each line of the input is a message, and each message is shown as a line: \"line\", "
             "\"u16be\", \"u32be max=1MiB\", \"varint\", \"fixed=64\", \"delim=\\r\\n\""},
    {.name = "crlf", .letter = 'C', .help = "ends each line sent with CR LF"},
    {.name = "half-close",
     .letter = 'N',
     .kind = OPTION_ACCEPTED,
     .help = "says the end when the input ends, and goes on reading; always so"},
    {.name = "quit-after",
     .letter = 'q',
     .argument = "TIME",
     .kind = OPTION_TIME,
     .help = "leaves so long after the input's end, even if the peer goes on"},
    {.name = "dump", .help = "shows what passes, both ways, in hex and text with the time, on stderr"},
    {.name = "save",
     .argument = "FILE",
     .kind = OPTION_PATH,
     .help = "writes what is received to FILE too, which appears when all has come"},
    {.name = "raw",
     .help = "passes control bytes of the peer on to a terminal instead of showing them as \\xNN"},
    {0},
};
const struct option_group talk_group = {.title = "Talking", .options = talk_options};

static const struct option talk_model_options[] = {
    {.name = "model",
     .argument = "MODEL",
     .setting = "model",
     .choices = "iterative+select iterative+poll iterative+epoll iterative+uring prethread select poll epoll "
                "uring prethread+select prethread+poll prethread+epoll prethread+uring",
     .reason =
         "a conversation waits for standard input and the socket together, in one loop: choose iterative "
         "or prethread, with select, poll, epoll or uring",
     .help = "the design, PLACEMENT+POLLER or a half: iterative or prethread with select, poll, epoll or "
             "uring; by default iterative+epoll"},
    {0},
};
const struct option_group talk_model_group = {.title = "Design", .options = talk_model_options};

static const struct option keep_options[] = {
    {.name = "keep", .letter = 'k', .help = "waits for the next client when one has left"},
    {.name = "listen", .letter = 'l', .kind = OPTION_ACCEPTED, .help = "listens; always so"},
    {0},
};
const struct option_group keep_group = {.title = "Listening", .options = keep_options};
