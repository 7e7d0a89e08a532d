#include "report/table.h"
#include "text/amount.h"
#include "text/neutralise.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What stands at the left, and the columns of times. */
enum { LABEL = 12, COLUMN = 9 };

static void label(FILE *out, const char *text)
{
    fprintf(out, "%-*s", LABEL, text);
}

/* Texts of a result that was read from a file, or that quote a peer, must not steer the terminal. */
static void say(FILE *out, const char *text)
{
    char *safe = neutralise_text(text);
    fputs(safe ? safe : "?", out);
    free(safe);
}

/* ---- what was searched ---- */

static void print_search(const struct load_search *search, FILE *out)
{
    label(out, "found");
    say(out, search->sentence);
    fputc('\n', out);
    for (unsigned i = 0; i < search->trial_count; i++) {
        const struct load_trial *trial = &search->trials[i];
        fprintf(out, "  %-*s%-8s", LABEL, amount_rate(trial->rate).text, trial->kept ? "kept" : "broken");
        say(out, trial->what);
        fputc('\n', out);
    }
}

/* ---- what was asked ---- */

static void print_number(FILE *out, unsigned number, const char *one, const char *many)
{
    if (number > 0)
        fprintf(out, ", %u %s", number, number == 1 ? one : many);
}

static void print_load(const struct load_result *result, FILE *out)
{
    const struct load_conditions *conditions = &result->conditions;
    label(out, "target");
    say(out, conditions->target ? conditions->target : "?");
    fputc('\n', out);
    label(out, "load");
    say(out, conditions->mode ? conditions->mode : "?");
    print_number(out, conditions->connections, "connection", "connections");
    print_number(out, conditions->threads, "thread", "threads");
    print_number(out, result->idle_held, "held idle", "held idle");
    if (conditions->generators > 1)
        print_number(out, conditions->generators, "generator", "generators");
    fputc('\n', out);
}

static void print_duration(const struct load_result *result, FILE *out)
{
    const struct load_conditions *conditions = &result->conditions;
    label(out, "duration");
    fputs(amount_time(result->elapsed * 1e9).text, out);
    if (conditions->ramp > 0)
        fprintf(out, ", after a ramp of %s", amount_time(conditions->ramp * 1e9).text);
    if (conditions->warmup > 0)
        fprintf(out, "%s a warm-up of %s", conditions->ramp > 0 ? " and" : ", after",
                amount_time(conditions->warmup * 1e9).text);
    const char *name = result->interrupted ? sigabbrev_np(result->interrupted) : NULL;
    if (result->interrupted)
        fprintf(out, ", interrupted by SIG%s", name ? name : "NAL");
    fputc('\n', out);
}

/* ---- what came of it ---- */

static void print_requests(const struct load_result *result, FILE *out)
{
    label(out, "requests");
    fprintf(out, "%" PRIu64 ", %s", result->requests, amount_rate(load_rate(result)).text);
    if (result->intended > 0 && result->elapsed > 0)
        fprintf(out, " of %s intended", amount_rate((double)result->intended / result->elapsed).text);
    if (result->replies_late > 0)
        fprintf(out, ", and %" PRIu64 " answered after the end", result->replies_late);
    fputc('\n', out);
}

static void print_bytes(const struct load_result *result, FILE *out)
{
    double elapsed = result->elapsed > 0 ? result->elapsed : 1;
    label(out, "bytes");
    fprintf(out, "in %s/s, out %s/s\n", amount_size((double)result->bytes_in / elapsed).text,
            amount_size((double)result->bytes_out / elapsed).text);
}

static void print_connections(const struct load_result *result, FILE *out)
{
    label(out, "open");
    if (result->open_least == result->open_most)
        fprintf(out, "%u", result->open_most);
    else
        fprintf(out, "%u to %u", result->open_least, result->open_most);
    fputs(result->open_most == 1 ? " connection at once" : " connections at once", out);
    if (result->connects > 0)
        fprintf(out, ", %" PRIu64 " made", result->connects);
    fputc('\n', out);
}

