/* connect -z: is anybody there? */
#ifndef COMMAND_PROBE_H
#define COMMAND_PROBE_H

#include "command/command.h"

/* A port, or the first and the last of a range, as "20-25". */
struct port_range {
    unsigned first, last;
};
bool port_range_parse(struct port_range *range, const char *text);

/* Connects to each port named, sends nothing, and prints "ADDRESS open" for those that answer; the others
 * are complained about. 0 when all answered; else the code of the last failure, or 2. */
int probe(const struct arguments *arguments);

#endif
