/* A terminal of its own for a program, pty(7), between it and its stream. */
#ifndef EXEC_PTY_H
#define EXEC_PTY_H

/* `*stream`, a stream socket, becomes a terminal, close-on-exec. Bytes are carried between the two, from a
 * thread of its own, until the program has let go of the terminal or the stream's other end is closed. An end
 * of the stream's input is the terminal's end of file, ^D. 0, or a parley_status with its sentence; `*stream`
 * is then to be closed all the same. */
int pty_take_place(int *stream);

#endif
