/* Runs and prints the rows of the micro-benchmarks. */
#include "micro.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(text)
#endif

enum { RUNS = 15, RUN_NS = 10000000, COUNTED = 256 };

static const char *wanted = "";

void micro_init(int argc, char **argv)
{
    if (argc > 1)
        wanted = argv[1];
    setvbuf(stdout, NULL, _IOLBF, 0);
}

void micro_die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static double timed(micro_fn *fn, void *arg, unsigned n)
{
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    fn(arg, n);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The number of times and the row's text go into the dump, where t/bench/instructions finds them. */
static void count_instructions(const char *title, micro_fn *fn, void *arg)
{
    char text[160];
    snprintf(text, sizeof(text), "%d %s", COUNTED, title);
    fn(arg, COUNTED);
    CALLGRIND_ZERO_STATS;
    fn(arg, COUNTED);
    CALLGRIND_DUMP_STATS_AT(text);
}

static void measure_time(const char *title, micro_fn *fn, void *arg)
{
    double ns[RUNS];
    unsigned n = 1;
    while (timed(fn, arg, n) < RUN_NS && n < 1u << 30)
        n *= 2;
    for (unsigned i = 0; i < RUNS; i++)
        ns[i] = timed(fn, arg, n) / n;
    qsort(ns, RUNS, sizeof(*ns), by_value);
    printf("%-62s %10.1f ns  (%.1f - %.1f)\n", title, ns[RUNS / 2], ns[0], ns[RUNS - 1]);
}

void micro(const char *group, const char *name, micro_fn *fn, void *arg)
{
    char title[128];
    snprintf(title, sizeof(title), "%-8s %s", group, name);
    if (!strstr(title, wanted))
        return;
    if (RUNNING_ON_VALGRIND)
        count_instructions(title, fn, arg);
    else
        measure_time(title, fn, arg);
}
