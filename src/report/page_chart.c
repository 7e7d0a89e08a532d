#include "base/error.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/page_part.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
    FINENESS = 16,      /* points for each nine of a percentile */
    MOST_NINES = 6,     /* 99.9999 % */
    TIMES = 5,          /* most of the kinds of time that are drawn */
    SERIES = 3,         /* most of a chart over time */
    LOGARITHM_FROM = 30 /* values so many times apart are shown on a logarithmic axis */
};

static enum chart_scale scale_for(double least, double most)
{
    return least > 0 && most > LOGARITHM_FROM * least ? SCALE_LOGARITHM : SCALE_LINEAR;
}

static struct chart_axis time_axis(enum chart_scale scale)
{
    return (struct chart_axis){
        .label = scale == SCALE_LOGARITHM ? "time, logarithmic" : "time", .unit = UNIT_TIME, .scale = scale};
}

/* ---- latency by percentile ---- */

struct percentile_line {
    struct chart_point points[MOST_NINES * FINENESS + 1];
    size_t count;
};

static bool is_same(const struct histogram *one, const struct histogram *other)
{
    return one->total == other->total && one->most == other->most && one->least == other->least &&
           histogram_at(one, 50) == histogram_at(other, 50) &&
           histogram_at(one, 99) == histogram_at(other, 99);
}

/* As far as the count allows: of 1000 values one is above 99.9 %, and of what lies beyond nothing is known.
 */
static void trace(struct percentile_line *line, const struct histogram *histogram)
{
    double nines = fmin(log10(fmax(1, (double)histogram->total)), MOST_NINES);
    size_t steps = (size_t)ceil(nines * FINENESS);
    line->count = histogram->total > 0 ? steps + 1 : 0;
    for (size_t i = 0; i < line->count; i++) {
        double percentile = 100 - 100 * pow(10, -(i < steps ? (double)i / FINENESS : nines));
        line->points[i] = (struct chart_point){percentile, (double)histogram_at(histogram, percentile)};
    }
}

/* A lag that is less than any response time would only stretch the axis. */
static void leave_out_below(struct percentile_line *line, double least)
{
    for (size_t i = 0; i < line->count; i++)
        if (line->points[i].y < least)
            line->points[i].y = NAN;
}

static void describe_latency(char *text, size_t room, const struct histogram *histogram)
{
    char median[UNIT_ROOM], late[UNIT_ROOM], most[UNIT_ROOM];
    if (histogram->total == 0)
        snprintf(text, room, "No request was answered.");
    else
        snprintf(text, room, "Half of the requests took at most %s, 99 %% at most %s, the slowest %s.",
                 unit_text(median, UNIT_TIME, (double)histogram_at(histogram, 50)),
                 unit_text(late, UNIT_TIME, (double)histogram_at(histogram, 99)),
                 unit_text(most, UNIT_TIME, (double)histogram->most));
}

/* The kinds of time that say something of their own: service times where requests waited before they were
 * sent, those of the connection where each request has one, in an open loop our own. Returns how many. */
static size_t choose_times(const struct load_result *result, const struct histogram *times[TIMES],
                           const char *names[TIMES])
{
    size_t count = 0;
    times[count] = &result->response, names[count++] = "response time";
    if (result->service.total > 0 && !is_same(&result->response, &result->service))
        times[count] = &result->service, names[count++] = "service time";
    if (result->first_byte.total > 0) {
        times[count] = &result->connect, names[count++] = "connected";
        times[count] = &result->first_byte, names[count++] = "first byte of the reply";
    }
    if (result->lag.total > 0)
        times[count] = &result->lag, names[count++] = "lag of the generator";
    return count;
}

static const char *note_on_latency(const struct load_result *result, size_t count)
{
    if (result->first_byte.total > 0)
        return "Each request had a connection of its own. The response time is counted from when it was "
               "meant to "
               "begin, the service time from when the request was sent, the others from when it began to "
               "connect.";
    if (count > 1 || result->conditions.rate > 0)
        return "The response time is counted from when a request was meant to be sent, so it holds what the "
               "request waited before; the service time from when it was sent. Lag is how late the generator "
               "itself was.";
    return "A closed loop sends a request when the last one was answered, so response time and service time "
           "are "
           "one.";
}

