/* A terminal of its own for a program, pty(7), between it and its stream. */
#ifndef EXEC_PTY_H
#define EXEC_PTY_H

struct pty {
    int master, slave; /* both close-on-exec */
};

/* 0, or a parley_status with its sentence. */
int pty_make(struct pty *pty);
/* Carries bytes between the master and a stream socket, from a thread of its own, until the program has let
 * go of the terminal or the stream's other end is closed; both are closed then, or if it fails: 0, or a
 * parley_status. An end of the stream's input is the terminal's end of file, ^D. */
int pty_carry(int master, int stream);

#endif
