/* The name server of the tests. names.c replaces getaddrinfo(3) in each of them; hosts in ".test" are
 * answered there, and all others by the C library:
 *
 *   mixed.test    192.0.2.1, 192.0.2.2, 192.0.2.1 again, 2001:db8::1, 192.0.2.3
 *   four.test     127.0.0.1
 *   both.test     ::1, 127.0.0.1
 *   many.test     127.1.0.1 to 127.1.3.231, then 127.0.0.1: 1,000 in all
 *   missing.test  EAI_NONAME      again.test  EAI_AGAIN      broken.test  EAI_FAIL
 *   hang.test     127.0.0.1, once names_release() is called */
#ifndef UNIT_NAMES_H
#define UNIT_NAMES_H

void names_hold(void);
void names_release(void);

#endif
