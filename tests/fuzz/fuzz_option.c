/* Any command line: a sentence or arguments that make sense, and no operand lost. The first byte
 * chooses the subcommand, the rest are its words, separated by newlines. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"

enum { MOST_WORDS = 64 };

int LLVMFuzzerInitialize(int *count, char ***words);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_report_fd(void *descriptor);

static int kept_stderr, nowhere;

/* Complaints are many and looked at by nobody here; reports are another matter. */
int LLVMFuzzerInitialize(int *count, char ***words)
{
    (void)count;
    (void)words;
    kept_stderr = dup(STDERR_FILENO);
    nowhere = open("/dev/null", O_WRONLY);
    __sanitizer_set_report_fd((void *)(intptr_t)kept_stderr);
    return 0;
}

static int split(char *text, char *words[MOST_WORDS])
{
    int count = 0;

    while (text && count < MOST_WORDS)
        words[count++] = strsep(&text, "\n");
    return count;
}

static void check_addresses(const struct arguments *arguments)
{
    char **addresses = arguments_addresses(arguments, 0);
    char *address = arguments_address(arguments);

    for (char **each = addresses; each && *each; each++)
        assert(strlen(*each) > 0 || arguments->operand_count + arguments->given_count > 0);
    addresses_free(addresses);
    free(address);
}

static void check(const struct arguments *arguments, int words)
{
    assert(arguments->operand_count <= (size_t)words);
    assert(arguments->operands[arguments->operand_count] == NULL);
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct given *given = &arguments->given[i];

        assert(given->value && arguments_given(arguments, given->option->name));
        if (given->option->kind == OPTION_TIME)
            assert(arguments_time(arguments, given->option->name, -1) >= 0);
        else if (given->option->kind == OPTION_COUNT)
            assert(arguments_count(arguments, given->option->name, -1) >= 0);
    }
    check_addresses(arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"serve", "listen", "connect", "help"};
    struct arguments arguments;
    char *words[MOST_WORDS];
    char *text = size > 0 ? strndup((const char *)data + 1, size - 1) : NULL;
    int count;

    if (!text)
        return 0;
    count = split(text, words);
    dup2(nowhere, STDERR_FILENO);
    if (arguments_parse(&arguments, subcommand_named(names[data[0] % 4]), count, words) == 0)
        check(&arguments, count);
    dup2(kept_stderr, STDERR_FILENO);
    arguments_free(&arguments);
    free(text);
    return 0;
}
