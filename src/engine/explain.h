/* `explain`: narrates each call of a connection's life on stderr, as a textbook draws it.
 *
 * It works by putting narrating functions in front of the members of `sys`, so a server that does not
 * explain pays nothing. Each line: who calls (worker: "server", "pid 12", "thread 13"), the call with its
 * arguments, its result, and one short line on what it means:
 *
 *   [4242] socket(AF_INET, SOCK_STREAM) = 3      an endpoint without address yet
 *   [4242] listen(3, 5) = 0                      the kernel now keeps two queues: handshakes, and up to 5 …
 *   [4242] accept(3) = 5                         a new descriptor for this one client, 127.0.0.1:40000; 3 goes on listening
 *   [4242] recv(5, 262144) = 0                   the peer has finished sending: end of file, not an error
 */
#ifndef ENGINE_EXPLAIN_H
#define ENGINE_EXPLAIN_H

/* Turns the narration on for the whole process and those it forks. Idempotent; before workers start. */
void explain_start(void);

#endif
