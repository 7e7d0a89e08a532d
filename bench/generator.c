/* A closed-loop load client: every answer is followed by the next message of its connection.
 *
 * With --marks it stops after the warm-up, with nothing in flight, prints `ready`, and then makes one
 * measured run for each line it reads, until the end of its input, on the same connections, with nothing in
 * flight between them. Whoever reads the server's CPU time before and after a run has the cost of exactly the
 * messages that are reported. */
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGEST_RUN = 64 * 1024 * 1024 };

struct options {
    long port, connections, size, depth;
    double seconds, warmup;
    const char *mode;
    bool marks;
};

static const char *const mode_names[] = {"pingpong", "churn", "idle"};

static const struct option long_options[] = {
    {"port", required_argument, NULL, 'p'},
    {"connections", required_argument, NULL, 'c'},
    {"size", required_argument, NULL, 's'},
    {"depth", required_argument, NULL, 'd'},
    {"seconds", required_argument, NULL, 't'},
    {"warmup", required_argument, NULL, 'w'},
    {"mode", required_argument, NULL, 'm'},
    {"marks", no_argument, NULL, 'M'},
    {0},
};

static void usage(void)
{
    fputs("usage: generator --port PORT [--mode pingpong|churn|idle] [--connections 50] [--size 64] [--depth "
          "1]\n"
          "                 [--seconds 1] [--warmup 0.2] [--marks]\n",
          stderr);
    exit(2);
}

static struct options parse_options(int argc, char **argv)
{
    struct options options = {.connections = 50,
                              .size = 64,
                              .depth = 1,
                              .seconds = 1,
                              .warmup = 0.2,
                              .mode = mode_names[TRAFFIC_PINGPONG]};
    int letter;
    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (letter) {
        case 'p': options.port = atol(optarg); break;
        case 'c': options.connections = atol(optarg); break;
        case 's': options.size = atol(optarg); break;
        case 'd': options.depth = atol(optarg); break;
        case 't': options.seconds = atof(optarg); break;
        case 'w': options.warmup = atof(optarg); break;
        case 'm': options.mode = optarg; break;
        case 'M': options.marks = true; break;
        default: usage();
        }
    }
    return options;
}

static bool parse_mode(const char *name, enum traffic_mode *mode)
{
    for (unsigned i = 0; i < sizeof mode_names / sizeof *mode_names; i++) {
        if (strcmp(name, mode_names[i]) == 0) {
            *mode = (enum traffic_mode)i;
            return true;
        }
    }
    return false;
}

static struct traffic plan(const struct options *options)
{
    struct traffic traffic = {
        .server = {.sin_family = AF_INET,
                   .sin_port = htons((unsigned short)options->port),
                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
        .count = (unsigned)options->connections,
        .size = (size_t)options->size,
        .depth = (unsigned)options->depth,
    };
    if (!parse_mode(options->mode, &traffic.mode) || options->port <= 0 || options->port > 65535 ||
        options->connections <= 0 || options->size <= 0 || options->depth <= 0 ||
        options->size > LARGEST_RUN / options->depth || options->seconds <= 0)
        usage();
    if (traffic.mode == TRAFFIC_CHURN)
        traffic.depth = 1;
    return traffic;
}

/* False at the end of the input. */
static bool wait_for_line(void)
{
    int letter = 0;
    while (letter != '\n' && letter != EOF)
        letter = getchar();
    return letter != EOF;
}

static double microseconds(const struct traffic *traffic, double quantile)
{
    return (double)histogram_quantile(&traffic->latencies, quantile) / 1000;
}

static void print_result(const struct traffic *traffic, double seconds)
{
    printf("mode=%s connections=%u size=%zu depth=%u messages=%llu seconds=%.6f rate=%.1f errors=%llu "
           "bytes_out=%llu bytes_back=%llu p50_us=%.2f p99_us=%.2f\n",
           mode_names[traffic->mode], traffic->count, traffic->size, traffic->depth,
           (unsigned long long)traffic->messages, seconds,
           seconds > 0 ? (double)traffic->messages / seconds : 0, (unsigned long long)traffic->errors,
           (unsigned long long)traffic->bytes_out, (unsigned long long)traffic->bytes_back,
           microseconds(traffic, 0.50), microseconds(traffic, 0.99));
    fflush(stdout);
}

static void warm_up(struct traffic *traffic, const struct options *options)
{
    traffic->verifying = true;
    if (traffic->mode != TRAFFIC_IDLE && options->warmup > 0)
        traffic_run(traffic, options->warmup);
    traffic->verifying = false;
    traffic_reset(traffic);
}

static double measure(struct traffic *traffic, const struct options *options)
{
    if (traffic->mode == TRAFFIC_IDLE)
        return 0;
    uint64_t start = clock_now();
    traffic_run(traffic, options->seconds);
    return (double)(clock_now() - start) / 1e9;
}

/* False if any answer was wrong or missing. */
static bool measure_by_line(struct traffic *traffic, const struct options *options)
{
    bool right = true;
    while (wait_for_line()) {
        print_result(traffic, measure(traffic, options));
        right = right && traffic->errors == 0;
        traffic_reset(traffic);
    }
    return right;
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);
    struct traffic traffic = plan(&options);
    if (!traffic_open(&traffic)) {
        fprintf(stderr, "generator: the first exchange with port %ld failed: %s\n", options.port,
                strerror(errno));
        return 1;
    }
    warm_up(&traffic, &options);
    if (!options.marks) {
        print_result(&traffic, measure(&traffic, &options));
        if (traffic.mode == TRAFFIC_IDLE)
            wait_for_line();
        return traffic.errors > 0 ? 3 : 0;
    }
    puts("ready");
    fflush(stdout);
    return measure_by_line(&traffic, &options) ? 0 : 3;
}
