#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <parley.h>

#include "report/json.h"
#include "loaded.h"

static char path[] = "/tmp/parley-test-XXXXXX";

static int make_file(void **state)
{
    int fd = mkstemp(path);
    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void save(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* What is written of it, as JSON. */
static json_t *written(void)
{
    json_error_t error;
    char *text = printed_of(load_json_write, &loaded);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("line %d: %s in\n%s", error.line, error.text, text);
    free(text);
    return root;
}

/* The sentence without the file's name, which is at its beginning. */
static const char *refusal(void)
{
    struct load_result read;
    assert_int_equal(load_result_open(&read), 0);
    int status = load_json_read(&read, path);
    load_result_close(&read);
    if (status >= 0 || strncmp(parley_error(), path, strlen(path)) != 0)
        fail_msg("%d: %s", status, parley_error());
    return parley_error() + strlen(path);
}

/* ---- writing ---- */

static double number_at(const json_t *root, const char *object, const char *key)
{
    const json_t *value = json_object_get(*object ? json_object_get(root, object) : root, key);
    if (!json_is_number(value))
        fail_msg("%s.%s is no number", object, key);
    return json_number_value(value);
}

static void the_top_is_what_scripts_read(void **state)
{
    json_t *root = written();
    (void)state;
    assert_string_equal(json_string_value(json_object_get(root, "schema")), "parley-load/1");
    assert_true(json_is_true(json_object_get(root, "valid")));
    assert_true(json_is_null(json_object_get(root, "invalid")));
    assert_true(json_is_null(json_object_get(root, "interrupted")));
    assert_string_equal(json_string_value(json_object_get(root, "since")), "2025-11-21T09:06:40.250Z");
    assert_true(number_at(root, "", "requests") == 3000 && number_at(root, "", "errors") == 15);
    assert_true(number_at(root, "", "rate") == 1000 && number_at(root, "", "elapsed_s") == 3);
    assert_true(number_at(root, "open", "least") == 48 && number_at(root, "open", "most") == 50);
    assert_true(number_at(root, "latency_us", "max") == 7310);
    assert_true(fabs(number_at(root, "latency_us", "p50") - 2000) < 2);
    assert_true(number_at(root, "latency_us", "p99.9") == 7310);
    assert_true(number_at(root, "service_us", "count") == 3000);
    assert_true(number_at(root, "lag_us", "p99.99") == 45.1);
    assert_true(number_at(root, "limits", "server_busy") == 0.98);
    assert_true(number_at(root, "conditions", "warmup_s") == 1);
    assert_true(json_is_null(json_object_get(root, "connect_us")));
    json_decref(root);
}

static void errors_are_told_by_kind(void **state)
{
    json_t *root = written(), *kinds = json_object_get(root, "errors_by");
    (void)state;
    assert_int_equal(json_object_size(kinds), FAULTS);
    assert_true(number_at(kinds, "reset", "count") == 12);
    assert_string_equal(json_string_value(json_object_get(json_object_get(kinds, "reset"), "first")),
                        "recv 127.0.0.1:3000: connection reset by peer");
    assert_true(json_is_null(json_object_get(json_object_get(kinds, "local"), "first")));
    json_decref(root);
}

static void seconds_are_told_one_by_one(void **state)
{
    json_t *root = written(), *array = json_object_get(root, "intervals");
    (void)state;
    assert_int_equal(json_array_size(array), 4);
    assert_true(number_at(json_array_get(array, 0), "", "start") == -1);
    assert_true(number_at(json_array_get(array, 3), "", "errors") == 15);
    assert_true(number_at(json_array_get(array, 3), "latency_us", "max") == 7310);
    json_decref(root);
}

/* Where scripts look for a number there is null, and never -1. */
static void what_is_not_known_is_null(void **state)
{
    (void)state;
    loaded.limits = (struct load_limits){-1, -1, -1, -1, 0, NAN, "", 0};
    loaded.conditions.rate = 0;
    loaded.intended = 0;
    loaded.resumed = -1;
    loaded.elapsed = 0;
    free(loaded.conditions.kernel);
    loaded.conditions.kernel = NULL;
    json_t *root = written(), *limits = json_object_get(root, "limits");
    const char *key;
    json_t *value;
    json_object_foreach(limits, key, value)
    {
        if (!json_is_null(value))
            fail_msg("limits.%s is not null", key);
    }
    assert_true(json_is_null(json_object_get(json_object_get(root, "conditions"), "rate")));
    assert_true(json_is_null(json_object_get(json_object_get(root, "conditions"), "kernel")));
    assert_true(json_is_null(json_object_get(root, "intended")));
    assert_true(json_is_null(json_object_get(root, "resumed")));
    assert_true(number_at(root, "", "rate") == 0);
    json_decref(root);
}

/* A peer's bytes, or a sentence cut in the middle of a character, must not cost the document. */
static void any_bytes_make_a_document(void **state)
{
    (void)state;
    snprintf(loaded.faults[FAULT_RESET].first, sizeof loaded.faults[0].first, "cut \xc3");
    snprintf(loaded.limits.sentence, sizeof loaded.limits.sentence, "\xff\xfe \"quoted\" \x01 caf\xc3\xa9");
    loaded.valid = false;
    snprintf(loaded.invalid, sizeof loaded.invalid, "%255s", "\xe2\x82");
    json_t *root = written();
    json_t *reset = json_object_get(json_object_get(root, "errors_by"), "reset");
    assert_string_equal(json_string_value(json_object_get(reset, "first")), "cut \\xc3");
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "limits"), "sentence")),
                        "\\xff\\xfe \"quoted\" \\x01 caf\xc3\xa9");
    assert_true(json_is_false(json_object_get(root, "valid")));
    json_decref(root);
}

