/* Log lines that a peer can cause: one in a while, the others are counted. */
#ifndef SMSCD_QUIET_H
#define SMSCD_QUIET_H

#include <stdbool.h>
#include <stdint.h>

#include "util.h"

struct quiet {
    uint64_t logged_ms; /* 0: never */
    unsigned skipped;   /* since then */
};

/* Whether a line may be written now; *skipped is then how many were not since the last. */
static inline bool quiet_may_log(struct quiet *q, unsigned every_ms, unsigned *skipped)
{
    uint64_t now = util_now_ms();
    if (q->logged_ms && now - q->logged_ms < every_ms) {
        q->skipped++;
        return false;
    }
    *skipped = q->skipped;
    *q = (struct quiet){.logged_ms = now};
    return true;
}

#endif
