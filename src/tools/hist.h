/* A histogram of durations for percentiles: log-linear buckets, 128 to each power of two, so that a value
 * is known to within 1 %. Fixed size, nothing is allocated. */
#ifndef SMSCD_HIST_H
#define SMSCD_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 7
#define HIST_SUB (1u << HIST_SUB_BITS)

struct hist {
    uint64_t count, max;
    uint64_t buckets[(64 - HIST_SUB_BITS + 1) * HIST_SUB];
};

static inline unsigned hist_index(uint64_t v)
{
    if (v < HIST_SUB)
        return (unsigned)v;
    unsigned shift = 63u - (unsigned)__builtin_clzll(v) - HIST_SUB_BITS;
    return (shift + 1) * HIST_SUB + (unsigned)(v >> shift) - HIST_SUB;
}

static inline void hist_add(struct hist *h, uint64_t v)
{
    h->count++;
    h->buckets[hist_index(v)]++;
    if (v > h->max)
        h->max = v;
}

/* The value that percent of all are at or below (the upper end of its bucket, never above the maximum); 0 when empty.
 */
uint64_t hist_percentile(const struct hist *h, double percent);

#endif
