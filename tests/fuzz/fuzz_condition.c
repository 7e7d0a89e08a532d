/* Whatever is typed as a condition: a sentence, or one that can be asked, whose reason fits and quotes it. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <parley.h>

#include "load/condition.h"

static struct load_result result;

static void ask(const struct condition *condition)
{
    char why[256] = "", what[128] = "";
    bool holds = condition_holds(condition, &result, why, sizeof why);
    bool kept = condition_kept(condition, &result, what, sizeof what);

    assert(condition->percentile >= 0 && condition->percentile <= 100 && condition->bound >= 0);
    assert(strncmp(condition->text, condition->metric, strlen(condition->metric)) == 0);
    assert(holds == (kept || isnan(condition_value(condition, &result))));
    assert(!holds || (strstr(why, condition->text) != NULL && strstr(why, what) == why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct condition condition;
    char *text = malloc(size + 1);
    int status;

    if (result.response.counts == NULL) {
        assert(load_result_open(&result) == 0);
        histogram_record_many(&result.response, 2000000, 1000);
        result.elapsed = 1;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    status = condition_parse(&condition, text);
    assert(status == 0 || (status == PARLEY_USAGE && strchr(parley_error(), '\n') == NULL));
    if (status == 0)
        ask(&condition);
    free(text);
    return 0;
}
