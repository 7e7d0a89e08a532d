/* Options of one listener, behind its address: "127.0.0.1:3000 connections=100 idle=30s". */
#ifndef OPTION_OWN_WORDS_H
#define OPTION_OWN_WORDS_H

#include <stddef.h>

#include "option/complain.h"

/* How many bytes of the text are the address: the words begin behind the first blanks that stand before
 * NAME=. So a unix path may have blanks in it, though none before what looks like a word. */
size_t address_length_of(const char *text);

/* Gives the listener that was made last what the words say; a value ends where the next word begins, so it
 * may have blanks in it. 0, or the exit code after a complaint. */
int own_words_set(const struct arguments *arguments, parley_server *server, const char *words);

#endif