static void an_interval_is_a_line(void **state)
{
    char *text, *again;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    assert_int_equal(load_json_write_interval(&loaded.intervals[3], out), 0);
    assert_int_equal(load_json_write_interval(&loaded.intervals[3], out), 0);
    fclose(out);
    again = strchr(text, '\n') + 1;
    assert_int_equal(strlen(text), 2 * strlen(again));
    assert_says(text, "{\"start\":2.0,\"length\":1.0,\"requests\":1000,\"errors\":15,\"bytes_in\":64000,"
                      "\"bytes_out\":64000,\"open\":50,\"rate\":1000.0,\"latency_us\":{\"p50\":");
    assert_null(strstr(text, "histogram"));
    free(text);
}

static void a_full_disk_is_told(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    (void)state;
    assert_int_equal(load_json_write(&loaded, full), PARLEY_RESOURCE);
    assert_string_equal(parley_error(), "write the JSON: no space left on device");
    fclose(full);
}

/* ---- reading ---- */

/* What is read and written again is the same, to the byte. */
static void a_document_comes_back(void **state)
{
    struct load_result read;
    (void)state;
    histogram_record(&loaded.connect, 123457);
    histogram_record(&loaded.first_byte, 86399999999999);
    loaded.interrupted = SIGINT;
    loaded.valid = false;
    snprintf(loaded.invalid, sizeof loaded.invalid, "it was not its day");
    loaded.search = (struct load_search){.promise = "p99<5ms",
                                         .found = 12345.5,
                                         .by_generator = true,
                                         .sentence = "it is kept",
                                         .trials = {{8000, true, "p99 is 2.10 ms"}, {16000, false, ""}},
                                         .trial_count = 2};
    char *text = printed_of(load_json_write, &loaded), *again;
    assert_says(text, "\"interrupted\": \"SIGINT\"");
    save(text);
    assert_int_equal(load_result_open(&read), 0);
    if (load_json_read(&read, path) != 0)
        fail_msg("%s", parley_error());
    again = printed_of(load_json_write, &read);
    assert_string_equal(again, text);
    assert_int_equal(read.response.most, 7310000);
    assert_int_equal(read.interrupted, SIGINT);
    assert_int_equal(read.interval_count, 4);
    assert_int_equal(read.search.trial_count, 2);
    load_result_close(&read);
    free(text);
    free(again);
}

/* A result that measured nothing at all, too. */
static void an_empty_document_comes_back(void **state)
{
    struct load_result read;
    (void)state;
    load_result_close(&loaded);
    assert_int_equal(load_result_open(&loaded), 0);
    char *text = printed_of(load_json_write, &loaded), *again;
    save(text);
    assert_int_equal(load_result_open(&read), 0);
    if (load_json_read(&read, path) != 0)
        fail_msg("%s", parley_error());
    again = printed_of(load_json_write, &read);
    assert_string_equal(again, text);
    load_result_close(&read);
    free(text);
    free(again);
}

static void save_json(json_t *root)
{
    char *text = json_dumps(root, 0);
    save(text);
    free(text);
}

/* Whether a sentence misses that member, or one within it. */
static bool misses(const char *sentence, const char *prefix, const char *name)
{
    char words[100];
    snprintf(words, sizeof words, ": no %s%s", prefix, name);
    size_t size = strlen(words);
    return strncmp(sentence, words, size) == 0 && (sentence[size] == ':' || sentence[size] == '.') &&
           strstr(sentence, ": not written by parley load?") != NULL;
}