/* A load that was to resume sessions and did not has measured something else. */
static void print_resumed(const struct load_result *result, FILE *out)
{
    double connects = result->connects > 0 ? (double)result->connects : 1;
    if (result->resumed < 0)
        return;
    label(out, "resumed");
    if (result->connects == 0)
        fputs("no TLS handshake was made in the measured time (--churn makes one for each request)\n", out);
    else if (result->resumed == 0)
        fprintf(out, "NONE of %" PRIu64 " TLS handshakes: all were whole ones\n", result->connects);
    else
        fprintf(out, "%" PRId64 " of %" PRIu64 " TLS handshakes, %s\n", result->resumed, result->connects,
                amount_percent(100 * (double)result->resumed / connects).text);
}

static void print_errors(const struct load_result *result, FILE *out)
{
    uint64_t errors = load_errors(result);
    label(out, "errors");
    fprintf(out, "%" PRIu64, errors);
    if (errors > 0)
        fprintf(out, ", %s", amount_percent(100 * (double)errors / (double)(errors + result->requests)).text);
    fputc('\n', out);
    for (int i = 0; i < FAULTS; i++)
        if (result->faults[i].count > 0) {
            fprintf(out, "  %-*s%" PRIu64 "%s", LABEL, fault_name((enum load_fault)i),
                    result->faults[i].count, *result->faults[i].first ? ": " : "");
            say(out, result->faults[i].first);
            fputc('\n', out);
        }
}

/* ---- latencies ---- */

static void print_time(FILE *out, double ns)
{
    struct amount amount = amount_time(ns);
    fprintf(out, "%*s%s", COLUMN - columns_of(amount.text), "", amount.text);
}

static void print_histogram(const char *name, const struct histogram *histogram, FILE *out)
{
    static const double percentiles[] = {50, 90, 99, 99.9, 99.99, 100};
    if (histogram->total == 0)
        return;
    label(out, name);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        print_time(out, (double)histogram_at(histogram, percentiles[i]));
    print_time(out, histogram_mean(histogram));
    fputc('\n', out);
}

/* In a closed loop a request is sent when it is meant to be, so both are the same times. */
static bool is_same(const struct histogram *one, const struct histogram *other)
{
    return one->total == other->total && one->most == other->most &&
           memcmp(one->counts, other->counts, HISTOGRAM_COUNTERS * sizeof *one->counts) == 0;
}

static void print_latencies(const struct load_result *result, FILE *out)
{
    static const char *const columns[] = {"p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"};
    bool one_row = is_same(&result->response, &result->service);
    fputc('\n', out);
    label(out, "");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        fprintf(out, "%*s", COLUMN, columns[i]);
    fputc('\n', out);
    print_histogram(one_row ? "latency" : "response", &result->response, out);
    if (!one_row)
        print_histogram("service", &result->service, out);
    print_histogram("connect", &result->connect, out);
    print_histogram("first byte", &result->first_byte, out);
    print_histogram("lag", &result->lag, out);
}

static bool has_latencies(const struct load_result *result)
{
    return result->response.total + result->service.total + result->connect.total + result->first_byte.total +
               result->lag.total >
           0;
}

static void print_run(const struct load_result *result, FILE *out)
{
    print_load(result, out);
    print_duration(result, out);
    print_requests(result, out);
    print_bytes(result, out);
    print_connections(result, out);
    print_resumed(result, out);
    print_errors(result, out);
    if (has_latencies(result))
        print_latencies(result, out);
    if (*result->limits.sentence) {
        fputc('\n', out);
        say(out, result->limits.sentence);
        fputc('\n', out);
    }
}

int load_table_print(const struct load_result *result, FILE *out)
{
    if (!result->valid) {
        fputs("INVALID: ", out);
        say(out, result->invalid);
        fputs("\n\n", out);
    }
    if (*result->search.promise)
        print_search(&result->search, out);
    if (*result->search.promise && result->search.found > 0)
        fputc('\n', out);
    if (!*result->search.promise || result->search.found > 0)
        print_run(result, out);
    return ferror(out) ? -1 : 0;
}
