/* The table of unanswered requests: lists, sequence numbers, tickets. */
#include <check.h>
#include <stdlib.h>

#include "pending.h"

static struct pendings t;

static void setup(void)
{
    pending_init(&t);
}

static void teardown(void)
{
    pending_clear(&t);
}

static struct pending *add_numbered(uint32_t sequence)
{
    struct pending *p = pending_add(&t, PENDING_WIRE);
    ck_assert(pending_sequence_free(&t, sequence));
    pending_number(&t, p, sequence);
    return p;
}

START_TEST(found_by_sequence_in_any_order)
{
    for (uint32_t i = 1; i <= 1000; i++)
        add_numbered(i)->arg = (void *)(uintptr_t)i;
    for (uint32_t k = 0; k < 1000; k++) {
        uint32_t sequence = k * 7 % 1000 + 1; /* each once */
        struct pending *p = pending_by_sequence(&t, sequence);
        ck_assert_ptr_nonnull(p);
        ck_assert_ptr_eq(p->arg, (void *)(uintptr_t)sequence);
        pending_move(&t, p, PENDING_FREE);
        ck_assert_ptr_null(pending_by_sequence(&t, sequence));
    }
    ck_assert_uint_eq(pending_count(&t, PENDING_WIRE), 0);
    ck_assert_ptr_null(pending_by_sequence(&t, 0));
}
END_TEST

START_TEST(empty_table_finds_nothing)
{
    ck_assert_ptr_null(pending_by_sequence(&t, 1));
    ck_assert_ptr_null(pending_by_ticket(&t, 1));
    ck_assert_ptr_null(pending_by_ticket(&t, 0));
    ck_assert_ptr_null(pending_first(&t, PENDING_WIRE));
}
END_TEST

/* An old request keeps its number while billions of others pass. */
START_TEST(number_in_use_is_skipped)
{
    add_numbered(5);
    uint32_t skipped = 0, sequence = 5;
    for (int i = 0; i < 10000; i++) {
        do {
            sequence++;
            skipped += !pending_sequence_free(&t, sequence);
        } while (!pending_sequence_free(&t, sequence));
        pending_move(&t, add_numbered(sequence), PENDING_FREE);
    }
    ck_assert_uint_gt(skipped, 0);
    ck_assert_uint_lt(skipped, 1000);
    ck_assert_ptr_nonnull(pending_by_sequence(&t, 5));
}
END_TEST

START_TEST(ticket_of_a_reused_entry_is_void)
{
    struct pending *p = pending_add(&t, PENDING_QUEUED);
    uint64_t old = p->ticket;
    ck_assert_uint_gt(old, 0);
    ck_assert_ptr_eq(pending_by_ticket(&t, old), p);
    pending_move(&t, p, PENDING_FREE);
    ck_assert_ptr_null(pending_by_ticket(&t, old));
    for (int i = 0; i < 100; i++)
        pending_add(&t, PENDING_QUEUED);
    ck_assert_ptr_null(pending_by_ticket(&t, old));
    ck_assert_ptr_null(pending_by_ticket(&t, UINT64_MAX));
}
END_TEST

START_TEST(lists_keep_their_order)
{
    uint64_t tickets[100];
    for (int i = 0; i < 100; i++)
        tickets[i] = pending_add(&t, PENDING_QUEUED)->ticket;
    for (int i = 0; i < 100; i += 3)
        pending_move(&t, pending_by_ticket(&t, tickets[i]), PENDING_EXPIRED);
    struct pending *p = pending_first(&t, PENDING_QUEUED), *e = pending_first(&t, PENDING_EXPIRED);
    for (int i = 0; i < 100; i++) {
        struct pending **at = i % 3 == 0 ? &e : &p;
        ck_assert_uint_eq((*at)->ticket, tickets[i]);
        *at = pending_next(&t, *at);
    }
    ck_assert_ptr_null(p);
    ck_assert_ptr_null(e);
    ck_assert_uint_eq(pending_count(&t, PENDING_QUEUED), 66);
    ck_assert_uint_eq(pending_count(&t, PENDING_EXPIRED), 34);
}
END_TEST

/* The pool does not grow while entries come and go. */
START_TEST(entries_are_used_again)
{
    for (uint32_t i = 1; i < 100000; i++)
        pending_move(&t, add_numbered(i), PENDING_FREE);
    ck_assert_uint_le(t.pool_size, 16);
    ck_assert_uint_le(t.size, 32);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pending");
    TCase *tc = tcase_create("table");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, found_by_sequence_in_any_order);
    tcase_add_test(tc, empty_table_finds_nothing);
    tcase_add_test(tc, number_in_use_is_skipped);
    tcase_add_test(tc, ticket_of_a_reused_entry_is_void);
    tcase_add_test(tc, lists_keep_their_order);
    tcase_add_test(tc, entries_are_used_again);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