/* Without the member, and with an empty list in its place, which no member is but one. */
static void is_missed(json_t *root, json_t *object, const char *prefix, const char *name)
{
    json_t *value = json_incref(json_object_get(object, name));
    json_object_del(object, name);
    save_json(root);
    if (!misses(refusal(), prefix, name))
        fail_msg("without %s%s: %s", prefix, name, refusal());
    json_object_set_new(object, name, json_array());
    save_json(root);
    if (strcmp(name, "intervals") != 0 && !strstr(refusal(), name))
        fail_msg("with a list as %s%s: %s", prefix, name, refusal());
    json_object_set_new(object, name, value);
}

/* What is computed from the others is not read, and what was added later may be missing. */
static bool is_needed(const char *name)
{
    return strcmp(name, "errors") != 0 && strcmp(name, "rate") != 0 && strcmp(name, "resumed") != 0;
}

static void each_member_is_missed(json_t *root, json_t *object, const char *prefix)
{
    json_t *copy = json_copy(object), *value;
    const char *name;
    json_object_foreach(copy, name, value)
    {
        if (*prefix || is_needed(name))
            is_missed(root, object, prefix, name);
    }
    json_decref(copy);
}

static void what_is_missing_is_named(void **state)
{
    static const char *const objects[] = {"open", "limits", "conditions", "histograms", "errors_by"};
    json_t *root = written();
    (void)state;
    each_member_is_missed(root, root, "");
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "%s.", objects[i]);
        each_member_is_missed(root, json_object_get(root, objects[i]), prefix);
    }
    json_decref(root);
}

/* What a file says of it, and what is read; without a member where a file is older than it. */
static void resumed_is_read_as(const char *value, int64_t wanted)
{
    struct load_result read;
    json_t *root = written();
    json_object_del(root, "resumed");
    if (value)
        json_object_set_new(root, "resumed", json_loads(value, JSON_DECODE_ANY, NULL));
    save_json(root);
    assert_int_equal(load_result_open(&read), 0);
    assert_int_equal(load_json_read(&read, path), 0);
    assert_int_equal(read.resumed, wanted);
    load_result_close(&read);
    json_decref(root);
}

static void what_came_later_may_be_missing(void **state)
{
    (void)state;
    resumed_is_read_as(NULL, -1);
    resumed_is_read_as("null", -1);
    resumed_is_read_as("0", 0);
    resumed_is_read_as("7", 7);
}

/* Replaces one member, given as JSON. */
static void replaced_is_refused(const char *object, const char *key, const char *value, const char *words)
{
    json_t *root = written();
    json_t *holder = *object ? json_object_get(root, object) : root;
    json_object_set_new(holder, key, json_loads(value, JSON_DECODE_ANY, NULL));
    save_json(root);
    if (strcmp(refusal(), words) != 0)
        fail_msg("%s.%s = %s:\n%s\nand not\n%s", object, key, value, refusal(), words);
    json_decref(root);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    replaced_is_refused("", "schema", "\"parley-load/2\"",
                        ": its schema is \"parley-load/2\", and only \"parley-load/1\" can be read");
    replaced_is_refused("", "schema", "1", ": no schema: not written by parley load?");
    replaced_is_refused("", "valid", "1", ": valid is neither true nor false");
    replaced_is_refused("", "requests", "-1", ": requests is no count");
    replaced_is_refused("", "resumed", "-1", ": resumed is no count");
    replaced_is_refused("", "requests", "1.5", ": requests is no count");
    replaced_is_refused("", "requests", "null", ": requests is null");
    replaced_is_refused("", "requests", "9000000000000000000", ": requests is too large");
    replaced_is_refused("", "elapsed_s", "-3", ": elapsed_s is negative");
    replaced_is_refused("", "elapsed_s", "1e300", ": elapsed_s is too large");
    replaced_is_refused("", "elapsed_s", "\"3\"", ": elapsed_s is no number");
    replaced_is_refused("", "since", "\"yesterday\"",
                        ": since is no date such as \"2026-11-21T09:06:40.250Z\"");
    replaced_is_refused("", "since", "\"2026-11-21T09:06:40.25Z\"",
                        ": since is no date such as \"2026-11-21T09:06:40.250Z\"");
    replaced_is_refused("", "interrupted", "\"SIGNOTHING\"", ": interrupted is no signal's name");
    replaced_is_refused("", "interrupted", "2", ": interrupted is no signal's name");
    replaced_is_refused("open", "least", "4294967296", ": open.least is too large");
    replaced_is_refused("conditions", "mode", "3", ": conditions.mode is no text");
    replaced_is_refused("errors_by", "reset", "12", ": errors_by.reset has no count");
    replaced_is_refused("errors_by", "reset", "{\"count\": -1}", ": errors_by.reset has no count");
    replaced_is_refused("", "search", "{}", ": no search.promise: not written by parley load?");
    replaced_is_refused("", "search",
                        "{\"promise\": \"p\", \"found\": 1, \"broken\": null, \"by_generator\": false, "
                        "\"sentence\": null, \"trials\": [7]}",
                        ": no search.trials[0].rate: not written by parley load?");
    replaced_is_refused("", "intervals", "{}", ": intervals is no list");
    replaced_is_refused("", "intervals", "[7]", ": no intervals[0].start: not written by parley load?");
    replaced_is_refused("", "latency_us", "null", ": latency_us and its histogram do not belong together");
    replaced_is_refused("", "latency_us", "{\"count\": 5}",
                        ": latency_us has another count than its histogram");
    replaced_is_refused("histograms", "latency", "null",
                        ": latency_us and its histogram do not belong together");
    replaced_is_refused("histograms", "latency", "\"junk\"",
                        ": histogram of latency_us: a histogram ends in its header");
}

