/* The token bucket on a clock that the test moves. */
#include <check.h>
#include <stdlib.h>

#include "throttle.h"

static unsigned take_all(struct throttle *t, uint64_t now_ms)
{
    unsigned n = 0;
    while (n < 100000 && throttle_take(t, now_ms))
        n++;
    return n;
}

START_TEST(no_limit)
{
    struct throttle t;
    throttle_init(&t, 0, 1000);
    ck_assert_uint_eq(take_all(&t, 1000), 100000);
    ck_assert_uint_eq(throttle_next_ms(&t, 1000), 1000);
}
END_TEST

START_TEST(rate_is_held)
{
    static const unsigned rates[] = {1, 7, 50, 100, 1000, 20000};
    unsigned rate = rates[_i], n = 0;
    struct throttle t;
    throttle_init(&t, rate, 5000);
    for (uint64_t now = 5000; now < 15000; now++)
        n += take_all(&t, now);
    ck_assert_uint_ge(n + 1 + rate / 1000, 10 * rate);
    ck_assert_uint_le(n, 10 * rate + 1 + rate / 50);
}
END_TEST

START_TEST(idle_time_is_not_saved_up)
{
    struct throttle t;
    throttle_init(&t, 1000, 0);
    take_all(&t, 0);
    ck_assert_uint_eq(take_all(&t, 3600000), 20);
}
END_TEST

START_TEST(next_is_when_a_token_is_there)
{
    struct throttle t;
    uint64_t now = 77;
    throttle_init(&t, 3, now);
    for (int i = 0; i < 20; i++) {
        ck_assert(throttle_take(&t, now));
        ck_assert(!throttle_take(&t, now));
        uint64_t next = throttle_next_ms(&t, now);
        ck_assert_uint_gt(next, now);
        ck_assert_uint_le(next, now + 335);
        now = next;
    }
}
END_TEST

START_TEST(clock_that_stands_or_goes_back)
{
    struct throttle t;
    throttle_init(&t, 10, 1000);
    ck_assert(throttle_take(&t, 1000));
    ck_assert(!throttle_take(&t, 500));
    ck_assert(!throttle_take(&t, 1000));
    ck_assert(throttle_take(&t, 1100));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("throttle");
    TCase *tc = tcase_create("bucket");
    tcase_add_test(tc, no_limit);
    tcase_add_loop_test(tc, rate_is_held, 0, 6);
    tcase_add_test(tc, idle_time_is_not_saved_up);
    tcase_add_test(tc, next_is_when_a_token_is_there);
    tcase_add_test(tc, clock_that_stands_or_goes_back);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
