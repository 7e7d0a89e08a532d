/* The comparison as one page of HTML. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "compare/page_part.h"
#include "report/html.h"

/* ---- sections ---- */

static int print_charts(const struct rows *rows, FILE *out)
{
    static const enum measure measures[] = {MEASURE_RATE, MEASURE_CPU, MEASURE_P50, MEASURE_P99};
    int status = 0;
    for (size_t i = 0; i < sizeof measures / sizeof *measures && status == 0; i++) {
        const struct measure_form *form = &measure_forms[measures[i]];
        status = rows_bars(rows, measures[i], form->title,
                           form->better > 0 ? "More is better." : "Less is better.", out);
    }
    rows_percentiles(rows, out);
    return status;
}

static int print_load(const struct comparison *comparison, size_t workload, FILE *out)
{
    struct rows rows;
    char title[WORDING], bound[WORDING], note[WORDING + 80] = "";
    int status = rows_open(&rows, comparison, workload);
    workload_text(&comparison->plan->workloads[workload], title);
    if (bound_text(comparison, workload, bound))
        snprintf(note, sizeof note, "The generator was the limit, these could do more: %s.", bound);
    html_section(out, title, *note ? note : NULL);
    if (status == 0 && rows.count > 0)
        status = print_charts(&rows, out);
    if (status == 0)
        rows_table(
            &rows,
            "CPU and switches for each message; processors kept busy by the server, and by the generator",
            out);
    html_section_end(out);
    rows_close(&rows);
    return status;
}

static int print_costs(const struct comparison *comparison, FILE *out)
{
    struct rows rows;
    struct claim claim;
    char text[CLAIM_ROOM];
    int status = rows_open(&rows, comparison, comparison->plan->workload_count - 1);
    html_section(out, "What a connection costs",
                 comparison_claim(comparison, &claim) ? claim_text(&claim, text) : NULL);
    if (status == 0 && rows.count > 0)
        status = rows_bars(&rows, MEASURE_CPU, "The server's processor time for each connection",
                           "Connect, one exchange, close. Less is better.", out);
    if (status == 0)
        rows_table(&rows, "CPU and switches for each connection, one after another", out);
    html_section_end(out);
    rows_close(&rows);
    return status;
}

static void print_memory_row(const struct candidate *candidate, FILE *out)
{
    const struct memory *memory = &candidate->memory;
    char idle[UNIT_ROOM], each[UNIT_ROOM], held[UNIT_ROOM], processes[UNIT_ROOM], threads[UNIT_ROOM];
    html_row(out, candidate->name, unit_text(idle, UNIT_BYTES, memory->idle),
             unit_text(each, UNIT_BYTES, memory->per_connection),
             unit_text(held, UNIT_COUNT, memory->held ? memory->held : NAN),
             unit_text(processes, UNIT_COUNT, memory->processes ? memory->processes : NAN),
             unit_text(threads, UNIT_COUNT, memory->threads ? memory->threads : NAN));
}

static void print_memory(const struct comparison *comparison, FILE *out)
{
    html_section(out, "Memory",
                 "In user space, shared pages counted once; what the kernel keeps for processes, threads and "
                 "sockets is not in it. Processes and threads are those while the connections were held.");
    html_table(out, "Memory of the servers", "<Server|Idle|Each connection|Held|Processes|Threads");
    for (size_t i = 0; i < comparison->count; i++)
        print_memory_row(&comparison->candidates[i], out);
    html_table_end(out);
    html_section_end(out);
}

/* ---- the top and the conditions ---- */

static void print_best(const struct comparison *comparison, size_t workload, FILE *out)
{
    char name[WORDING], title[2 * WORDING], value[UNIT_ROOM];
    const struct candidate *best = comparison_best(comparison, workload, MEASURE_CPU);
    if (!best)
        return;
    snprintf(title, sizeof title, "Least CPU, %s",
             workload_text(&comparison->plan->workloads[workload], name));
    html_number(out, title, unit_text(value, UNIT_TIME, best->cells[workload].median.values[MEASURE_CPU]),
                best->name);
}

