/* `explain`: narrates each call of a connection's life on stderr, as a textbook draws it.
 *
 * It puts narrating functions in front of the members of `sys`, so a server that does not explain pays
 * nothing. Each line: who calls, the call with its result (a failure by its name), and what that means. A
 * call that is going to sleep is told before it does, and again when it returns:
 *
 *   [pid 4242] listen(4, 5) = 0                       the kernel keeps two queues from now on: …
 *   [pid 4242 thread 4243] accept(4) …                sleeps until a client's handshake is finished
 *   [pid 4242 thread 4243] accept(4) = 6              a new descriptor for this one client, …
 *   [pid 4242 thread 4243] recv(6, buffer, 4096) = 0  the peer has finished sending (its FIN): …
 *
 * A poller whose work is no system call says it through sys.note(). */
#ifndef EXPLAIN_EXPLAIN_H
#define EXPLAIN_EXPLAIN_H

/* Turns the narration on for the whole process and those it forks. Idempotent; before listeners are opened,
 * so that their making is told, and before workers start. */
void explain_start(void);

#endif
