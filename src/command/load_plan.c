/* From the options of `parley load` to the plan of a run. */
#include "base/units.h"
#include "command/load.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { MOST_CONNECTIONS = 1000000, MOST_THREADS = 256, MOST_DEPTH = 65536, MOST_MESSAGE = 1 << 30 };
/* ms: what a run reckons in ns stays far from the end of its clock. */
#define MOST_TIME (INT64_C(1000) * 3600 * 1000)

/* ---- what is sent ---- */

static int read_size(const struct arguments *arguments, const char *name, size_t *size)
{
    const char *text = arguments_value(arguments, name);
    uint64_t bytes = *size;
    int status = text ? parse_size(text, &bytes) : 0;
    if (status < 0)
        return complain_failure(arguments->subcommand, status);
    if (bytes > MOST_MESSAGE)
        return complain(arguments->subcommand, "--%s %s is more than 1GiB", name, text);
    *size = (size_t)bytes;
    return 0;
}

static int complain_file(const struct arguments *arguments, FILE *file, const char *path)
{
    int code = complain_call(arguments->subcommand, file ? "read" : "open", path);
    if (file)
        fclose(file);
    return code;
}

static int read_file(struct load_order *order, const struct arguments *arguments, const char *path)
{
    struct stat about;
    FILE *file = fopen(path, "r");
    if (!file || fstat(fileno(file), &about) < 0)
        return complain_file(arguments, file, path);
    if (!S_ISREG(about.st_mode) || about.st_size > MOST_MESSAGE) {
        fclose(file);
        return complain(arguments->subcommand, "--file %s is no plain file of at most 1GiB", path);
    }
    order->message = malloc((size_t)about.st_size + 1);
    order->plan.size = order->message ? fread(order->message, 1, (size_t)about.st_size, file) : 0;
    if (!order->message || ferror(file))
        return complain_file(arguments, file, path);
    fclose(file);
    return 0;
}

static int read_message(struct load_order *order, const struct arguments *arguments)
{
    const char *text = arguments_value(arguments, "message"), *path = arguments_value(arguments, "file");
    int given = (text != NULL) + (path != NULL) + arguments_given(arguments, "size"), status = 0;
    if (given > 1)
        return complain(arguments->subcommand, "one of --message, --file and --size, please");
    if (text) {
        order->message = unescape(arguments->subcommand, "message", text, &order->plan.size);
        status = order->message ? 0 : EXIT_USAGE;
    } else if (path) {
        status = read_file(order, arguments, path);
    } else {
        status = read_size(arguments, "size", &order->plan.size);
    }
    order->plan.message = order->message;
    return status;
}

/* ---- what comes back ---- */

static int read_reply(struct load_plan *plan, const struct arguments *arguments)
{
    bool framed = arguments_given(arguments, "expect-framing"),
         to_end = arguments_given(arguments, "expect-end");
    bool sized = arguments_given(arguments, "reply-size");
    if (framed + to_end + sized > 1)
        return complain(arguments->subcommand,
                        "one of --reply-size, --expect-framing and --expect-end, please");
    plan->framing = arguments_value(arguments, "expect-framing");
    plan->reply_size = plan->size;
    int status = read_size(arguments, "reply-size", &plan->reply_size);
    if (framed)
        plan->reply = REPLY_FRAMED;
    else if (to_end || (plan->churn && plan->size == 0 && !sized))
        plan->reply = REPLY_END;
    else
        plan->reply = plan->reply_size > 0 ? REPLY_BYTES : REPLY_NONE;
    return status;
}

/* ---- what fits together ---- */

static int check_replies(const struct load_plan *plan, const struct arguments *arguments)
{
    if (plan->reply == REPLY_END && !plan->churn)
        return complain(arguments->subcommand, "--expect-end ends the connection: it goes with --churn");
    if (plan->reply == REPLY_FRAMED && strcmp(plan->framing, "raw") == 0)
        return complain(arguments->subcommand,
                        "--expect-framing raw has no messages; --reply-size says how long "
                        "a reply is");
    if (plan->verify && (plan->reply != REPLY_BYTES || plan->reply_size != plan->size))
        return complain(arguments->subcommand, "--verify wants replies that are what was sent: leave out "
                                               "--reply-size and --expect-*");
    if (plan->size == 0 && !plan->churn)
        return complain(arguments->subcommand,
                        "an empty message is no request; --size 1 at least, or --churn");
    return 0;
}

static int check_times(const struct load_plan *plan, const struct subcommand *subcommand)
{
    if (plan->duration <= 0)
        return complain(subcommand, "-d takes a time above 0, such as 10s");
    if (plan->duration > MOST_TIME || plan->warmup > MOST_TIME || plan->ramp > MOST_TIME ||
        plan->grace > MOST_TIME)
        return complain(subcommand, "-d, --warmup, --ramp and --grace take at most 1000h each");
    return 0;
}

static int check_proxy(const struct arguments *arguments)
{
    if (!arguments_given(arguments, "proxy-source") || arguments_given(arguments, "proxy-send"))
        return 0;
    return complain(arguments->subcommand,
                    "--proxy-source is named in a PROXY header: add --proxy-send v1 or v2");
}

