#include "report/chart.h"
#include "report/html.h"
#include "report/page_part.h"
#include <inttypes.h>
#include <math.h>
#include <time.h>

enum { CELL = 48, TIMES = 5 };

/* ---- what was searched ---- */

void page_search(const struct load_result *result, FILE *out)
{
    const struct load_search *search = &result->search;
    if (!*search->promise)
        return;
    html_section(out, "The rate that was searched for", search->sentence);
    html_table(out, "Trials, in their order", "Rate|<Promise|<What was measured");
    for (unsigned i = 0; i < search->trial_count; i++) {
        const struct load_trial *trial = &search->trials[i];
        char rate[UNIT_ROOM];
        html_row(out, unit_text(rate, UNIT_RATE, trial->rate), trial->kept ? "kept" : "broken", trial->what);
    }
    html_table_end(out);
    html_section_end(out);
}

/* ---- errors ---- */

static const char *fault_in_words(enum load_fault fault)
{
    static const char *const words[FAULTS] = {
        [FAULT_CONNECT] = "could not connect",  [FAULT_LOCAL] = "could not be tried on this machine",
        [FAULT_RESET] = "connection reset",     [FAULT_CLOSED] = "closed before the reply was whole",
        [FAULT_MISMATCH] = "a reply was wrong", [FAULT_UNANSWERED] = "not answered in time",
    };
    return words[fault];
}

void page_errors(const struct load_result *result, FILE *out)
{
    bool any = load_errors(result) > 0;
    html_section(out, "Errors",
                 any ? "How often each happened, and what was said of the first." : "There were none.");
    if (any)
        html_facts(out);
    for (int fault = 0; fault < FAULTS; fault++) {
        const struct load_faults *faults = &result->faults[fault];
        char name[2 * CELL];
        snprintf(name, sizeof name, "%" PRIu64 " × %s", faults->count, fault_in_words(fault));
        if (faults->count > 0)
            html_fact(out, name, faults->first);
    }
    if (any)
        html_facts_end(out);
    html_section_end(out);
}

/* ---- conditions ---- */

static void number_fact(FILE *out, const char *name, uint64_t number, const char *unit)
{
    char text[CELL];
    snprintf(text, sizeof text, "%" PRIu64 "%s", number, unit);
    html_fact(out, name, text);
}

/* Of what there is at least one, unless nothing is known of it. */
static void some_fact(FILE *out, const char *name, unsigned number, const char *unit)
{
    if (number > 0)
        number_fact(out, name, number, unit);
    else
        html_fact(out, name, NULL);
}

/* Of what is only there when it was asked for. */
static void asked_fact(FILE *out, const char *name, double number, const char *unit)
{
    char text[CELL];
    snprintf(text, sizeof text, "%.15g%s", number, unit);
    if (isfinite(number) && number > 0)
        html_fact(out, name, text);
}

static void date_fact(FILE *out, double since)
{
    time_t seconds = since > 0 && since < 1e12 ? (time_t)since : 0;
    struct tm parts;
    char text[CELL];
    if (seconds == 0 || !gmtime_r(&seconds, &parts) || !strftime(text, sizeof text, "%F %T UTC", &parts))
        *text = '\0';
    html_fact(out, "Date", text);
}

void page_conditions(const struct load_result *result, FILE *out)
{
    const struct load_conditions *conditions = &result->conditions;
    html_section(out, "Conditions", "What was measured, with what, on what.");
    html_facts(out);
    html_command(out, conditions->command_line);
    html_fact(out, "Target", conditions->target);
    html_fact(out, "Mode", conditions->mode);
    date_fact(out, result->since);
    html_fact(out, "parley", conditions->version);
    html_fact(out, "Host", conditions->host);
    html_fact(out, "Kernel", conditions->kernel);
    html_fact(out, "Processor", conditions->processor);
    some_fact(out, "Processors", conditions->processors, "");
    some_fact(out, "Connections", conditions->connections, "");
    some_fact(out, "Threads", conditions->threads, "");
    some_fact(out, "Depth", conditions->depth, " under way on each");
    number_fact(out, "Message", conditions->message_size, " bytes");
    if (conditions->reply_size > 0)
        number_fact(out, "Reply", conditions->reply_size, " bytes");
    else
        html_fact(out, "Reply", "none, or of no fixed size");
    asked_fact(out, "Rate asked for", conditions->rate, " requests a second");
    asked_fact(out, "Duration asked for", conditions->duration, " s");
    asked_fact(out, "Warm-up", conditions->warmup, " s");
    asked_fact(out, "Ramp", conditions->ramp, " s");
    asked_fact(out, "Idle connections besides", conditions->idle, "");
    if (conditions->generators > 1)
        number_fact(out, "Generators", conditions->generators, ", their results merged");
    html_facts_end(out);
    html_section_end(out);
}