static void print_percentiles(const struct load_result *result, const struct chart_series *series,
                              size_t count, FILE *out)
{
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < count; i++)
        if (series[i].count > 0) {
            least = fmin(least, series[i].points[0].y);
            most = fmax(most, series[i].points[series[i].count - 1].y);
        }
    char text[256];
    describe_latency(text, sizeof text, &result->response);
    chart_lines(&(struct chart){.title = "Latency by percentile",
                                .description = text,
                                .x = {.label = "share of the requests that took at most so long",
                                      .scale = SCALE_PERCENTILE,
                                      .most = 99.99},
                                .y = time_axis(scale_for(least, most)),
                                .series = series,
                                .series_count = count},
                out);
}

int page_percentiles(const struct load_result *result, FILE *out)
{
    const struct histogram *times[TIMES];
    const char *names[TIMES];
    struct chart_series series[TIMES] = {{0}};
    struct percentile_line *lines = calloc(TIMES, sizeof *lines);
    if (!lines)
        return fail(PARLEY_RESOURCE, "no memory for the report");
    size_t count = choose_times(result, times, names);
    for (size_t i = 0; i < count; i++) {
        trace(&lines[i], times[i]);
        if (times[i] == &result->lag)
            leave_out_below(&lines[i], (double)result->response.least);
        series[i] =
            (struct chart_series){.name = names[i], .points = lines[i].points, .count = lines[i].count};
    }
    html_section(out, "Latency", note_on_latency(result, count));
    print_percentiles(result, series, count, out);
    html_section_end(out);
    free(lines);
    return 0;
}

/* ---- over time ---- */

/* A picture over the time of the run: each value stands in the middle of its moment. */
struct film {
    const struct load_result *result;
    const struct moments *moments;
    struct chart_point *points; /* room for SERIES of them for each moment */
    struct chart_series series[SERIES];
    size_t series_count;
};

static void add_series(struct film *film, const char *name, bool marks_only,
                       double (*value)(const struct moment *))
{
    const struct moments *moments = film->moments;
    struct chart_point *points = film->points + film->series_count * moments->count;
    for (size_t i = 0; i < moments->count; i++) {
        const struct moment *moment = &moments->list[i];
        points[i] = (struct chart_point){(moment->start + moment->length / 2) * 1e9, value(moment)};
    }
    film->series[film->series_count++] = (struct chart_series){
        .name = name, .points = points, .count = moments->count, .marks_only = marks_only};
}

static void print_film(struct film *film, const char *title, const char *description, struct chart_axis y,
                       FILE *out)
{
    const struct moments *moments = film->moments;
    const struct moment *last = moments->count ? &moments->list[moments->count - 1] : NULL;
    double begin = last ? fmin(0, moments->list[0].start) : 0;
    chart_lines(&(struct chart){.title = title,
                                .description = description,
                                .x = {.label = "time since the measurement began",
                                      .unit = UNIT_TIME,
                                      .least = begin * 1e9,
                                      .most = last ? (last->start + last->length) * 1e9 : 0},
                                .y = y,
                                .series = film->series,
                                .series_count = film->series_count,
                                .stretch = {begin * 1e9, 0, "warm-up"}},
                out);
    film->series_count = 0;
}

static double p50_of(const struct moment *moment)
{
    return moment->p50;
}

static double p99_of(const struct moment *moment)
{
    return moment->p99;
}

static double most_of(const struct moment *moment)
{
    return moment->most;
}

static double open_of(const struct moment *moment)
{
    return moment->open;
}

/* Where there were any. */
static double errors_of(const struct moment *moment)
{
    return moment->errors > 0 ? moment_error_rate(moment) : NAN;
}