static int check(const struct load_plan *plan, const struct arguments *arguments)
{
    const struct subcommand *subcommand = arguments->subcommand;
    if (plan->connections < 1 || plan->connections > MOST_CONNECTIONS)
        return complain(subcommand, "-c takes 1 to %d connections", MOST_CONNECTIONS);
    if (plan->idle > MOST_CONNECTIONS)
        return complain(subcommand, "--idle takes up to %d connections", MOST_CONNECTIONS);
    if (plan->threads < 1 || plan->threads > MOST_THREADS || plan->threads > plan->connections)
        return complain(subcommand, "-t takes 1 to %d threads, and no more than there are connections (%u)",
                        MOST_THREADS, plan->connections);
    if (plan->depth < 1 || plan->depth > MOST_DEPTH || (plan->churn && plan->depth > 1))
        return complain(subcommand, plan->churn ? "--churn is one exchange per connection: leave out --depth"
                                                : "--depth takes 1 to 65536 requests");
    if (arguments_given(arguments, "rate") && arguments_given(arguments, "find-rate"))
        return complain(subcommand, "--find-rate chooses the rate itself: leave out -R");
    if (arguments_given(arguments, "rate") && plan->rate < 1)
        return complain(subcommand, "-R takes at least 1 request a second; leave it out for a closed loop");
    int code = check_times(plan, subcommand);
    code = code ? code : check_proxy(arguments);
    return code ? code : check_replies(plan, arguments);
}

/* ---- everything ---- */

static void read_numbers(struct load_plan *plan, const struct arguments *arguments)
{
    plan->connections = (unsigned)arguments_count(arguments, "connections", 1);
    plan->threads = (unsigned)arguments_count(arguments, "threads", 1);
    plan->idle = (unsigned)arguments_count(arguments, "idle", 0);
    plan->depth = (unsigned)arguments_count(arguments, "depth", 1);
    plan->rate = (double)arguments_count(arguments, "rate", 0);
    plan->duration =
        arguments_time(arguments, "duration", arguments_given(arguments, "find-rate") ? 2000 : 10000);
    plan->warmup = arguments_time(arguments, "warmup", 0);
    plan->ramp = arguments_time(arguments, "ramp", 0);
    plan->grace = arguments_time(arguments, "grace", 2000);
    plan->connect_timeout = arguments_time(arguments, "timeout", 5000);
    plan->churn = arguments_given(arguments, "churn");
    plan->verify = arguments_given(arguments, "verify");
    plan->poller = arguments_value(arguments, "poller");
    plan->family = arguments_given(arguments, "ipv4")   ? AF_INET
                   : arguments_given(arguments, "ipv6") ? AF_INET6
                                                        : AF_UNSPEC;
    plan->size = 64;
}

static int read_sources(struct load_order *order, const struct arguments *arguments)
{
    int status = 0;
    for (size_t i = 0; i < arguments->given_count && status == 0; i++)
        if (strcmp(arguments->given[i].option->name, "source") == 0)
            status = load_sources_add(order, arguments, arguments->given[i].value);
    order->plan.sources = (const char *const *)order->sources;
    order->plan.source_count = order->source_count;
    return status;
}

/* The engine reads them when it runs, and knows them by its own names: the option is named now. */
static int check_settings(const struct arguments *arguments)
{
    static const parley_handler nobody = PARLEY_HANDLER(.name = "load");
    parley_server *server = parley_server_new(&nobody);
    int status = server ? arguments_apply(arguments, server) : complain(arguments->subcommand, "no memory");
    parley_server_free(server);
    return status;
}

/* What the engine reads itself. */
static int read_settings(struct load_order *order, const struct arguments *arguments)
{
    order->settings = calloc(arguments->given_count + 1, sizeof *order->settings);
    if (!order->settings)
        return complain(arguments->subcommand, "no memory");
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct given *given = &arguments->given[i];
        if (given->option->setting)
            order->settings[order->plan.setting_count++] =
                (struct load_setting){given->option->setting, given->value};
    }
    order->plan.settings = order->settings;
    return check_settings(arguments);
}

int load_order_read(struct load_order *order, const struct arguments *arguments)
{
    *order = (struct load_order){0};
    order->address = arguments_address(arguments);
    if (!order->address)
        return EXIT_USAGE;
    order->plan.address = order->address;
    order->plan.command_line = order->command_line = arguments_quoted(arguments);
    read_numbers(&order->plan, arguments);
    int status = read_settings(order, arguments);
    if (status == 0)
        status = read_message(order, arguments);
    if (status == 0)
        status = read_reply(&order->plan, arguments);
    if (status == 0)
        status = read_sources(order, arguments);
    return status == 0 ? check(&order->plan, arguments) : status;
}

void load_order_free(struct load_order *order)
{
    for (size_t i = 0; i < order->source_count; i++)
        free(order->sources[i]);
    free(order->sources);
    free(order->message);
    free(order->settings);
    free(order->address);
    free(order->command_line);
}
