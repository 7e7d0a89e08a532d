#include "loaded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add_second(struct load_result *result, int start)
{
    struct load_interval *interval = load_result_add_interval(result);
    assert_non_null(interval);
    interval->start = start;
    interval->length = 1;
    interval->requests = 1000;
    interval->errors = start == 2 ? 15 : 0;
    interval->bytes_in = interval->bytes_out = 64000;
    interval->open = 50;
    histogram_record_many(&interval->response, 2000000, 990);
    histogram_record_many(&interval->response, 7310000, 10);
    if (start >= 0)
        histogram_add(&result->response, &interval->response);
}

static void fill_conditions(struct load_conditions *conditions)
{
    *conditions = (struct load_conditions){
        .command_line = strdup("parley load 127.0.0.1:3000 -R 1k -c 50 -t 2 -d 3s --warmup 1s"),
        .target = strdup("127.0.0.1:3000"),
        .mode = strdup("open loop at 1 k/s"),
        .kernel = strdup("Linux 6.18.0 x86_64"),
        .processor = strdup("A Processor at 3 GHz"),
        .version = strdup("0.1.0"),
        .host = strdup("alpha"),
        .processors = 4,
        .connections = 50,
        .threads = 2,
        .depth = 1,
        .rate = 1000,
        .duration = 3,
        .warmup = 1,
        .message_size = 64,
        .reply_size = 64,
        .generators = 1,
    };
}

void load_by_hand(struct load_result *result)
{
    assert_int_equal(load_result_open(result), 0);
    for (int start = -1; start < 3; start++)
        add_second(result, start);
    result->since = 1763716000.25;
    result->elapsed = 3;
    result->requests = result->intended = 3000;
    result->bytes_in = result->bytes_out = 192000;
    result->open_least = 48;
    result->open_most = 50;
    histogram_record_many(&result->service, 1500000, 3000);
    histogram_record_many(&result->lag, 45100, 3000);
    load_fault_note(result->faults, FAULT_RESET, 12, "recv 127.0.0.1:3000: connection reset by peer");
    load_fault_note(result->faults, FAULT_UNANSWERED, 3, "3 requests had no reply 2 s after the end");
    result->limits = (struct load_limits){.generator_busy = 0.25,
                                          .generator_cpu = 0.5,
                                          .server_busy = 0.98,
                                          .server_cpu = 2.94,
                                          .server_processes = 1,
                                          .machine_idle = 0.5,
                                          .sentence = "the server was the limit: 98 % of a processor"};
    fill_conditions(&result->conditions);
}

struct load_result loaded;

int open_loaded(void **state)
{
    (void)state;
    load_by_hand(&loaded);
    return 0;
}

int close_loaded(void **state)
{
    (void)state;
    load_result_close(&loaded);
    return 0;
}

char *printed_of(int (*print)(const struct load_result *, FILE *), const struct load_result *result)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(print(result, out), 0);
    fclose(out);
    return text;
}

void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("there is no\n%s\nin\n%s", part, text);
}
