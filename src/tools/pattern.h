/* Addresses and texts that differ from message to message: in "4479########" the run of # counts up, as
 * many digits as there are #. Only the last run counts. */
#ifndef SMSCD_PATTERN_H
#define SMSCD_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pattern {
    const char *text;
    size_t len, digits_at, digits; /* digits 0: the text is always the same */
};

static inline struct pattern pattern_of(const char *text)
{
    struct pattern p = {.text = text, .len = strlen(text)};
    const char *last = strrchr(text, '#');
    if (!last)
        return p;
    const char *first = last;
    while (first > text && first[-1] == '#')
        first--;
    p.digits_at = (size_t)(first - text);
    p.digits = (size_t)(last - first) + 1;
    return p;
}

/* Writes n in decimal, as many digits as there are; what does not fit is left away on the left. */
static inline void pattern_digits(uint8_t *to, size_t digits, uint64_t n)
{
    for (size_t i = digits; i-- > 0; n /= 10)
        to[i] = (uint8_t)('0' + n % 10);
}

/* Writes p->len octets, the text for number n. */
static inline void pattern_put(const struct pattern *p, uint64_t n, uint8_t *to)
{
    memcpy(to, p->text, p->len);
    pattern_digits(to + p->digits_at, p->digits, n);
}

/* Counts digits already written up by one. */
static inline void pattern_next(uint8_t *digits, size_t n)
{
    while (n-- > 0 && ++digits[n] > '9')
        digits[n] = '0';
}

#endif
