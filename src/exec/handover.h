/* A program on the client's own socket, as tcpserver runs it: where a worker blocks, and has nothing else to
 * do. */
#ifndef EXEC_HANDOVER_H
#define EXEC_HANDOVER_H

#include "exec/program.h"

/* Runs the program and returns when it has ended, or the client is gone and the program with it. The
 * connection is then to be finished. */
void handover(parley_conn *client, const struct program *program);

#endif
