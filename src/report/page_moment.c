#include "base/error.h"
#include "report/page_part.h"
#include <math.h>
#include <stdlib.h>

enum { MOST_MOMENTS = 600 }; /* more than a picture has room for */

static void take_interval(struct moment *moment, struct histogram *together,
                          const struct load_interval *interval)
{
    moment->length += interval->length;
    moment->requests += interval->requests;
    moment->errors += interval->errors;
    moment->bytes_in += interval->bytes_in;
    moment->bytes_out += interval->bytes_out;
    moment->open = interval->open;
    histogram_add(together, &interval->response);
}

static void take_latency(struct moment *moment, const struct histogram *together)
{
    bool any = together->total > 0;
    moment->p50 = any ? (double)histogram_at(together, 50) : NAN;
    moment->p99 = any ? (double)histogram_at(together, 99) : NAN;
    moment->most = any ? (double)together->most : NAN;
}

static void fill(struct moments *moments, const struct load_result *result, struct histogram *together)
{
    for (size_t i = 0; i < moments->count; i++) {
        size_t first = i * moments->together, end = first + moments->together;
        struct moment *moment = &moments->list[i];
        moment->start = result->intervals[first].start;
        histogram_clear(together);
        for (size_t j = first; j < end && j < result->interval_count; j++)
            take_interval(moment, together, &result->intervals[j]);
        take_latency(moment, together);
    }
}

int moments_open(struct moments *moments, const struct load_result *result)
{
    struct histogram together;
    size_t intervals = result->interval_count;
    moments->together = intervals > MOST_MOMENTS ? (intervals + MOST_MOMENTS - 1) / MOST_MOMENTS : 1;
    moments->count = (intervals + moments->together - 1) / moments->together;
    moments->list = calloc(moments->count + 1, sizeof *moments->list);
    int status = histogram_open(&together);
    if (moments->list && status == 0)
        fill(moments, result, &together);
    histogram_close(&together);
    return moments->list && status == 0 ? 0 : fail(PARLEY_RESOURCE, "no memory for the report");
}

void moments_close(struct moments *moments)
{
    free(moments->list);
    *moments = (struct moments){0};
}

double moment_rate(const struct moment *moment)
{
    return moment->length > 0 ? (double)moment->requests / moment->length : NAN;
}

double moment_error_rate(const struct moment *moment)
{
    return moment->length > 0 ? (double)moment->errors / moment->length : NAN;
}
