/* The message list's names, and BIND_STATE's body: there and back, and refused when it is not exactly one. */
#include <check.h>
#include <stdlib.h>

#include "msg.h"

static size_t put(uint8_t *to, size_t cap)
{
    struct msg_bind_state state = {.bind = 70000,
                                   .up = 1,
                                   .bind_type = 2,
                                   .notify = 1,
                                   .system_id = "SMSC-EU-16-octet",
                                   .addr = "[2001:db8::1]:2775"};
    struct wire w = wire_of(to, cap);
    msg_put_bind_state(&w, &state);
    return w.error ? 0 : wire_done(&w);
}

START_TEST(names)
{
    ck_assert_str_eq(msg_type_name(MSG_ADOPT), "ADOPT");
    ck_assert_str_eq(msg_type_name(MSG_DELIVER_DONE), "DELIVER_DONE");
    ck_assert_str_eq(msg_type_name(MSG_TYPE_COUNT), "unknown");
}
END_TEST

START_TEST(bind_state_round_trip)
{
    uint8_t buf[128];
    size_t len = put(buf, sizeof(buf));
    ck_assert_uint_gt(len, 0);
    struct wire w = wire_of(buf, len);
    struct msg_bind_state got;
    ck_assert_int_eq(msg_get_bind_state(&w, &got), 0);
    ck_assert_uint_eq(got.bind, 70000);
    ck_assert_uint_eq(got.up, 1);
    ck_assert_uint_eq(got.bind_type, 2);
    ck_assert_uint_eq(got.notify, 1);
    ck_assert_str_eq(got.system_id, "SMSC-EU-16-octet");
    ck_assert_str_eq(got.addr, "[2001:db8::1]:2775");
}
END_TEST

START_TEST(bind_state_of_any_other_length_is_refused)
{
    uint8_t buf[128] = {0};
    struct msg_bind_state got;
    size_t len = put(buf, sizeof(buf));
    for (size_t n = 0; n < len; n++) {
        struct wire w = wire_of(buf, n);
        ck_assert_int_eq(msg_get_bind_state(&w, &got), -1);
    }
    struct wire w = wire_of(buf, len + 1);
    ck_assert_int_eq(msg_get_bind_state(&w, &got), -1);
}
END_TEST

START_TEST(bind_state_with_a_string_too_long_is_refused)
{
    uint8_t buf[128] = {0};
    memset(buf + 7, 'x', 17);
    struct wire w = wire_of(buf, 7 + 17 + 2);
    struct msg_bind_state got;
    ck_assert_int_eq(msg_get_bind_state(&w, &got), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("msg");
    TCase *tc = tcase_create("msg");
    tcase_add_test(tc, names);
    tcase_add_test(tc, bind_state_round_trip);
    tcase_add_test(tc, bind_state_of_any_other_length_is_refused);
    tcase_add_test(tc, bind_state_with_a_string_too_long_is_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
