/* Canonical message ids: what is written differently and is the same. */
#include "receipt_id.h"

#include <string.h>

#include "unit.h"

static void expect(const char *id, enum receipt_id_base base, const char *canonical)
{
    char to[RECEIPT_ID_MAX];
    size_t n = receipt_id_canonical(id, strlen(id), base, to);
    ck_assert_msg(n == strlen(canonical) && memcmp(to, canonical, n) == 0, "%s: %.*s, not %s", id, (int)n, to,
                  canonical);
}

START_TEST(text_ids)
{
    expect("abc", RECEIPT_ID_TEXT, "abc");
    expect("AbC-9", RECEIPT_ID_TEXT, "abc-9");
    expect(" \t00aB\r\n", RECEIPT_ID_TEXT, "ab");
    expect("0", RECEIPT_ID_TEXT, "0");
    expect("000", RECEIPT_ID_TEXT, "0");
    expect("", RECEIPT_ID_TEXT, "0");
    expect("0x1F", RECEIPT_ID_TEXT, "x1f");
    expect("a b", RECEIPT_ID_TEXT, "a b");
}
END_TEST

START_TEST(decimal_ids)
{
    expect("10", RECEIPT_ID_DECIMAL, "a");
    expect("0010", RECEIPT_ID_DECIMAL, "a");
    expect("0", RECEIPT_ID_DECIMAL, "0");
    expect("4294967296", RECEIPT_ID_DECIMAL, "100000000");
    expect("18446744073709551616", RECEIPT_ID_DECIMAL, "10000000000000000");
    expect("340282366920938463463374607431768211455", RECEIPT_ID_DECIMAL, "ffffffffffffffffffffffffffffffff");
    expect("12ab", RECEIPT_ID_DECIMAL, "12ab"); /* no number: as it is */
}
END_TEST

START_TEST(hexadecimal_ids)
{
    expect("0A", RECEIPT_ID_HEX, "a");
    expect("0xFF", RECEIPT_ID_HEX, "ff");
    expect("0X00fF", RECEIPT_ID_HEX, "ff");
    expect("0x", RECEIPT_ID_HEX, "x");
    expect("xyz", RECEIPT_ID_HEX, "xyz");
}
END_TEST

START_TEST(long_ids)
{
    char id[RECEIPT_ID_MAX + 1], to[RECEIPT_ID_MAX];
    memset(id, '9', sizeof(id));
    ck_assert_uint_eq(receipt_id_canonical(id, sizeof(id), RECEIPT_ID_TEXT, to), 0);
    ck_assert_uint_eq(receipt_id_canonical(id, RECEIPT_ID_MAX, RECEIPT_ID_DECIMAL, to), RECEIPT_ID_MAX);
    /* 128 nines have 426 bits: 107 hexadecimal digits */
    ck_assert_uint_eq(receipt_id_canonical(id, 128, RECEIPT_ID_DECIMAL, to), 107);
    ck_assert_int_eq(to[106], 'f');
}
END_TEST

int main(void)
{
    return UNIT_RUN("receipt_id", text_ids, decimal_ids, hexadecimal_ids, long_ids);
}
