/* parley: serve, connect, and talk TCP. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "command/activation.h"
#include "command/command.h"

/* A descriptor from 0 to 2 that was closed would be taken by the next socket, and then written to. */
static void reopen_standard_descriptors(void)
{
    int descriptor;

    do {
        descriptor = open("/dev/null", O_RDWR);
    } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0)
        close(descriptor);
}

static int run(const struct subcommand *subcommand, int count, char *const *words)
{
    struct arguments arguments = {0};
    int status = arguments_parse(&arguments, subcommand, count, words);

    if (status == 0 && arguments.help)
        print_help(stdout, subcommand);
    else if (status == 0)
        status = subcommand->run(&arguments);
    arguments_free(&arguments);
    return status;
}

/* What is left in the buffer may still fail to be written. A failure before has been told already. */
static int finish_output(int status)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0)
        return complain_unwritten(NULL);
    return status;
}

static const struct subcommand *chosen(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return subcommand_named("help");
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return subcommand_named("version");
    return subcommand_named(word);
}

int main(int count, char **words)
{
    const struct subcommand *subcommand;
    int status;

    reopen_standard_descriptors();
    take_what_is_passed();
    if (count < 2) {
        print_summary(stderr);
        return EXIT_USAGE;
    }
    subcommand = chosen(words[1]);
    if (!subcommand)
        return complain_no_subcommand(NULL, words[1]);
    status = finish_output(run(subcommand, count - 2, words + 2));
    forget_what_was_passed();
    return status;
}
