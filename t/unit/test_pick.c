/* The master's choices: the least loaded worker, the worker of a pair of addresses, how long to wait. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "master/pick.h"

START_TEST(fewest_of_those_that_are_up)
{
    const unsigned load[] = {5, 2, 1, 2};
    ck_assert_int_eq(pick_fewest((const bool[]){true, true, true, true}, load, 4), 2);
    ck_assert_int_eq(pick_fewest((const bool[]){true, true, false, true}, load, 4), 1);
    ck_assert_int_eq(pick_fewest((const bool[]){true, false, false, false}, load, 4), 0);
    ck_assert_int_eq(pick_fewest((const bool[]){false, false, false, false}, load, 4), -1);
    ck_assert_int_eq(pick_fewest(NULL, NULL, 0), -1);
}
END_TEST

static uint32_t hash_of(const char *source, const char *destination)
{
    return pick_pair_hash(source, strlen(source), destination, strlen(destination));
}

START_TEST(a_pair_has_its_own_hash)
{
    ck_assert_uint_eq(hash_of("4917", "4930"), hash_of("4917", "4930"));
    ck_assert_uint_ne(hash_of("4917", "4930"), hash_of("4930", "4917"));
    ck_assert_uint_ne(hash_of("1", "23"), hash_of("12", "3"));
}
END_TEST

START_TEST(only_pairs_of_the_one_that_goes_move)
{
    const bool all[] = {true, true, true, true}, fewer[] = {true, true, false, true};
    unsigned counts[4] = {0}, moved = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        int before = pick_by_hash(all, 4, i * 2654435761u);
        int after = pick_by_hash(fewer, 4, i * 2654435761u);
        ck_assert_int_ge(before, 0);
        ck_assert_int_ne(after, 2);
        counts[before]++;
        if (before != 2)
            ck_assert_int_eq(after, before);
        else
            moved++;
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_gt(counts[i], 800);
        ck_assert_uint_lt(counts[i], 1200);
    }
    ck_assert_uint_eq(moved, counts[2]);
}
END_TEST

START_TEST(nobody_up_is_nobody)
{
    ck_assert_int_eq(pick_by_hash((const bool[]){false, false}, 2, 7), -1);
    ck_assert_int_eq(pick_by_hash((const bool[]){false, true}, 2, 7), 1);
}
END_TEST

START_TEST(backoff_grows_and_stays_within)
{
    const uint32_t randoms[] = {0, 1, 0x7fffffff, 0xffffffff};
    for (unsigned attempt = 0; attempt < 100; attempt++)
        for (size_t r = 0; r < 4; r++) {
            unsigned wait = pick_backoff(attempt, 1000, 60000, randoms[r]);
            ck_assert_uint_ge(wait, 1000);
            ck_assert_uint_le(wait, 60000);
            if (attempt == 3)
                ck_assert(wait >= 6000 && wait <= 10000);
            if (attempt >= 6)
                ck_assert_uint_ge(wait, 45000);
        }
}
END_TEST

START_TEST(backoff_has_jitter_at_both_ends)
{
    ck_assert_uint_ne(pick_backoff(0, 1000, 60000, 0), pick_backoff(0, 1000, 60000, 100));
    ck_assert_uint_ne(pick_backoff(50, 1000, 60000, 0), pick_backoff(50, 1000, 60000, 100));
    ck_assert_uint_eq(pick_backoff(5, 1000, 1000, 77), 1000);
    ck_assert_uint_eq(pick_backoff(5, 4000000000u, 4000000000u, 77), 4000000000u);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pick");
    TCase *tc = tcase_create("pick");
    tcase_add_test(tc, fewest_of_those_that_are_up);
    tcase_add_test(tc, a_pair_has_its_own_hash);
    tcase_add_test(tc, only_pairs_of_the_one_that_goes_move);
    tcase_add_test(tc, nobody_up_is_nobody);
    tcase_add_test(tc, backoff_grows_and_stays_within);
    tcase_add_test(tc, backoff_has_jitter_at_both_ends);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
