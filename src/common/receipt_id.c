/* Canonical message ids. */
#include "receipt_id.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LIMBS 16 /* of 32 bits: more than a decimal number of DIGITS_MAX digits has */
#define DIGITS_MAX 128

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool all_digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_digit(p[i]))
            return false;
    return n > 0;
}

static size_t lower(const char *p, size_t n, char *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
    return n;
}

/* number = 10 * number + digit */
static void add_digit(uint32_t number[LIMBS], unsigned digit)
{
    uint64_t carry = digit;
    for (int i = 0; i < LIMBS; i++) {
        carry += 10 * (uint64_t)number[i];
        number[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static size_t decimal_to_hex(const char *p, size_t n, char *to)
{
    uint32_t number[LIMBS] = {0};
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        add_digit(number, (unsigned)(p[i] - '0'));
    for (int shift = 32 * LIMBS - 4; shift >= 0; shift -= 4) {
        unsigned nibble = number[shift / 32] >> (shift % 32) & 15;
        if (len || nibble)
            to[len++] = "0123456789abcdef"[nibble];
    }
    return len;
}

size_t receipt_id_canonical(const char *id, size_t len, enum receipt_id_base base, char to[RECEIPT_ID_MAX])
{
    for (; len && is_blank(id[0]); len--)
        id++;
    while (len && is_blank(id[len - 1]))
        len--;
    if (len > RECEIPT_ID_MAX)
        return 0;
    if (base == RECEIPT_ID_HEX && len > 2 && id[0] == '0' && (id[1] == 'x' || id[1] == 'X')) {
        id += 2;
        len -= 2;
    }
    for (; len && id[0] == '0'; len--)
        id++;
    if (len == 0) {
        to[0] = '0';
        return 1;
    }
    if (base == RECEIPT_ID_DECIMAL && len <= DIGITS_MAX && all_digits(id, len))
        return decimal_to_hex(id, len, to);
    return lower(id, len, to);
}
