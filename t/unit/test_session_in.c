/* The peer's requests: window, park, and what an owner may do while it handles one. */
#include "session_peer.h"

START_TEST(window_then_park_then_status_in_order)
{
    static uint8_t raw[200 * 100];
    size_t one = put(raw, SMPP_submit_sm, 1), len = 0;
    conf.park_bytes = 50 * one;
    bound_as(SESSION_SMSC, SESSION_TRX);
    for (uint32_t i = 1; i <= 100; i++)
        len += put(raw + len, SMPP_submit_sm, i);
    peer_sends(raw, len);
    peer_answers(SMPP_enquire_link, 0, 999);
    turns(2);
    ck_assert_uint_eq(seen.requests, 10);
    ck_assert_uint_eq(session_in_hand(s), 10);
    ck_assert_uint_eq(session_parked(s), 50);
    for (uint32_t i = 61; i <= 100; i++)
        expect(SMPP_submit_sm_resp, ESME_RTHROTTLED, i);
    expect(SMPP_enquire_link_resp, ESME_ROK, 999);
    /* One reply lets one in; what comes now waits behind those parked. */
    conf.park_bytes = 51 * one;
    session_reply_status(s, SMPP_submit_sm, ESME_ROK, 1);
    peer_puts(SMPP_submit_sm, 200);
    ev_feed_fd_event(loop, own_fd, EV_READ); /* read before the parked ones have their turn */
    turns(2);
    ck_assert_uint_eq(seen.requests, 11);
    ck_assert_uint_eq(session_parked(s), 50);
    seen.reply = true;
    for (uint32_t i = 2; i <= 11; i++)
        session_reply_status(s, SMPP_submit_sm, ESME_RSYSERR, i);
    turns(3);
    ck_assert_uint_eq(seen.requests, 61);
    ck_assert_uint_eq(session_in_hand(s), 0);
    ck_assert_uint_eq(session_parked(s), 0);
    for (uint32_t i = 0; i < 60; i++)
        ck_assert_uint_eq(seen.sequences[i], i + 1);
    ck_assert_uint_eq(seen.sequences[60], 200);
}
END_TEST

START_TEST(malformed_one_in_the_park)
{
    conf.window_in = 1;
    bound_as(SESSION_SMSC, SESSION_TRX);
    peer_puts(SMPP_submit_sm, 1);
    peer_answers(SMPP_submit_sm, 0, 2);
    peer_puts(SMPP_submit_sm, 3);
    turns(2);
    ck_assert_uint_eq(session_parked(s), 2);
    expect_nothing();
    session_reply_status(s, SMPP_submit_sm, ESME_ROK, 1);
    turns(2);
    expect(SMPP_submit_sm_resp, ESME_ROK, 1);
    expect(SMPP_submit_sm_resp, ESME_RINVCMDLEN, 2);
    ck_assert_uint_eq(seen.last_sequence, 3);
    ck_assert_uint_eq(session_in_hand(s), 1);
}
END_TEST

/* Thousands parked, then a handler that replies at once: no recursion, and the loop turns in between. */
START_TEST(long_park_is_worked_off_in_turns)
{
    static uint8_t raw[2000 * 100];
    size_t len = 0;
    conf.window_in = 1;
    conf.park_bytes = 1 << 20;
    bound_as(SESSION_SMSC, SESSION_TRX);
    for (uint32_t i = 1; i <= 2000; i++)
        len += put(raw + len, SMPP_submit_sm, i);
    for (size_t sent = 0; sent < len; turn()) {
        ssize_t n = send(peer, raw + sent, len - sent, 0);
        sent += n > 0 ? (size_t)n : 0;
    }
    turns(4);
    ck_assert_uint_eq(session_parked(s), 1999);
    seen.reply = true;
    session_reply_status(s, SMPP_submit_sm, ESME_ROK, 1);
    turn();
    ck_assert_uint_gt(session_parked(s), 1000);
    while (session_parked(s))
        ev_run(loop, EVRUN_ONCE); /* hangs if the loop waits although some are parked */
    for (uint32_t i = 0; i < 2000; i++)
        ck_assert_uint_eq(seen.sequences[i], i + 1);
    turn();
    for (uint32_t i = 1; i <= 2000; i++)
        expect(SMPP_submit_sm_resp, ESME_ROK, i);
}
END_TEST

START_TEST(alert_notification_has_no_answer_and_no_window)
{
    conf.window_in = 1;
    bound_as(SESSION_ESME, SESSION_RX);
    for (uint32_t i = 1; i <= 5; i++)
        peer_puts(SMPP_alert_notification, i);
    turns(2);
    ck_assert_uint_eq(seen.requests, 5);
    ck_assert_uint_eq(session_in_hand(s), 0);
    expect_nothing();
}
END_TEST

START_TEST(close_in_the_request_callback)
{
    uint8_t raw[1024];
    conf.window_in = _i ? 10 : 1;
    bound_as(SESSION_SMSC, SESSION_TRX);
    size_t len = put(raw, SMPP_submit_sm, 1);
    len += put(raw + len, SMPP_submit_sm, 2);
    len += put(raw + len, SMPP_submit_sm, 3);
    seen.close_on_request = _i;
    peer_sends(raw, len);
    turns(2);
    if (!_i) { /* out of the park */
        seen.close_on_request = true;
        session_reply_status(s, SMPP_submit_sm, ESME_ROK, 1);
        turns(2);
    }
    ck_assert_uint_eq(seen.requests, _i ? 1 : 2);
    ck_assert_uint_eq(seen.closed, 1);
    ck_assert_str_eq(seen.reason, "the test closes");
}
END_TEST

START_TEST(reply_encoded_in_place)
{
    bound_as(SESSION_SMSC, SESSION_TRX);
    peer_puts(SMPP_submit_sm, 4);
    turn();
    ck_assert_uint_eq(session_in_hand(s), 1);
    uint8_t *to = session_reply_reserve(s, 100);
    pdu_put_header(to, SMPP_submit_sm_resp, ESME_RSYSERR, 4);
    session_reply_commit(s, SMPP_HEADER_SIZE);
    ck_assert_uint_eq(session_in_hand(s), 0);
    turn();
    expect(SMPP_submit_sm_resp, ESME_RSYSERR, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_in");
    TCase *tc = tcase_create("session_in");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, window_then_park_then_status_in_order);
    tcase_add_test(tc, malformed_one_in_the_park);
    tcase_add_test(tc, long_park_is_worked_off_in_turns);
    tcase_add_test(tc, alert_notification_has_no_answer_and_no_window);
    tcase_add_loop_test(tc, close_in_the_request_callback, 0, 2);
    tcase_add_test(tc, reply_encoded_in_place);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
