/* Reading access lists: networks separated by commas, or a file with one a line and # comments. */
#include "base/error.h"
#include "base/sys.h"
#include "limit/access.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Longer than any network; what follows a # is not counted. */
enum { LINE_SIZE = 128 };

static int add_entry(struct access_rule *rule, const struct network *network, unsigned line)
{
    /* Room doubles: a power of two is full. */
    if ((rule->count & (rule->count - 1)) == 0) {
        size_t room = rule->count > 0 ? 2 * rule->count : 1;
        struct access_entry *entries = sys.realloc(rule->entries, room * sizeof *entries);
        if (!entries)
            return fail(PARLEY_RESOURCE, "no memory for an access list of %zu networks", rule->count);
        rule->entries = entries;
    }
    rule->entries[rule->count++] = (struct access_entry){*network, line};
    return 0;
}

static int read_text(struct access_rule *rule, const char *text)
{
    struct network_list list = {0};
    int status = network_list_add(&list, text);
    for (size_t i = 0; i < list.count && status == 0; i++)
        status = add_entry(rule, &list.items[i], 0);
    network_list_free(&list);
    return status;
}

/* ---- files ---- */

/* The next line without its comment: its length, which is LINE_SIZE for all that are too long; -1: no more.
 */
static int read_line(FILE *file, char line[LINE_SIZE])
{
    int size = 0, byte;
    bool is_comment = false, is_line = false;
    while ((byte = getc(file)) != EOF && byte != '\n') {
        is_line = true;
        is_comment = is_comment || byte == '#';
        if (!is_comment && size < LINE_SIZE)
            line[size++] = (char)byte;
    }
    return byte == EOF && !is_line ? -1 : size;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static int parse_line(struct access_rule *rule, char line[LINE_SIZE], int size, unsigned number)
{
    struct network network;
    char *start = line;
    if (size == LINE_SIZE)
        return fail(PARLEY_USAGE, "the line is too long for a network");
    while (size > 0 && is_blank(line[size - 1]))
        size--;
    line[size] = '\0';
    while (is_blank(*start))
        start++;
    if (size == 0)
        return 0;
    if (strlen(line) < (size_t)size)
        return fail(PARLEY_USAGE, "a byte 0 in a list of networks");
    int status = network_parse(&network, start);
    return status == 0 ? add_entry(rule, &network, number) : status;
}

static int read_lines(struct access_rule *rule, FILE *file, const char *name)
{
    char line[LINE_SIZE];
    int size, status = 0;
    for (unsigned number = 1; status == 0 && (size = read_line(file, line)) >= 0; number++) {
        status = parse_line(rule, line, size, number);
        if (status < 0)
            fail(status, "%s:%u: %s", name, number, parley_error());
    }
    if (status == 0 && ferror(file))
        status = fail_call("read", name, errno);
    return status;
}

/* A pipe would keep the supervisor waiting, and cannot be read again. */
static int read_file(struct access_rule *rule, const char *name)
{
    struct stat about;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!file) {
        int error = errno;
        if (fd >= 0)
            sys.close(fd);
        return fail(PARLEY_USAGE, "%s: %s", name, reason_of("open", error));
    }
    int status = fstat(fd, &about) == 0 && S_ISREG(about.st_mode)
                     ? read_lines(rule, file, name)
                     : fail(PARLEY_USAGE, "%s: not a regular file", name);
    fclose(file);
    return status;
}

/* ---- in order ---- */

static int compare(const void *one, const void *other)
{
    const struct access_entry *first = one, *second = other;
    int order = network_compare(&first->network, &second->network);
    return order != 0 ? order : (first->line > second->line) - (first->line < second->line);
}

/* All of a source say the same, so one within another says nothing. */
static void sort(struct access_rule *rule)
{
    size_t kept = 0;
    if (rule->count > 0)
        qsort(rule->entries, rule->count, sizeof *rule->entries, compare);
    for (size_t i = 0; i < rule->count; i++)
        if (kept == 0 || !network_within(&rule->entries[i].network, &rule->entries[kept - 1].network))
            rule->entries[kept++] = rule->entries[i];
    rule->count = kept;
}

int access_rule_read(struct access_rule *rule, const struct access_source *source)
{
    *rule = (struct access_rule){.source = source};
    bool is_file = *source->text == '@';
    int status = is_file ? read_file(rule, source->text + 1) : read_text(rule, source->text);
    if (status == 0)
        sort(rule);
    return status;
}

void access_rule_free(struct access_rule *rule)
{
    sys.free(rule->entries);
}
