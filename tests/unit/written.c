#include "written.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEEPEST = 64, LONGEST = 32 };

void written_begin(struct written *written)
{
    written->out = open_memstream(&written->text, &written->size);
    assert_non_null(written->out);
}

void written_end(struct written *written)
{
    assert_int_equal(fclose(written->out), 0);
}

void written_free(struct written *written)
{
    free(written->text);
}

void assert_holds(const struct written *written, const char *wanted)
{
    if (strstr(written->text, wanted) == NULL)
        fail_msg("there is no \"%s\" in\n%s", wanted, written->text);
}

void assert_lacks(const struct written *written, const char *unwanted)
{
    if (strstr(written->text, unwanted) != NULL)
        fail_msg("there is \"%s\" in\n%s", unwanted, written->text);
}

size_t count_of(const struct written *written, const char *wanted)
{
    size_t count = 0;
    for (const char *at = written->text; (at = strstr(at, wanted)) != NULL; at += strlen(wanted))
        count++;
    return count;
}

static bool is_void(const char *name)
{
    return strcmp(name, "meta") == 0 || *name == '!';
}

/* Follows one tag, from behind its '<'; returns the depth after it. */
static size_t follow(const char *tag, const char *end, char open[DEEPEST][LONGEST], size_t depth)
{
    char name[LONGEST];
    bool closes = *tag == '/';
    size_t length = strcspn(tag += closes, " />\n");
    snprintf(name, sizeof name, "%.*s", (int)length, tag);
    if (closes) {
        assert_true(depth > 0);
        assert_string_equal(name, open[depth - 1]);
        return depth - 1;
    }
    if (is_void(name) || end[-1] == '/')
        return depth;
    assert_true(depth < DEEPEST);
    snprintf(open[depth], LONGEST, "%s", name);
    return depth + 1;
}

/* As a word of its own, so that "sans-serif" and "information" may be said. */
static void assert_no_word(const struct written *written, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = written->text; (at = strstr(at, word)) != NULL; at += length)
        if ((at == written->text || !isalpha((unsigned char)at[-1])) && !isalpha((unsigned char)at[length]))
            fail_msg("\"%s\" at \"%.60s\"", word, at > written->text + 20 ? at - 20 : at);
}

void assert_whole(const struct written *written)
{
    char open[DEEPEST][LONGEST];
    size_t depth = 0;
    for (const char *at = written->text; (at = strchr(at, '<')) != NULL; at++) {
        const char *end = strchr(at, '>');
        if (!end) {
            fail_msg("a tag that is not closed: \"%.60s\"", at);
            return;
        }
        depth = follow(at + 1, end, open, depth);
    }
    if (depth != 0)
        fail_msg("<%s> is not closed", open[depth - 1]);
    assert_no_word(written, "nan");
    assert_no_word(written, "inf");
    assert_lacks(written, "-nan");
}
