#include "option/own_words.h"

#include <string.h>

static const char blanks[] = " \t", letters[] = "abcdefghijklmnopqrstuvwxyz-";

/* Of "NAME=...": the length of the name; 0: it is none. */
static size_t name_length(const char *text)
{
    const size_t length = strspn(text, letters);

    return text[length] == '=' ? length : 0;
}

/* Up to the blanks before the next word, or before the end. */
static size_t length_before_word(const char *text)
{
    size_t length = 0, end = 0;

    while (text[end] != '\0') {
        length = end + strcspn(text + end, blanks);
        end = length + strspn(text + length, blanks);
        if (name_length(text + end) > 0)
            break;
    }
    return length;
}

size_t address_length_of(const char *text)
{
    return length_before_word(text);
}

static int set_word(const struct arguments *arguments, parley_server *server, const char *word, size_t length)
{
    char text[1024];
    int status;

    if (length >= sizeof text)
        return complain(arguments->subcommand, "%.80s...: this word is too long", word);
    memcpy(text, word, length);
    text[length] = '\0';
    text[name_length(text)] = '\0';
    status = parley_listener_set(server, parley_listeners(server) - 1, text, text + strlen(text) + 1);
    return status ? complain_failure(arguments->subcommand, status) : 0;
}

int own_words_set(const struct arguments *arguments, parley_server *server, const char *words)
{
    int status = 0;

    for (words += strspn(words, blanks); *words && status == 0; words += strspn(words, blanks)) {
        const size_t name = name_length(words), length = name + length_before_word(words + name);

        status = set_word(arguments, server, words, length);
        words += length;
    }
    return status;
}
