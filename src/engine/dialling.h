/* Dials: each in a thread of its own, as looking up a name may take long; the outcome comes by letter. Of the
 * worker's own thread alone. */
#ifndef ENGINE_DIALLING_H
#define ENGINE_DIALLING_H

#include <parley.h>

struct loop;
struct letter;

/* Starts the server's. 0 or a parley_status. */
int dialling_start(struct loop *loop);
/* Dials for a guest, which is told by guest_dialled(): 0 or a parley_status. */
int dialling_begin(struct loop *loop, const char *address, const parley_conn *conn);
/* That guest has gone: its dial, if it is still under way, ends. */
void dialling_call_off(const parley_conn *conn);
void dialling_close(struct loop *loop);
void dialling_done(struct loop *loop, const struct letter *letter);

#endif
