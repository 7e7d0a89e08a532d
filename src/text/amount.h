/* Measured amounts for a terminal, in UTF-8: three significant digits, and a unit always. */
#ifndef TEXT_AMOUNT_H
#define TEXT_AMOUNT_H

/* Small enough to be returned: printf("%s", amount_time(ns).text). */
struct amount {
    char text[32];
};

/* Columns that a text takes, not bytes: its characters. */
int columns_of(const char *text);

/* "512 ns", "45.1 µs", "7.31 ms", "1.50 s"; `ns` may have a fraction. */
struct amount amount_time(double ns);
/* "950/s", "12.3 k/s", "1.23 M/s". */
struct amount amount_rate(double per_second);
/* "950 B", "64.0 KiB". */
struct amount amount_size(double bytes);
/* "0.123 %", "12.3 %". */
struct amount amount_percent(double percent);

#endif
