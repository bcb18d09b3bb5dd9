/* Percentiles of the log-linear histogram. */
#include "hist.h"

#include "util.h"

/* The largest value that falls into the bucket. */
static uint64_t bucket_end(unsigned index)
{
    if (index < HIST_SUB)
        return index;
    unsigned shift = index / HIST_SUB - 1;
    uint64_t low = (uint64_t)(index % HIST_SUB + HIST_SUB) << shift;
    return low + ((uint64_t)1 << shift) - 1;
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
    uint64_t below = 0;
    double wanted = percent / 100 * (double)h->count;
    for (unsigned i = 0; h->count && i < ARRAY_LEN(h->buckets); i++) {
        below += h->buckets[i];
        if (below && (double)below >= wanted)
            return bucket_end(i) < h->max ? bucket_end(i) : h->max;
    }
    return h->max;
}
