/* A session's timers and every way it ends. */
#include "session_peer.h"

START_TEST(session_init_timer)
{
    conf.session_init_ms = 20;
    open_session(SESSION_SMSC);
    run_until_closed();
    ck_assert_str_eq(seen.reason, "not bound in time");
}
END_TEST

START_TEST(no_answer_to_our_bind)
{
    struct pdu_out out = {.command_id = 0};
    conf.session_init_ms = 20;
    open_session(SESSION_ESME);
    session_bind(s, SESSION_TRX, &out);
    run_until_closed();
    ck_assert_str_eq(seen.reason, "no answer to the bind request");
}
END_TEST

START_TEST(enquire_link_answered_and_not)
{
    struct got g;
    conf.enquire_link_ms = 20;
    conf.response_ms = 100;
    bound_as(SESSION_SMSC, SESSION_TRX);
    for (int i = 0; i < 3; i++) {
        while (!peer_gets(&g))
            wait_turn();
        ck_assert_uint_eq(g.id, SMPP_enquire_link);
        peer_answers(_i ? (uint32_t)SMPP_generic_nack : (uint32_t)SMPP_enquire_link_resp, 0, g.sequence);
    }
    ck_assert_uint_eq(seen.closed, 0);
    run_until_closed();
    ck_assert_str_eq(seen.reason, "enquire_link was not answered");
}
END_TEST

START_TEST(inactivity_unbinds)
{
    struct got g;
    conf.inactivity_ms = 40;
    conf.enquire_link_ms = 10;
    bound_as(SESSION_SMSC, SESSION_TRX);
    do {
        while (!peer_gets(&g))
            wait_turn();
        peer_answers(g.id | SMPP_RESPONSE_BIT, 0, g.sequence);
    } while (g.id == SMPP_enquire_link);
    ck_assert_uint_eq(g.id, SMPP_unbind);
    run_until_closed();
    ck_assert_str_eq(seen.reason, "unbound");
}
END_TEST

START_TEST(peer_unbinds_with_requests_in_hand_and_parked)
{
    conf.window_in = 1;
    bound_as(SESSION_SMSC, SESSION_TRX);
    peer_puts(SMPP_submit_sm, 2);
    peer_puts(SMPP_submit_sm, 3);
    peer_answers(SMPP_unbind, 0, 4);
    peer_puts(SMPP_submit_sm, 5);
    peer_answers(SMPP_enquire_link, 0, 6);
    turns(3);
    expect(SMPP_submit_sm_resp, ESME_RINVBNDSTS, 5);
    expect(SMPP_enquire_link_resp, ESME_ROK, 6);
    expect_nothing();
    session_reply_status(s, SMPP_submit_sm, ESME_RSYSERR, 2);
    turns(2);
    expect(SMPP_submit_sm_resp, ESME_RSYSERR, 2);
    ck_assert_uint_eq(seen.last_sequence, 3);
    session_reply_status(s, SMPP_submit_sm, ESME_RSYSERR, 3);
    turns(3);
    expect(SMPP_submit_sm_resp, ESME_RSYSERR, 3);
    expect(SMPP_unbind_resp, ESME_ROK, 4);
    ck_assert(peer_at_end());
    ck_assert_str_eq(seen.reason, "unbound by the peer");
}
END_TEST

START_TEST(peer_unbinds_and_a_handler_never_ends)
{
    conf.response_ms = 20;
    bound_as(SESSION_SMSC, SESSION_TRX);
    peer_puts(SMPP_submit_sm, 2);
    peer_answers(SMPP_unbind, 0, 4);
    run_until_closed();
    expect(SMPP_unbind_resp, ESME_ROK, 4);
    ck_assert(peer_at_end());
}
END_TEST

START_TEST(our_unbind_waits_for_what_is_in_hand)
{
    conf.window_out = 1;
    bound_as(SESSION_SMSC, SESSION_TRX);
    send_one(&told[0], 0, 0, NULL);
    send_one(&told[1], 0, 0, NULL);
    peer_puts(SMPP_submit_sm, 50);
    turns(2);
    session_unbind(s, 5000);
    session_unbind(s, 1);
    ck_assert_uint_eq(send_one(&told[2], 0, 0, NULL), 0);
    turns(2);
    expect(SMPP_deliver_sm, 0, 1);
    session_reply_status(s, SMPP_submit_sm, ESME_RSYSERR, 50);
    turns(2);
    expect(SMPP_submit_sm_resp, ESME_RSYSERR, 50);
    expect_nothing();
    peer_answers(SMPP_deliver_sm_resp, 0, 1);
    turns(2);
    expect(SMPP_deliver_sm, 0, 2);
    expect_nothing();
    peer_answers(SMPP_deliver_sm_resp, 0, 2);
    turns(2);
    expect(SMPP_unbind, 0, 3);
    if (_i) { /* both at once */
        peer_answers(SMPP_unbind, 0, 51);
        turns(3);
        expect(SMPP_unbind_resp, ESME_ROK, 51);
    } else {
        peer_answers(SMPP_unbind_resp, 0, 3);
        turns(2);
    }
    ck_assert_uint_eq(seen.closed, 1);
    ck_assert_uint_eq(told_count, 2);
}
END_TEST

