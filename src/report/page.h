/* The report of a load as one page of HTML that needs nothing beside it. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "load/result.h"
#include <stdio.h>

/* Writes the whole page. 0, or a parley_status with its sentence: no memory, or `out` did not take it all. */
int load_page_write(const struct load_result *result, FILE *out);

#endif
