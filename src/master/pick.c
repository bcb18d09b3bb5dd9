/* The choices the master makes: workers by load and by hash, waiting times. */
#include "pick.h"

int pick_fewest(const bool *up, const unsigned *load, unsigned n)
{
    int best = -1;
    for (unsigned i = 0; i < n; i++)
        if (up[i] && (best == -1 || load[i] < load[best]))
            best = (int)i;
    return best;
}

static uint32_t fnv1a(uint32_t hash, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 16777619u;
    return hash;
}

uint32_t pick_pair_hash(const void *source, size_t source_len, const void *destination, size_t destination_len)
{
    uint32_t hash = fnv1a(2166136261u, source, source_len);
    hash = fnv1a(hash, "", 1); /* "1","23" is not "12","3" */
    return fnv1a(hash, destination, destination_len);
}

/* Mixes all bits (the finalizer of MurmurHash3). */
static uint32_t mix(uint32_t h)
{
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

/* The highest weight wins, so that one that goes or comes moves only its own pairs. */
int pick_by_hash(const bool *up, unsigned n, uint32_t hash)
{
    int best = -1;
    uint32_t best_weight = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t weight = up[i] ? mix(hash ^ mix(i + 1)) : 0;
        if (up[i] && (best == -1 || weight > best_weight)) {
            best = (int)i;
            best_weight = weight;
        }
    }
    return best;
}

unsigned pick_backoff(unsigned attempt, unsigned min_ms, unsigned max_ms, uint32_t random)
{
    uint64_t base = min_ms;
    while (attempt-- > 0 && base < max_ms)
        base *= 2;
    if (base > max_ms)
        base = max_ms;
    uint64_t low = base - base / 4, high = base + base / 4;
    low = low < min_ms ? min_ms : low;
    high = high > max_ms ? max_ms : high;
    return (unsigned)(high > low ? low + random % (high - low + 1) : high);
}
