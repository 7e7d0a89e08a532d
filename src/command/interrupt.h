/* Signals taken as events of the loop, so that the terminal is put right before anything else happens. */
#ifndef COMMAND_INTERRUPT_H
#define COMMAND_INTERRUPT_H

/* A descriptor that is readable when HUP, INT, QUIT, TERM, TSTP or WINCH has come; -1 and errno. Those that
 * the process was started to ignore stay ignored, as nohup(1) wants. PIPE and XFSZ become errno values. */
int interrupt_open(void);
/* The next signal, or 0. */
int interrupt_take(int descriptor);
/* From now on signals have their usual effect. */
void interrupt_close(int descriptor);

#endif
