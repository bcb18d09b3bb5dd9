/* What smppload prints: the progress line while it runs, and the result. */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "util.h"

void load_count_status(struct load *load, uint32_t status)
{
    unsigned i = 0;
    while (i < LOAD_STATUSES_MAX - 1 && load->statuses[i].count && load->statuses[i].status != status)
        i++;
    load->statuses[i].status = status; /* the last place is for all that found none */
    load->statuses[i].count++;
}

uint64_t load_lost(const struct load *load)
{
    return load->n.lost_answers + load->n.lost_receipts;
}

void load_progress(struct load *load)
{
    if (load->o.quiet || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr,
            "\r%u bound, %" PRIu64 " sent (%" PRIu64 "/s), %" PRIu64 " unanswered, %" PRIu64
            " receipts to come, %" PRIu64 " errors\033[K",
            load->bound, load->n.sent, load->n.sent - load->last_sent, load->unanswered, load->awaited,
            load->n.refused);
    load->last_sent = load->n.sent;
}

static double seconds(const struct load *load)
{
    uint64_t end = load->last_ns > load->begun_ns ? load->last_ns : load->end_ns;
    return load->started && end > load->begun_ns ? (double)(end - load->begun_ns) / 1e9 : 0;
}

static double rate(const struct load *load)
{
    double s = load->sending_ended_ns > load->begun_ns ? (double)(load->sending_ended_ns - load->begun_ns) / 1e9
                                                       : seconds(load);
    return s > 0 ? (double)load->answers.count / s : 0;
}

static void status_name(uint32_t status, char *to, size_t cap)
{
    const char *name = smpp_status_name(status);
    if (name)
        snprintf(to, cap, "%s", name);
    else
        snprintf(to, cap, "0x%08" PRIx32, status);
}

static const double percents[] = {50, 90, 99, 99.9};

static void json_hist(const char *name, const struct hist *h)
{
    printf(", \"%s\": {\"count\": %" PRIu64, name, h->count);
    for (size_t i = 0; i < ARRAY_LEN(percents); i++)
        printf(", \"p%g\": %.1f", percents[i], (double)hist_percentile(h, percents[i]) / 1000);
    printf(", \"max\": %.1f}", (double)h->max / 1000);
}

static void report_json(const struct load *load)
{
    char name[40];
    printf("{\"seconds\": %.3f, \"rate\": %.1f", seconds(load), rate(load));
#define X(field, text) printf(", \"%s\": %" PRIu64, #field, load->n.field);
    LOAD_COUNTERS(X)
#undef X
    printf(", \"lost\": %" PRIu64, load_lost(load));
    json_hist("answer_us", &load->answers);
    json_hist("receipt_us", &load->receipt_times);
    json_hist("late_us", &load->lateness);
    printf(", \"errors\": {");
    for (unsigned i = 0; i < LOAD_STATUSES_MAX && load->statuses[i].count; i++) {
        status_name(load->statuses[i].status, name, sizeof(name));
        printf("%s\"%s\": %" PRIu64, i ? ", " : "", name, load->statuses[i].count);
    }
    printf("}}\n");
}

static void text_hist(const char *name, const struct hist *h)
{
    if (!h->count)
        return;
    printf("%-22s", name);
    for (size_t i = 0; i < ARRAY_LEN(percents); i++)
        printf(" p%g %.3f", percents[i], (double)hist_percentile(h, percents[i]) / 1e6);
    printf(" max %.3f ms\n", (double)h->max / 1e6);
}

static void report_text(const struct load *load)
{
    char name[40];
    printf("%.3f s, %.0f messages a second\n", seconds(load), rate(load));
#define X(field, text)                                                                                                 \
    if (load->n.field)                                                                                                 \
        printf("%10" PRIu64 " %s\n", load->n.field, text);
    LOAD_COUNTERS(X)
#undef X
    for (unsigned i = 0; i < LOAD_STATUSES_MAX && load->statuses[i].count; i++) {
        status_name(load->statuses[i].status, name, sizeof(name));
        printf("%10" PRIu64 " %s\n", load->statuses[i].count, name);
    }
    text_hist("submit to answer:", &load->answers);
    text_hist("submit to receipt:", &load->receipt_times);
    text_hist("due to submit:", &load->lateness);
}

void load_report(const struct load *load)
{
    if (!load->o.quiet && isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
    if (load->o.json)
        report_json(load);
    else
        report_text(load);
    fflush(stdout);
}
