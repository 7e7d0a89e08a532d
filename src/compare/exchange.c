/* How each built-in service is talked to. */
#include <string.h>

#include "compare/compare.h"

static const struct exchange exchanges[] = {
    {.service = "echo", .reply = REPLY_BYTES, .verify = true},
    {.service = "upper", .reply = REPLY_BYTES},
    {.service = "greet", .reply = REPLY_END, .once = true},
    {.service = "hangup", .reply = REPLY_END, .once = true, .speaks_first = true},
    {.service = "discard", .reply = REPLY_NONE},
    {.service = "relay", .refusal = "it needs a target to forward to, which would be measured with it"},
    {.service = "chargen", .refusal = "it answers without end, so there is no exchange to measure"},
    {.service = "exec", .refusal = "what it answers is its program's matter; name it as a --peer"},
    {0},
};

const struct exchange *exchange_of(const char *service)
{
    for (const struct exchange *exchange = exchanges; exchange->service; exchange++)
        if (strcmp(exchange->service, service) == 0)
            return exchange;
    return NULL;
}

int64_t compare_warmup(const struct compare_plan *plan)
{
    enum { MOST = 500 };
    return plan->duration / 5 < MOST ? plan->duration / 5 : MOST;
}

static unsigned threads_for(const struct compare_plan *plan, const struct workload *workload)
{
    unsigned threads = plan->generator.count > 0 ? (unsigned)plan->generator.count : 1;
    return threads < workload->connections ? threads : workload->connections;
}

void compare_load_plan(const struct compare_plan *plan, const struct workload *workload,
                       struct load_plan *load)
{
    enum { PATIENCE = 5000 };
    const struct exchange *exchange = plan->exchange;
    bool churn = workload->churn || exchange->once;
    *load = (struct load_plan){
        .connections = workload->connections,
        .threads = threads_for(plan, workload),
        .depth = churn ? 1 : plan->depth,
        .duration = plan->duration,
        .warmup = compare_warmup(plan),
        .grace = PATIENCE,
        .connect_timeout = PATIENCE,
        .message = exchange->speaks_first ? "" : NULL,
        .size = exchange->speaks_first ? 0 : plan->size,
        .reply = exchange->reply,
        .reply_size = exchange->reply == REPLY_BYTES ? plan->size : 0,
        .verify = exchange->verify,
        .churn = churn,
        .processors = plan->generator.count > 0 ? plan->generator.list : NULL,
        .processor_count = plan->generator.count,
    };
}
