/* A token bucket. Tokens are counted up when one is asked for, so an idle bucket costs nothing. */
#include "throttle.h"

void throttle_init(struct throttle *t, unsigned per_second, uint64_t now_ms)
{
    t->per_ms = per_second / 1000.0;
    t->burst = per_second > 50 ? per_second / 50.0 : 1.0;
    t->tokens = 1.0;
    t->at_ms = now_ms;
}

static double tokens_at(const struct throttle *t, uint64_t now_ms)
{
    if (now_ms <= t->at_ms)
        return t->tokens;
    double tokens = t->tokens + (double)(now_ms - t->at_ms) * t->per_ms;
    return tokens < t->burst ? tokens : t->burst;
}

bool throttle_take(struct throttle *t, uint64_t now_ms)
{
    if (t->per_ms <= 0)
        return true;
    double tokens = tokens_at(t, now_ms);
    if (now_ms > t->at_ms)
        t->at_ms = now_ms;
    t->tokens = tokens < 1.0 ? tokens : tokens - 1.0;
    return tokens >= 1.0;
}

uint64_t throttle_next_ms(const struct throttle *t, uint64_t now_ms)
{
    double tokens = tokens_at(t, now_ms);
    if (t->per_ms <= 0 || tokens >= 1.0)
        return now_ms;
    return now_ms + 1 + (uint64_t)((1.0 - tokens) / t->per_ms);
}
