/* Whatever a file holds: a sentence, or a result that every output can be written of, that can be merged, and
 * that is the same when it is read again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <parley.h>

#include "report/json.h"
#include "load/merge.h"
#include "report/table.h"

static int read_back(struct load_result *into, const void *bytes, size_t size)
{
    char path[64];
    int fd = memfd_create("result", 0);

    assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert(load_result_open(into) == 0);
    int status = load_json_read(into, path);
    close(fd);
    return status;
}

static char *written(int (*write)(const struct load_result *, FILE *), const struct load_result *result)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert(write(result, out) == 0);
    fclose(out);
    return text;
}

static void check(struct load_result *result)
{
    struct load_result again;
    char *text = written(load_json_write, result), *same;

    assert(read_back(&again, text, strlen(text)) == 0);
    same = written(load_json_write, &again);
    assert(strcmp(text, same) == 0);
    free(same);
    free(text);
    assert(load_merge(result, &again) == 0);
    free(written(load_json_write, result));
    free(written(load_table_print, result));
    free(written(load_csv_print, result));
    load_result_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct load_result result;

    if (read_back(&result, data, size) == 0)
        check(&result);
    else
        assert(strchr(parley_error(), '\n') == NULL);
    load_result_close(&result);
    return 0;
}