static void a_long_sentence_is_refused(void **state)
{
    char text[800] = "";
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[0] = text[sizeof text - 2] = '"';
    replaced_is_refused("limits", "sentence", text, ": limits.sentence is no short text");
}

static void what_is_no_json_is_refused(void **state)
{
    static const char *const rows[][2] = {
        {"", ": no JSON: line 1: "},
        {"{\n\"schema\": \"parley-load/1\",\n", ": no JSON: line 3: "},
        {"{\"schema\": 1, \"schema\": 2}", ": no JSON: line 1: duplicate object key"},
        {"[]", ": no schema: not written by parley load?"},
        {"{}", ": no schema: not written by parley load?"},
        {"{\"schema\": \"parley-load/1\"}", ": no valid: not written by parley load?"},
    };
    struct load_result read;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        save(rows[i][0]);
        if (strncmp(refusal(), rows[i][1], strlen(rows[i][1])) != 0)
            fail_msg("%s: %s", rows[i][0], refusal());
    }
    assert_int_equal(load_result_open(&read), 0);
    assert_true(load_json_read(&read, "/nowhere/a.json") < 0);
    assert_string_equal(parley_error(), "open /nowhere/a.json: no such file or directory");
    load_result_close(&read);
}

/* The exact extremes are believed only where the histogram has them. */
static void extremes_are_those_of_the_histogram(void **state)
{
    json_t *root = written();
    struct load_result read;
    (void)state;
    json_object_set_new(json_object_get(root, "latency_us"), "max", json_real(1e300));
    json_object_set_new(json_object_get(root, "latency_us"), "min", json_real(-5));
    json_object_set_new(json_object_get(root, "service_us"), "max", json_string("high"));
    save_json(root);
    json_decref(root);
    assert_int_equal(load_result_open(&read), 0);
    assert_int_equal(load_json_read(&read, path), 0);
    assert_int_equal(read.response.most, histogram_highest(histogram_index(7310000)));
    assert_int_equal(read.response.least, histogram_lowest(histogram_index(2000000)));
    assert_int_equal(read.service.most, histogram_highest(histogram_index(1500000)));
    load_result_close(&read);
}

#define WITH_RESULT(test) cmocka_unit_test_setup_teardown(test, open_loaded, close_loaded)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RESULT(the_top_is_what_scripts_read),
        WITH_RESULT(errors_are_told_by_kind),
        WITH_RESULT(seconds_are_told_one_by_one),
        WITH_RESULT(what_is_not_known_is_null),
        WITH_RESULT(any_bytes_make_a_document),
        WITH_RESULT(an_interval_is_a_line),
        WITH_RESULT(a_full_disk_is_told),
        WITH_RESULT(a_document_comes_back),
        WITH_RESULT(an_empty_document_comes_back),
        WITH_RESULT(what_is_missing_is_named),
        WITH_RESULT(what_came_later_may_be_missing),
        WITH_RESULT(what_is_wrong_is_named),
        WITH_RESULT(a_long_sentence_is_refused),
        WITH_RESULT(what_is_no_json_is_refused),
        WITH_RESULT(extremes_are_those_of_the_histogram),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