static void print_headline(const struct comparison *comparison, FILE *out)
{
    struct claim claim;
    char value[UNIT_ROOM];
    html_numbers(out);
    for (size_t i = 0; i + 1 < comparison->plan->workload_count; i++)
        print_best(comparison, i, out);
    if (comparison_claim(comparison, &claim)) {
        html_number(out, "A process over a thread", unit_text(value, UNIT_RATIO, claim.ratio),
                    "for a whole connection");
        html_number(out, "Making one alone", unit_text(value, UNIT_RATIO, claim.ratio_over),
                    "the textbooks say about 30×");
    }
    html_numbers_end(out);
}

static void print_banners(const struct comparison *comparison, FILE *out)
{
    char text[WORDING];
    const char *signal = comparison->interrupted ? sigabbrev_np(comparison->interrupted) : NULL;
    if (comparison->interrupted) {
        snprintf(text, sizeof text, "by SIG%s: the numbers are of what was measured until then.",
                 signal ? signal : "?");
        html_banner(out, "Interrupted", text);
    }
    for (size_t i = 0; i < comparison->count; i++) {
        const struct candidate *candidate = &comparison->candidates[i];
        if (*candidate->reason && !(candidate->refused && comparison->plan->may_refuse)) {
            snprintf(text, sizeof text, "%s %s", candidate->name, candidate->reason);
            html_banner(out, candidate->refused ? "Refused" : "Failed", text);
        }
    }
}

static void print_plan(const struct compare_plan *plan, FILE *out)
{
    char text[WORDING];
    html_command(out, plan->command_line);
    snprintf(text, sizeof text, "%u of %.3g s, after a warm-up of %.3g s", plan->rounds,
             (double)plan->duration / 1000, (double)compare_warmup(plan) / 1000);
    html_fact(out, "Rounds", text);
    snprintf(text, sizeof text, "%zu bytes, %u under way on a connection", plan->size, plan->depth);
    html_fact(out, "Messages", text);
    html_fact(out, "Processors of the servers", processors_text(&plan->server, text));
    html_fact(out, "Processors of the generator", processors_text(&plan->generator, text));
    if (plan->workers > 0) {
        snprintf(text, sizeof text, "%u", plan->workers);
        html_fact(out, "Workers", text);
    }
}

static void print_conditions(const struct comparison *comparison, FILE *out)
{
    struct load_result here;
    char text[64];
    struct tm parts;
    time_t since = (time_t)comparison->since;
    surroundings_open(&here, comparison->plan);
    html_section(out, "Conditions",
                 "Each server is started anew for each measurement; rounds take turns and begin with another "
                 "server each. Medians; bars show the range of the rounds.");
    html_facts(out);
    print_plan(comparison->plan, out);
    snprintf(text, sizeof text, "%u", here.conditions.processors);
    html_fact(out, "Processors of the machine", text);
    html_fact(out, "Processor", here.conditions.processor);
    html_fact(out, "Kernel", here.conditions.kernel);
    html_fact(out, "Host", here.conditions.host);
    html_fact(out, "parley", here.conditions.version);
    if (gmtime_r(&since, &parts) && strftime(text, sizeof text, "%F %T UTC", &parts))
        html_fact(out, "Began", text);
    html_facts_end(out);
    html_section_end(out);
    load_result_close(&here);
}

int compare_page_write(const struct comparison *comparison, FILE *out)
{
    char title[128], note[128];
    int status = 0;
    snprintf(title, sizeof title, "parley compare %s", comparison->plan->exchange->service);
    snprintf(note, sizeof note, "%zu servers measured against each other", comparison->count);
    html_begin(out, title);
    html_heading(out, "parley compare", comparison->plan->exchange->service, note);
    print_banners(comparison, out);
    print_headline(comparison, out);
    for (size_t i = 0; i + 1 < comparison->plan->workload_count && status == 0; i++)
        status = print_load(comparison, i, out);
    if (status == 0)
        status = print_costs(comparison, out);
    print_memory(comparison, out);
    print_conditions(comparison, out);
    html_end(out);
    if (status == 0 && (fflush(out) != 0 || ferror(out)))
        status = fail_call("write", NULL, errno);
    return status;
}
