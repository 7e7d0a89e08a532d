/* What a function writes to a FILE, as text, and what a page must never hold. */
#ifndef WRITTEN_H
#define WRITTEN_H

#include <stddef.h>
#include <stdio.h>

struct written {
    char *text;
    size_t size;
    FILE *out;
};

/* Write to `out`, then end: `text` is what was written, to be freed by written_free(). */
void written_begin(struct written *written);
void written_end(struct written *written);
void written_free(struct written *written);

/* Asserts that the text holds this, or does not; shows the text if it fails. */
void assert_holds(const struct written *written, const char *wanted);
void assert_lacks(const struct written *written, const char *unwanted);
/* How often it does. */
size_t count_of(const struct written *written, const char *wanted);

/* Every element is closed in the order it was opened, and no number is NaN or infinite. */
void assert_whole(const struct written *written);

#endif