/* ---- raw numbers ---- */

static const char *count_text(char text[CELL], uint64_t count)
{
    snprintf(text, CELL, "%" PRIu64, count);
    return text;
}

static void count_row(FILE *out, const char *name, uint64_t count)
{
    char text[CELL];
    html_row(out, name, count_text(text, count));
}

/* A cell of a number that may not be known. */
static const char *real_text(char text[CELL], double number, int decimals)
{
    snprintf(text, CELL, "%.*f", decimals, number);
    return isfinite(number) && number >= 0 ? text : "–";
}

static void real_row(FILE *out, const char *name, double number)
{
    char text[CELL];
    html_row(out, name, real_text(text, number, 3));
}

static void print_counts(const struct load_result *result, FILE *out)
{
    html_table(out, "Counts", "<What|Number");
    count_row(out, "requests answered", result->requests);
    real_row(out, "seconds measured", result->elapsed);
    real_row(out, "requests a second", load_rate(result));
    count_row(out, "errors", load_errors(result));
    count_row(out, "requests the schedule had", result->intended);
    count_row(out, "replies after the end", result->replies_late);
    count_row(out, "bytes received", result->bytes_in);
    count_row(out, "bytes sent", result->bytes_out);
    count_row(out, "connections established", result->connects);
    if (result->resumed >= 0)
        count_row(out, "of these, TLS sessions resumed", (uint64_t)result->resumed);
    count_row(out, "connections open, least", result->open_least);
    count_row(out, "connections open, most", result->open_most);
    count_row(out, "idle connections held", result->idle_held);
    real_row(out, "processor s of the generator", result->limits.generator_cpu);
    real_row(out, "processor s of the server", result->limits.server_cpu);
    html_table_end(out);
}

typedef double histogram_value(const struct histogram *histogram, double percentile);

static double percentile_of(const struct histogram *histogram, double percentile)
{
    return (double)histogram_at(histogram, percentile);
}

static double mean_of(const struct histogram *histogram, double percentile)
{
    (void)percentile;
    return histogram_mean(histogram);
}

static double deviation_of(const struct histogram *histogram, double percentile)
{
    (void)percentile;
    return histogram_deviation(histogram);
}

/* In µs, of each kind of time; nothing where none was measured. */
static void latency_row(const struct load_result *result, const char *name, histogram_value *value,
                        double percentile, FILE *out)
{
    const struct histogram *all[TIMES] = {&result->response, &result->service, &result->connect,
                                          &result->first_byte, &result->lag};
    const char *texts[TIMES];
    char cells[TIMES][CELL];
    for (size_t i = 0; i < TIMES; i++)
        texts[i] = real_text(cells[i], all[i]->total > 0 ? value(all[i], percentile) / 1000 : NAN, 3);
    html_row(out, name, texts[0], texts[1], texts[2], texts[3], texts[4]);
}

static void print_latencies(const struct load_result *result, FILE *out)
{
    static const double percentiles[] = {50, 75, 90, 95, 99, 99.9, 99.99, 99.999};
    html_table(out, "Latencies in µs", "<Share|response|service|connect|first byte|lag");
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++) {
        char name[CELL];
        snprintf(name, sizeof name, "p%.6g", percentiles[i]);
        latency_row(result, name, percentile_of, percentiles[i], out);
    }
    latency_row(result, "max", percentile_of, 100, out);
    latency_row(result, "mean", mean_of, 0, out);
    latency_row(result, "standard deviation", deviation_of, 0, out);
    html_table_end(out);
}

static void moment_row(const struct moment *moment, FILE *out)
{
    char start[CELL], length[CELL], requests[CELL], errors[CELL], rate[CELL], open[CELL];
    char p50[CELL], p99[CELL], most[CELL];
    snprintf(start, CELL, "%.3f", moment->start);
    html_row(out, start, real_text(length, moment->length, 3), count_text(requests, moment->requests),
             count_text(errors, moment->errors), real_text(rate, moment_rate(moment), 1),
             count_text(open, moment->open), real_text(p50, moment->p50 / 1000, 3),
             real_text(p99, moment->p99 / 1000, 3), real_text(most, moment->most / 1000, 3));
}

void page_numbers(const struct load_result *result, const struct moments *moments, FILE *out)
{
    html_section(out, "Numbers", "As they were measured, to be copied.");
    fputs("<div class=\"tables\">\n", out);
    print_counts(result, out);
    print_latencies(result, out);
    fputs("</div>\n", out);
    html_table(out, "Over time: times in µs", "From s|for s|requests|errors|requests/s|open|p50|p99|max");
    for (size_t i = 0; i < moments->count; i++)
        moment_row(&moments->list[i], out);
    html_table_end(out);
    html_section_end(out);
}
