#include "load/surroundings.h"
#include "base/error.h"
#include "load/result.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Like asprintf(3), but NULL is without memory. */
PARLEY_PRINTF(1, 2) static char *words(const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    return size < 0 ? NULL : text;
}

/* ---- the plan ---- */

/* Every digit of what was asked for, in thousands or millions. */
static void rate_words(double rate, char *text, size_t room)
{
    if (rate >= 1e6)
        snprintf(text, room, " at %.12g M/s", rate / 1e6);
    else if (rate >= 1e3)
        snprintf(text, room, " at %.12g k/s", rate / 1e3);
    else
        snprintf(text, room, " at %.12g/s", rate);
}

char *load_mode(const char *kind, double rate, unsigned depth)
{
    char at[48] = "", deep[32] = "";
    if (rate > 0)
        rate_words(rate, at, sizeof at);
    if (depth > 1)
        snprintf(deep, sizeof deep, ", depth %u", depth);
    return words("%s%s%s", kind, at, deep);
}

static bool has_setting(const struct load_plan *plan, const char *name)
{
    size_t i = 0;
    while (i < plan->setting_count && strcmp(plan->settings[i].name, name) != 0)
        i++;
    return i < plan->setting_count;
}

static const char *kind_of(const struct load_plan *plan)
{
    if (plan->churn && has_setting(plan, "dial-tls"))
        return has_setting(plan, "dial-resume") ? "churn of resumed TLS handshakes"
                                                : "churn of TLS handshakes";
    if (plan->churn)
        return "churn";
    return plan->rate > 0 ? "open loop" : "closed loop";
}

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

static void fill_plan(struct load_conditions *conditions, const struct load_plan *plan)
{
    conditions->connections = plan->connections;
    conditions->threads = plan->threads;
    conditions->idle = plan->idle;
    conditions->depth = plan->depth;
    conditions->rate = plan->rate;
    conditions->duration = seconds(plan->duration);
    conditions->warmup = seconds(plan->warmup);
    conditions->ramp = seconds(plan->ramp);
    conditions->message_size = plan->size;
    conditions->reply_size = plan->reply == REPLY_BYTES ? plan->reply_size : 0;
    conditions->mode = load_mode(kind_of(plan), plan->rate, plan->churn ? 1 : plan->depth);
    conditions->target = strdup(plan->address ? plan->address : "");
    if (plan->command_line)
        conditions->command_line = strdup(plan->command_line);
}

/* ---- the machine ---- */

/* The value of a line "model name : A Processor"; NULL: another architecture, or no memory. */
static char *value_of(const char *line, const char *key)
{
    const char *colon = strchr(line, ':');
    if (!colon || strncmp(line, key, strlen(key)) != 0)
        return NULL;
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    return strndup(value, strcspn(value, "\n"));
}

static char *processor_model(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char *line = NULL, *model = NULL;
    size_t room = 0;
    if (!file)
        return NULL;
    while (!model && getline(&line, &room, file) > 0)
        model = value_of(line, "model name");
    free(line);
    fclose(file);
    return model;
}

static void fill_machine(struct load_conditions *conditions)
{
    struct utsname name;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uname(&name);
    conditions->kernel = words("%s %s %s", name.sysname, name.release, name.machine);
    conditions->host = strdup(name.nodename);
    conditions->processor = processor_model();
    conditions->processors = processors > 0 ? (unsigned)processors : 0;
    conditions->version = strdup(parley_version());
}

int load_conditions_fill(struct load_conditions *conditions, const struct load_plan *plan)
{
    fill_plan(conditions, plan);
    fill_machine(conditions);
    if (!conditions->mode || !conditions->target || !conditions->kernel || !conditions->host ||
        !conditions->version || (plan->command_line && !conditions->command_line))
        return fail(PARLEY_RESOURCE, "no memory for the conditions");
    return 0;
}