START_TEST(our_unbind_has_an_end)
{
    bound_as(SESSION_SMSC, SESSION_TRX);
    send_one(&told[0], 0, 0, NULL);
    session_unbind(s, 30);
    run_until_closed();
    ck_assert_int_eq(told[0].outcome, SESSION_GONE);
    ck_assert(told[0].sent);
    expect(SMPP_deliver_sm, 0, 1);
    expect(SMPP_unbind, 0, 2);
}
END_TEST

START_TEST(unbind_in_the_request_callback)
{
    bound_as(SESSION_SMSC, SESSION_TRX);
    seen.reply = seen.unbind_on_request = true;
    peer_puts(SMPP_submit_sm, 2);
    peer_puts(SMPP_submit_sm, 3);
    turns(2);
    expect(SMPP_submit_sm_resp, ESME_ROK, 2);
    expect(SMPP_submit_sm_resp, ESME_RINVBNDSTS, 3);
    expect(SMPP_unbind, 0, 1);
}
END_TEST

START_TEST(peer_that_does_not_read)
{
    static uint8_t raw[SMPP_HEADER_SIZE * 4096];
    size_t sent = 0;
    conf.response_ms = 50;
    for (uint32_t i = 0; i < 4096; i++)
        pdu_put_header(raw + (size_t)i * SMPP_HEADER_SIZE, SMPP_enquire_link, 0, i + 1);
    bound_as(SESSION_SMSC, SESSION_TRX);
    for (int i = 0; i < 20000 && !seen.closed; i++) {
        ssize_t n = send(peer, raw + sent % SMPP_HEADER_SIZE, sizeof(raw) - sent % SMPP_HEADER_SIZE, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        ev_run(loop, n > 0 ? EVRUN_NOWAIT : EVRUN_ONCE);
    }
    ck_assert_uint_eq(seen.closed, 1);
    ck_assert_str_eq(seen.reason, "the peer does not read");
    ck_assert_uint_lt(sent, 4 * 1024 * 1024); /* it was not read from either */
}
END_TEST

START_TEST(slow_peer_gets_everything_in_the_end)
{
    static uint8_t raw[SMPP_HEADER_SIZE * 1024];
    size_t sent = 0, total = 100 * sizeof(raw);
    uint32_t answers = 0;
    struct got g;
    bound_as(SESSION_SMSC, SESSION_TRX);
    while (answers < total / SMPP_HEADER_SIZE) {
        for (uint32_t i = 0; i < 1024; i++)
            pdu_put_header(raw + (size_t)i * SMPP_HEADER_SIZE, SMPP_enquire_link, 0,
                           (uint32_t)(sent / sizeof(raw) * 1024) + i);
        if (sent < total) {
            size_t at = sent % sizeof(raw);
            ssize_t n = send(peer, raw + at, sizeof(raw) - at, MSG_NOSIGNAL);
            sent += n > 0 ? (size_t)n : 0;
        }
        turn();
        for (int i = 0; i < 500 && peer_gets(&g); i++)
            ck_assert_uint_eq(g.sequence, answers++);
    }
    ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_end");
    TCase *tc = tcase_create("session_end");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, session_init_timer);
    tcase_add_test(tc, no_answer_to_our_bind);
    tcase_add_loop_test(tc, enquire_link_answered_and_not, 0, 2);
    tcase_add_test(tc, inactivity_unbinds);
    tcase_add_test(tc, peer_unbinds_with_requests_in_hand_and_parked);
    tcase_add_test(tc, peer_unbinds_and_a_handler_never_ends);
    tcase_add_loop_test(tc, our_unbind_waits_for_what_is_in_hand, 0, 2);
    tcase_add_test(tc, our_unbind_has_an_end);
    tcase_add_test(tc, unbind_in_the_request_callback);
    tcase_add_test(tc, peer_that_does_not_read);
    tcase_add_test(tc, slow_peer_gets_everything_in_the_end);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
