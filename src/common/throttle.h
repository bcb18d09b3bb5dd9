/* A token bucket: so many a second, evenly. */
#ifndef SMSCD_THROTTLE_H
#define SMSCD_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle {
    double per_ms; /* 0: no limit */
    double burst, tokens;
    uint64_t at_ms; /* when tokens was right */
};

/* What was not used in a fiftieth of a second is lost, so that any second sees at most 1.02 times the rate (and one).
 */
void throttle_init(struct throttle *t, unsigned per_second, uint64_t now_ms);
/* Takes a token; false when there is none. */
bool throttle_take(struct throttle *t, uint64_t now_ms);
/* When the next token is there: now_ms or later. */
uint64_t throttle_next_ms(const struct throttle *t, uint64_t now_ms);

#endif
