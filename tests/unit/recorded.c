#include "recorded.h"

struct histogram recorded;

int open_recorded(void **state)
{
    (void)state;
    return histogram_open(&recorded);
}

int close_recorded(void **state)
{
    (void)state;
    histogram_close(&recorded);
    return 0;
}
