/* A histogram, for the tests of what is recorded and what is written of it. */
#ifndef RECORDED_H
#define RECORDED_H

#include "load/histogram.h"

/* A test's fixture: opened before it, closed after it. */
extern struct histogram recorded;
int open_recorded(void **state);
int close_recorded(void **state);

#endif
