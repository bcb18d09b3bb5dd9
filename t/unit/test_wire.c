/* The cursor: what it reads and writes, where it stops, and that an error stays. */
#include "wire.h"
#include "unit.h"

START_TEST(integers_are_big_endian)
{
    uint8_t buf[15];
    struct wire w = wire_of(buf, sizeof(buf));
    wire_put_u8(&w, 0x01);
    wire_put_u16(&w, 0x0203);
    wire_put_u32(&w, 0x04050607);
    wire_put_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
    ck_assert(!w.error);
    for (unsigned i = 0; i < sizeof(buf); i++)
        ck_assert_uint_eq(buf[i], i + 1);

    w = wire_of(buf, sizeof(buf));
    ck_assert_uint_eq(wire_get_u8(&w), 0x01);
    ck_assert_uint_eq(wire_get_u16(&w), 0x0203);
    ck_assert_uint_eq(wire_get_u32(&w), 0x04050607);
    ck_assert_uint_eq(wire_get_u64(&w), UINT64_C(0x08090a0b0c0d0e0f));
    ck_assert(!w.error && wire_left(&w) == 0 && wire_done(&w) == sizeof(buf));
}
END_TEST

START_TEST(an_error_stays_and_moves_nothing)
{
    uint8_t buf[3] = {1, 2, 3};
    struct wire w = wire_of(buf, sizeof(buf));
    ck_assert_uint_eq(wire_get_u32(&w), 0);
    ck_assert(w.error);
    ck_assert_uint_eq(wire_get_u8(&w), 0);
    ck_assert_ptr_null(wire_take(&w, 0));
    wire_put_u8(&w, 9);
    ck_assert_uint_eq(wire_done(&w), 0);
    ck_assert_uint_eq(buf[0], 1);
}
END_TEST

START_TEST(writing_stops_at_the_end)
{
    uint8_t buf[5] = {0};
    struct wire w = wire_of(buf, 4);
    wire_put_cstring(&w, "abc", 3);
    ck_assert(!w.error);
    wire_put_u8(&w, 9);
    ck_assert(w.error);
    ck_assert_uint_eq(buf[4], 0);
    w = wire_of(buf, 3);
    wire_put_cstring(&w, "abc", 3);
    ck_assert(w.error);
}
END_TEST

/* The string's octets, in a block of exactly that size, read with `max`: its length, or -1. */
static int cstring_length(const void *octets, size_t n, size_t max)
{
    uint8_t *block = malloc(n ? n : 1);
    size_t len;
    memcpy(block, octets, n);
    struct wire w = wire_of(block, n);
    const uint8_t *at = wire_get_cstring(&w, max, &len);
    ck_assert_int_eq(at == NULL, w.error);
    ck_assert_uint_eq(wire_done(&w), at ? len + 1 : 0);
    free(block);
    return at ? (int)len : -1;
}

START_TEST(strings_end_within_max_and_within_the_buffer)
{
    ck_assert_int_eq(cstring_length("abc", 4, 4), 3);
    ck_assert_int_eq(cstring_length("abc", 4, 100), 3);
    ck_assert_int_eq(cstring_length("abc", 4, 3), -1);
    ck_assert_int_eq(cstring_length("abc", 3, 100), -1);
    ck_assert_int_eq(cstring_length("", 1, 1), 0);
    ck_assert_int_eq(cstring_length("", 1, 0), -1);
    ck_assert_int_eq(cstring_length("", 0, 21), -1);
}
END_TEST

START_TEST(a_huge_length_takes_nothing)
{
    uint8_t buf[4] = {0};
    struct wire w = wire_of(buf, sizeof(buf));
    ck_assert_ptr_null(wire_take(&w, SIZE_MAX));
    ck_assert(w.error);
}
END_TEST

int main(void)
{
    return UNIT_RUN("wire", integers_are_big_endian, an_error_stays_and_moves_nothing, writing_stops_at_the_end,
                    strings_end_within_max_and_within_the_buffer, a_huge_length_takes_nothing);
}
