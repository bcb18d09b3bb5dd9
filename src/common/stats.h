/* Counters in shared memory: each worker writes its own block, the master reads all. No lock: one writer each. */
#ifndef SMSCD_STATS_H
#define SMSCD_STATS_H

#include <stdint.h>

/* X(name, help) */
#define STATS_COUNTERS(X)                                                                                              \
    X(submit_sm_in, "submit_sm received from ESMEs")                                                                   \
    X(deliver_sm_in, "deliver_sm received from upstreams and handed to the script")                                    \
    X(submit_sm_out, "submit_sm sent upstream")                                                                        \
    X(deliver_sm_out, "deliver_sm sent to ESMEs")                                                                      \
    X(throttled, "requests answered ESME_RTHROTTLED or ESME_RX_T_APPN at a limit")                                     \
    X(handler_errors, "handlers that raised, timed out or returned something else than a reply")                       \
    X(default_ok, "messages acknowledged ESME_ROK because no handler was registered")                                  \
    X(late_replies, "replies dropped because the session had gone")                                                    \
    X(receipts_unmatched, "receipts that came before their message was remembered")                                    \
    X(receipts_duplicate, "receipts that came again after the final one")

struct stats_block {
    uint64_t heartbeat_ms; /* util_now_ms() of the last turn of the loop */
#define X(name, help) uint64_t name;
    STATS_COUNTERS(X)
#undef X
} __attribute__((aligned(64)));

/* n blocks of zeroes shared with children forked afterwards; aborts when there is no memory. */
struct stats_block *stats_map(unsigned n);

static inline void stats_add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}
static inline uint64_t stats_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
