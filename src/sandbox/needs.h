/* What a server is going to need once it is confined. */
#ifndef SANDBOX_NEEDS_H
#define SANDBOX_NEEDS_H

/* What a server does beside serving the connections it accepts. */
enum confine_needs {
    CONFINE_TALKS = 1,   /* to an operator: a terminal, files that are written */
    CONFINE_DIALS = 2,   /* connects, to names that are looked up */
    CONFINE_PROGRAMS = 4 /* starts programs, whose needs nobody knows, and which share its filter */
};

#endif
