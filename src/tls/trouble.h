/* OpenSSL's errors in words. It keeps them in a queue of the thread: whatever stays there would be taken for
 * the reason of the next failure, of another connection. So each operation begins by trouble_clear(), and
 * each failure ends by one of the others, which leave the queue empty. */
#ifndef TLS_TROUBLE_H
#define TLS_TROUBLE_H

#include <stdbool.h>

void trouble_clear(void);
/* Why the operation failed, in the words of whoever knows best. The text lives until the thread's next. */
const char *trouble_text(void);
/* A file that an option names could not be used: the status, with its sentence. */
int trouble_with_file(const char *option, const char *path);

#endif
