#include "report/page.h"
#include "base/error.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/page_part.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- the top of the page ---- */

static void print_banners(const struct load_result *result, FILE *out)
{
    char text[128];
    if (!result->valid)
        html_banner(out, "INVALID",
                    *result->invalid ? result->invalid : "the numbers are the generator's, not the server's");
    if (!result->interrupted)
        return;
    const char *name = sigabbrev_np(result->interrupted);
    snprintf(text, sizeof text, "by SIG%s after %.3g s; the numbers are of that time.", name ? name : "?",
             result->elapsed);
    html_banner(out, "Interrupted", text);
}

static void print_heading(const struct load_result *result, FILE *out)
{
    const struct load_conditions *conditions = &result->conditions;
    char note[256];
    snprintf(note, sizeof note, "%.128s, %u connection%s, %.3g s",
             conditions->mode ? conditions->mode : "load", conditions->connections,
             conditions->connections == 1 ? "" : "s", result->elapsed);
    html_heading(out, "parley load", conditions->target ? conditions->target : "a server", note);
}

static void print_rate(const struct load_result *result, FILE *out)
{
    char rate[UNIT_ROOM], count[UNIT_ROOM], note[2 * UNIT_ROOM];
    unit_text(rate, UNIT_RATE, load_rate(result));
    snprintf(note, sizeof note, "%s requests", unit_text(count, UNIT_COUNT, (double)result->requests));
    html_number(out, "Requests answered", rate, note);
}

static void print_time(const struct load_result *result, const char *name, double percentile,
                       const char *note, FILE *out)
{
    char text[UNIT_ROOM];
    bool any = result->response.total > 0;
    html_number(out, name,
                unit_text(text, UNIT_TIME, any ? (double)histogram_at(&result->response, percentile) : NAN),
                note);
}

/* Errors are counted in digits: one of a million is not to be rounded away. */
static void print_errors(const struct load_result *result, FILE *out)
{
    uint64_t errors = load_errors(result);
    char text[UNIT_ROOM], share[UNIT_ROOM], note[2 * UNIT_ROOM];
    snprintf(text, sizeof text, "%" PRIu64, errors);
    snprintf(note, sizeof note, "%s of all",
             unit_text(share, UNIT_SHARE, (double)errors / ((double)errors + (double)result->requests)));
    if (errors > 0)
        html_number_bad(out, "Errors", text, note);
    else
        html_number(out, "Errors", text, "none at all");
}

static void print_resumed(const struct load_result *result, FILE *out)
{
    char share[UNIT_ROOM], note[2 * UNIT_ROOM];
    if (result->resumed < 0 || result->connects == 0)
        return;
    snprintf(note, sizeof note, "%" PRId64 " of %" PRIu64 " handshakes", result->resumed, result->connects);
    if (result->resumed == 0)
        html_number_bad(out, "Sessions resumed", "NONE", note);
    else
        html_number(out, "Sessions resumed",
                    unit_text(share, UNIT_SHARE, (double)result->resumed / (double)result->connects), note);
}

static void print_verdict(const struct load_result *result, FILE *out)
{
    if (result->valid)
        html_number(out, "Result", "valid", "the numbers are the server's");
    else
        html_number_bad(out, "Result", "INVALID", "the numbers are not the server's");
}

static void print_headline(const struct load_result *result, FILE *out)
{
    html_numbers(out);
    print_rate(result, out);
    print_time(result, "Median", 50, "half took at most this", out);
    print_time(result, "p99", 99, "one of 100 took longer", out);
    print_time(result, "Max", 100, "the slowest", out);
    print_errors(result, out);
    print_resumed(result, out);
    print_verdict(result, out);
    html_numbers_end(out);
}

/* ---- the whole ---- */

static int print_body(const struct load_result *result, const struct moments *moments, FILE *out)
{
    print_heading(result, out);
    print_banners(result, out);
    print_headline(result, out);
    page_search(result, out);
    int status = page_percentiles(result, out);
    if (status == 0)
        status = page_time(result, moments, out);
    page_limits(result, out);
    page_errors(result, out);
    page_conditions(result, out);
    page_numbers(result, moments, out);
    return status;
}

int load_page_write(const struct load_result *result, FILE *out)
{
    struct moments moments;
    const char *target = result->conditions.target;
    char title[256];
    snprintf(title, sizeof title, "parley load %.200s", target ? target : "");
    int status = moments_open(&moments, result);
    if (status == 0) {
        html_begin(out, title);
        status = print_body(result, &moments, out);
        html_end(out);
    }
    moments_close(&moments);
    if (status == 0 && (fflush(out) != 0 || ferror(out)))
        status = fail_call("write", NULL, errno);
    return status;
}
