#include "compare/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* The text being read, and the word being made. */
struct reader {
    const char *at;
    char *word;
    size_t size;
};

static void take(struct reader *reader)
{
    reader->word[reader->size++] = *reader->at++;
}

/* After the opening quote, up to the closing one. Whether there was one. */
static bool take_quoted(struct reader *reader, char quote)
{
    while (*reader->at && *reader->at != quote) {
        if (quote == '"' && *reader->at == '\\' && (reader->at[1] == '"' || reader->at[1] == '\\'))
            reader->at++;
        take(reader);
    }
    return *reader->at++ == quote;
}

/* Whether it ended well. */
static bool take_word(struct reader *reader)
{
    while (*reader->at && *reader->at != ' ' && *reader->at != '\t') {
        char first = *reader->at;
        if (first == '\'' || first == '"') {
            reader->at++;
            if (!take_quoted(reader, first))
                return false;
            continue;
        }
        if (first == '\\' && reader->at[1])
            reader->at++;
        take(reader);
    }
    reader->word[reader->size++] = '\0';
    return true;
}

static bool fill(char **words, const char *text)
{
    struct reader reader = {.at = text};
    for (reader.at += strspn(reader.at, " \t"); *reader.at; reader.at += strspn(reader.at, " \t")) {
        reader.word = malloc(strlen(reader.at) + 1);
        reader.size = 0;
        if (!reader.word) {
            fail(PARLEY_RESOURCE, "no memory for the command");
            return false;
        }
        *words++ = reader.word;
        if (!take_word(&reader)) {
            fail(PARLEY_USAGE, "a quote is not closed");
            return false;
        }
    }
    return true;
}

char **words_split(const char *text)
{
    /* There cannot be more words than every other character. */
    char **words = calloc(strlen(text) / 2 + 2, sizeof *words);
    if (words && !fill(words, text)) {
        words_free(words);
        return NULL;
    }
    if (words && !words[0]) {
        fail(PARLEY_USAGE, "there is no command");
        words_free(words);
        return NULL;
    }
    return words;
}

void words_free(char **words)
{
    for (char **word = words; word && *word; word++)
        free(*word);
    free(words);
}

static char *with_port(const char *word, int port)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const char *place;
    if (!out)
        return NULL;
    while ((place = strstr(word, "{port}"))) {
        fprintf(out, "%.*s%d", (int)(place - word), word, port);
        word = place + strlen("{port}");
    }
    fputs(word, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

char **words_with_port(char *const *words, int port)
{
    size_t count = 0;
    while (words[count])
        count++;
    char **copies = calloc(count + 1, sizeof *copies);
    for (size_t i = 0; copies && i < count; i++) {
        copies[i] = with_port(words[i], port);
        if (!copies[i]) {
            words_free(copies);
            return NULL;
        }
    }
    return copies;
}
