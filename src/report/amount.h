/* Measured amounts for a terminal: three significant digits, a unit always, and ASCII, as the command line
 * takes them. */
#ifndef REPORT_AMOUNT_H
#define REPORT_AMOUNT_H

/* Small enough to be returned: printf("%s", amount_time(ns).text). */
struct amount {
    char text[32];
};

/* "512 ns", "45.1 us", "7.31 ms", "1.50 s"; `ns` may have a fraction. */
struct amount amount_time(double ns);
/* "950/s", "12.3 k/s", "1.23 M/s". */
struct amount amount_rate(double per_second);
/* "950 B", "64.0 KiB". */
struct amount amount_size(double bytes);
/* "0.123 %", "12.3 %". */
struct amount amount_percent(double percent);

#endif