static void print_latency(struct film *film, FILE *out)
{
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < film->moments->count; i++) {
        least = fmin(least, film->moments->list[i].p50);
        most = fmax(most, film->moments->list[i].most);
    }
    add_series(film, "median", false, p50_of);
    add_series(film, "p99", false, p99_of);
    add_series(film, "max", false, most_of);
    print_film(film, "Latency over time", "Response times of the requests answered in each interval.",
               time_axis(scale_for(least, most)), out);
}

static void print_throughput(struct film *film, FILE *out)
{
    uint64_t errors = load_errors(film->result);
    char text[128];
    if (errors == 0)
        snprintf(text, sizeof text, "Requests answered in a second. There were no errors.");
    else
        snprintf(text, sizeof text,
                 "Requests answered in a second. A cross stands at the errors in a second, %" PRIu64
                 " in all.",
                 errors);
    add_series(film, "requests", false, moment_rate);
    if (errors > 0)
        add_series(film, "errors", true, errors_of);
    print_film(film, "Throughput over time", text,
               (struct chart_axis){.label = "requests", .unit = UNIT_RATE}, out);
}

static const char *note_on_time(char *text, size_t room, const struct moments *moments)
{
    if (moments->together == 1)
        return NULL;
    snprintf(text, room, "It was a long run: each point stands for %zu intervals together.",
             moments->together);
    return text;
}

int page_time(const struct load_result *result, const struct moments *moments, FILE *out)
{
    struct film film = {.result = result, .moments = moments};
    char note[128];
    film.points = calloc(moments->count * SERIES + 1, sizeof *film.points);
    if (!film.points)
        return fail(PARLEY_RESOURCE, "no memory for the report");
    html_section(out, "Over time", note_on_time(note, sizeof note, moments));
    print_latency(&film, out);
    print_throughput(&film, out);
    add_series(&film, "connections", false, open_of);
    print_film(&film, "Connections open", "Established at the end of each interval.",
               (struct chart_axis){.label = "connections", .unit = UNIT_COUNT}, out);
    html_section_end(out);
    free(film.points);
    return 0;
}

/* ---- who was the limit ---- */

static void print_shares(const struct load_limits *limits, FILE *out)
{
    char server[64];
    snprintf(server, sizeof server, limits->server_processes == 1 ? "server" : "server, %u processes",
             limits->server_processes);
    const char *const rows[] = {"generator", server};
    const struct chart_bar busy[] = {{.value = limits->generator_busy}, {.value = limits->server_busy}};
    const struct bar_series series = {"busy", busy};
    chart_bars(
        &(struct bar_chart){.title = "Busy, in shares of one processor",
                            .description = "The busiest thread of the generator, and all of the server.",
                            .unit = UNIT_SHARE,
                            .most = 1,
                            .rows = rows,
                            .row_count = 2,
                            .series = &series,
                            .series_count = 1},
        out);
}

static void print_machine(const struct load_result *result, FILE *out)
{
    char description[96];
    snprintf(description, sizeof description, "All that ran on its %u processors, these two and others.",
             result->conditions.processors);
    const char *const rows[] = {"busy", "idle"};
    double idle = result->limits.machine_idle;
    const struct chart_bar shares[] = {{.value = idle < 0 ? idle : 1 - idle}, {.value = idle}};
    const struct bar_series series = {"share", shares};
    chart_bars(&(struct bar_chart){.title = "The machine, in shares of all processors",
                                   .description = result->conditions.processors ? description : NULL,
                                   .unit = UNIT_SHARE,
                                   .most = 1,
                                   .rows = rows,
                                   .row_count = 2,
                                   .series = &series,
                                   .series_count = 1},
               out);
}

void page_limits(const struct load_result *result, FILE *out)
{
    html_section(out, "Who was the limit", NULL);
    fputs("<p class=\"said\">", out);
    html_prose(out, *result->limits.sentence ? result->limits.sentence
                                             : "It is not known which side was the limit.");
    fputs("</p>\n<div class=\"pair\">\n", out);
    print_shares(&result->limits, out);
    print_machine(result, out);
    fputs("</div>\n", out);
    html_section_end(out);
}
