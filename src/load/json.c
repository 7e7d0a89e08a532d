#include "load/json.h"
#include "engine/error.h"

int load_json_write(const struct load_result *result, FILE *out)
{
    fprintf(out, "{\"schema\": \"" LOAD_JSON_SCHEMA "\", \"valid\": %s}\n", result->valid ? "true" : "false");
    return 0;
}

int load_json_write_interval(const struct load_interval *interval, FILE *out)
{
    fprintf(out, "{\"start\": %.3f}\n", interval->start);
    return 0;
}

int load_json_read(struct load_result *into, const char *path)
{
    (void)into;
    return fail(PARLEY_USAGE, "%s: results cannot be read yet", path);
}
