/* INT and TERM, noted while servers are compared: between two loads, which take them themselves. */
#ifndef COMPARE_INTERRUPTION_H
#define COMPARE_INTERRUPTION_H

/* Takes both signals. Returns a descriptor that becomes readable when one has come; -1 and errno. */
int interruption_open(void);
/* The signal that has come, or 0. */
int interruption_taken(void);
/* Notes one that somebody else has taken. */
void interruption_note(int signal);
/* Gives both signals back. */
void interruption_close(void);

#endif
