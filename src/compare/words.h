/* A command line as a shell would split it, without a shell. */
#ifndef COMPARE_WORDS_H
#define COMPARE_WORDS_H

/* Words are separated by blanks; '…', "…" and \ quote as in sh(1); nothing else is special. Allocated, NULL
 * at the end, words_free(). NULL: parley_error() says what is wrong with it, or that memory is short. */
char **words_split(const char *text);
void words_free(char **words);
/* Copies of them with each `{port}` replaced. NULL without memory. */
char **words_with_port(char *const *words, int port);

#endif
