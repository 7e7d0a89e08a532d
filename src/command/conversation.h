/* A conversation: one connection, and an operator, a pipe or a script on this side. Shared by connect and
 * listen. A process holds one, in one loop, so that input, output, signals and the socket are watched
 * together. */
#ifndef COMMAND_CONVERSATION_H
#define COMMAND_CONVERSATION_H

#include "command/command.h"
#include "command/dump.h"
#include "command/output.h"
#include "command/save.h"
#include "command/script.h"
#include "command/terminal.h"
#include "text/neutralise.h"

/* Above this many queued bytes, input is no longer read. Far below the "high-water" set for the connection:
 * were its receiving held back too, two peers that both send much would wait for each other for ever. */
enum { INPUT_MARK = 256 * 1024, INPUT_PIECE = 64 * 1024 };
#define CONVERSATION_HIGH_WATER "32MiB"

/* Some servers leave when we say the end: one that is waited for is left so long to answer before, in ms. */
enum { SILENCE = 1000 };

/* What may be due; times in ms on the monotonic clock, 0: not. */
enum due {
    DUE_MESSAGE, /* --every */
    DUE_QUIT,    /* -q: the input has ended long enough ago */
    DUE_UNTIL,   /* the text waited for stands there unterminated, and nothing follows */
    DUE_GRACE,   /* the peer has finished, and the input has not gone on */
    DUE_END,     /* --send has said all, and the text waited for does not come: say the end */
    DUES
};

/* What this side says. */
struct speech {
    const char *text; /* --send; NULL: standard input */
    uint64_t number;  /* messages sent */
    uint64_t count;   /* messages to send; 0: no end */
    int64_t every;    /* ms between them; 0: at once */
    bool crlf;        /* -C */
    struct line_ends line_ends;
    bool framed; /* each line is a message */
    char *line;  /* one that is not whole yet */
    size_t line_size, line_room;
    bool ended; /* nothing will follow */
    struct terminal *terminal;
    char piece[INPUT_PIECE];
    char expanded[2 * INPUT_PIECE];
};

/* What comes from the peer, and where it goes. */
struct hearing {
    struct output output;
    struct save save;
    struct dump dump;
    struct until until;
    struct neutraliser neutraliser;
    bool raw;       /* --raw */
    bool is_broken; /* standard output failed: nothing more goes there */
};

struct conversation {
    const struct arguments *arguments;
    parley_handler handler;
    parley_server *server;
    parley_conn *conn;   /* NULL while nobody is there */
    bool listens, keeps; /* listen; listen -k */
    bool is_quiet;       /* the log says who comes and goes */
    bool met;            /* somebody has been there */
    bool leaving;        /* this side has said good-bye */
    bool peer_ended;
    bool said_after_end;
    int64_t due[DUES];
    int interrupts;  /* interrupt_open() */
    int interrupted; /* the signal that ended it */
    int exit_code;
    struct speech speech;
    struct hearing hearing;
};

/* hold.c: from the options to the exit code. */
int conversation_hold(const struct arguments *arguments, bool listens);
/* The one this process holds: a watch is told its descriptor only. */
struct conversation *conversation_current(void);

/* conversation.c: the life of its connection. */
extern const parley_handler conversation_handler;

/* Finishes the connection: all that is queued is still sent. */
void conversation_leave(struct conversation *conversation);
/* A failure of this side has been complained about: drops the connection, and ends. */
void conversation_fail(struct conversation *conversation, int exit_code);
/* `what` is to be done after `delay` ms. */
void conversation_schedule(struct conversation *conversation, enum due what, int64_t delay);

/* speech.c: each that returns an int returns the exit code, 0 for well, after a complaint. */
int speech_open(struct conversation *conversation);
void speech_close(struct speech *speech);
/* Somebody is there: talk; or has gone: stop reading. */
void speech_start(struct conversation *conversation);
void speech_stop(struct conversation *conversation);
/* The queue is empty again. */
void speech_continue(struct conversation *conversation);
/* Standard input is readable. */
void speech_readable(parley_server *server, int descriptor);

/* What send and read have in common. */
void speech_send(struct conversation *conversation, const char *bytes, size_t size);
/* Nothing more will be said. */
void speech_end(struct conversation *conversation);

/* recite.c: --send. From the first message; as many as fit the queue; the next, for its time has come. */
void recite_start(struct conversation *conversation);
void recite_many(struct conversation *conversation);
void recite_next(struct conversation *conversation);

/* hearing.c */
int hearing_open(struct conversation *conversation);
/* Bytes, or one message where the connection is framed. */
void hearing_take(struct conversation *conversation, const void *bytes, size_t size);
/* The peer has said all: what is saved reaches the disk before it is told our end. 0; or -1 after a
 * complaint, and the peer is reset. */
int hearing_settle(struct conversation *conversation);
/* The peer says no more: an unfinished character or line is shown as it is. */
void hearing_end(struct conversation *conversation);
/* Writes out what is left and, when the conversation went well, gives the saved file its name. */
int hearing_close(struct conversation *conversation);
void hearing_dump(struct conversation *conversation, enum dump_direction direction, const void *bytes,
                  size_t size);

#endif
