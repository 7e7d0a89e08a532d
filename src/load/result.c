#include "load/result.h"
#include "base/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fault_name(enum load_fault fault)
{
    static const char *const names[FAULTS] = {"connect", "local",    "reset",
                                              "closed",  "mismatch", "unanswered"};
    return names[fault];
}

static int open_histograms(struct load_result *result)
{
    struct histogram *all[] = {&result->response, &result->service, &result->connect, &result->first_byte,
                               &result->lag};
    int status = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        status |= histogram_open(all[i]);
    return status;
}

int load_result_open(struct load_result *result)
{
    *result = (struct load_result){.valid = true,
                                   .resumed = -1,
                                   .limits = {.generator_busy = -1,
                                              .generator_cpu = -1,
                                              .server_busy = -1,
                                              .server_cpu = -1,
                                              .machine_idle = -1},
                                   .conditions.generators = 1};
    return open_histograms(result) == 0 ? 0 : fail(PARLEY_RESOURCE, "no memory for the histograms");
}

static void free_conditions(struct load_conditions *conditions)
{
    free(conditions->command_line);
    free(conditions->target);
    free(conditions->mode);
    free(conditions->kernel);
    free(conditions->processor);
    free(conditions->version);
    free(conditions->host);
}

void load_result_close(struct load_result *result)
{
    histogram_close(&result->response);
    histogram_close(&result->service);
    histogram_close(&result->connect);
    histogram_close(&result->first_byte);
    histogram_close(&result->lag);
    for (size_t i = 0; i < result->interval_count; i++)
        histogram_close(&result->intervals[i].response);
    free(result->intervals);
    free_conditions(&result->conditions);
    *result = (struct load_result){0};
}

uint64_t load_errors(const struct load_result *result)
{
    uint64_t errors = 0;
    for (int fault = 0; fault < FAULTS; fault++)
        errors += result->faults[fault].count;
    return errors;
}

const char *load_first_error(const struct load_result *result)
{
    for (int fault = 0; fault < FAULTS; fault++)
        if (result->faults[fault].count > 0)
            return result->faults[fault].first;
    return "";
}

double load_rate(const struct load_result *result)
{
    return result->elapsed > 0 ? (double)result->requests / result->elapsed : 0;
}

struct load_interval *load_result_add_interval(struct load_result *result)
{
    struct load_interval *intervals =
        realloc(result->intervals, (result->interval_count + 1) * sizeof *intervals);
    if (!intervals)
        return NULL;
    result->intervals = intervals;
    struct load_interval *interval = &intervals[result->interval_count];
    *interval = (struct load_interval){0};
    if (histogram_open(&interval->response) < 0)
        return NULL;
    result->interval_count++;
    return interval;
}

void load_fault_note(struct load_faults *faults, enum load_fault fault, uint64_t count, const char *sentence)
{
    struct load_faults *noted = &faults[fault];
    noted->count += count;
    if (!*noted->first && sentence)
        snprintf(noted->first, sizeof noted->first, "%s", sentence);
}
