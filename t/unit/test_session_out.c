/* Our requests: window, queue, deadlines, and one outcome for each. */
#include "session_peer.h"

START_TEST(answers_in_any_order)
{
    struct got g[10];
    bound_as(SESSION_ESME, SESSION_TRX);
    for (int i = 0; i < 10; i++)
        ck_assert_uint_gt(send_one(&told[i], 0, 0, NULL), 0);
    ck_assert_uint_eq(session_unanswered(s), 10);
    turn();
    for (int i = 0; i < 10; i++) {
        ck_assert(peer_gets(&g[i]));
        ck_assert_uint_eq(g[i].sequence, (uint32_t)i + 2);
    }
    for (int i = 9; i >= 0; i--)
        peer_answers(SMPP_submit_sm_resp, 0x400 + (uint32_t)i, g[i].sequence);
    peer_answers(SMPP_submit_sm_resp, 0, g[0].sequence);
    turn();
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(told[i].times, 1);
        ck_assert_int_eq(told[i].outcome, SESSION_RESPONSE);
        ck_assert_uint_eq(told[i].status, 0x400 + (uint32_t)i);
    }
    ck_assert_uint_eq(session_unanswered(s), 0);
}
END_TEST

START_TEST(response_of_another_command_is_not_taken)
{
    bound_as(SESSION_ESME, SESSION_TRX);
    send_one(&told[0], 0, 0, NULL);
    turn();
    expect(SMPP_submit_sm, ESME_ROK, 2);
    peer_answers(SMPP_query_sm_resp, 0, 2);
    turn();
    ck_assert_uint_eq(told_count, 0);
    peer_answers((uint32_t)SMPP_generic_nack, ESME_RINVCMDID, 2);
    turn();
    ck_assert_int_eq(told[0].outcome, SESSION_RESPONSE);
    ck_assert_uint_eq(told[0].status, ESME_RINVCMDID);
}
END_TEST

START_TEST(queue_waits_for_the_window_and_has_an_end)
{
    enum session_outcome why = SESSION_RESPONSE;
    struct got g;
    conf.window_out = 2;
    conf.queue_out = 3;
    bound_as(SESSION_SMSC, SESSION_TRX);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_gt(send_one(&told[i], 0, 0, &why), 0);
    ck_assert_uint_eq(send_one(&told[5], 0, 0, &why), 0);
    ck_assert_int_eq(why, SESSION_WINDOW_FULL);
    ck_assert_uint_eq(session_unanswered(s), 2);
    ck_assert_uint_eq(session_queued(s), 3);
    turn();
    ck_assert_uint_eq(seen.writable, 0);
    for (uint32_t i = 1; i <= 5; i++) {
        ck_assert(peer_gets(&g));
        ck_assert_uint_eq(g.sequence, i);
        peer_answers(SMPP_deliver_sm_resp, 0, g.sequence);
        turns(2);
        ck_assert_uint_eq(told_count, i);
        ck_assert_uint_eq(seen.writable, 1);
    }
    ck_assert_uint_eq(told[5].times, 0);
}
END_TEST

START_TEST(no_queue_at_all)
{
    enum session_outcome why = SESSION_RESPONSE;
    conf.window_out = 1;
    conf.queue_out = 0;
    bound_as(SESSION_SMSC, SESSION_TRX);
    ck_assert_uint_gt(send_one(&told[0], 0, 0, &why), 0);
    ck_assert_uint_eq(send_one(&told[1], 0, 0, &why), 0);
    ck_assert_int_eq(why, SESSION_WINDOW_FULL);
    turn();
    peer_answers(SMPP_deliver_sm_resp, 0, 1);
    turns(2);
    ck_assert_uint_eq(seen.writable, 1);
    ck_assert_uint_gt(send_one(&told[1], 0, 0, &why), 0);
}
END_TEST

START_TEST(own_timeouts)
{
    conf.window_out = 2;
    bound_as(SESSION_ESME, SESSION_TX);
    send_one(&told[0], 0, 0, NULL); /* response_ms: a minute */
    send_one(&told[1], 0, 0, NULL);
    send_one(&told[2], 20, 0, NULL); /* these wait for the window, and end there */
    send_one(&told[3], 10, 0, NULL);
    run_until_told(2);
    ck_assert_int_eq(told[2].outcome, SESSION_WINDOW_FULL);
    ck_assert_int_eq(told[3].outcome, SESSION_WINDOW_FULL);
    ck_assert(!told[2].sent && !told[3].sent);
    peer_answers(SMPP_submit_sm_resp, 0, 2);
    turn();
    send_one(&told[4], 20, 0, NULL); /* on the wire */
    run_until_told(4);
    ck_assert_int_eq(told[4].outcome, SESSION_TIMEOUT);
    ck_assert(told[4].sent);
    ck_assert_uint_eq(told[1].times, 0);
    ck_assert_uint_eq(session_unanswered(s), 1);
    peer_answers(SMPP_submit_sm_resp, 0, 4); /* too late, nobody is told */
    turn();
    ck_assert_uint_eq(told_count, 4);
}
END_TEST

START_TEST(late_answer_is_told)
{
    conf.response_ms = 20;
    bound_as(SESSION_ESME, SESSION_TX);
    send_one(&told[0], 0, SESSION_SEND_LATE, NULL);
    run_until_told(1);
    ck_assert_int_eq(told[0].outcome, SESSION_TIMEOUT);
    ck_assert_uint_eq(session_unanswered(s), 0);
    peer_answers(SMPP_submit_sm_resp, 0, 2);
    turn();
    ck_assert_uint_eq(told[0].times, 2);
    ck_assert_int_eq(told[0].outcome, SESSION_RESPONSE);
    send_one(&told[1], 0, SESSION_SEND_LATE, NULL);
    send_one(&told[2], 1, SESSION_SEND_LATE, NULL);
    run_until_told(6); /* both time out, and are given up after 200 ms */
    ck_assert_int_eq(told[1].outcome, SESSION_GONE);
    ck_assert_int_eq(told[2].outcome, SESSION_GONE);
    ck_assert_uint_eq(told[1].times + told[2].times, 4);
}
END_TEST

START_TEST(cancel)
{
    conf.window_out = 2;
    bound_as(SESSION_ESME, SESSION_TX);
    uint64_t wire = send_one(&told[0], 0, 0, NULL);
    uint64_t late = send_one(&told[1], 0, SESSION_SEND_LATE, NULL);
    uint64_t queued = send_one(&told[2], 0, SESSION_SEND_LATE, NULL);
    send_one(&told[3], 0, 0, NULL);
    ck_assert(session_cancel(s, queued));
    ck_assert(!session_cancel(s, queued));
    ck_assert(!session_cancel(s, wire));
    ck_assert(!session_cancel(s, late));
    ck_assert(!session_cancel(s, 0));
    ck_assert_uint_eq(session_queued(s), 1);
    ck_assert_uint_eq(session_unanswered(s), 2);
    turn();
    peer_answers(SMPP_submit_sm_resp, 0, 2);
    peer_answers(SMPP_submit_sm_resp, 0, 3);
    turns(2);
    peer_answers(SMPP_submit_sm_resp, 0, 4);
    turns(2);
    ck_assert_uint_eq(told[0].times, 0);
    ck_assert_uint_eq(told[1].times, 1);
    ck_assert_int_eq(told[1].outcome, SESSION_RESPONSE);
    ck_assert_uint_eq(told[2].times, 0);
    ck_assert_uint_eq(told[3].times, 1);
}
END_TEST

START_TEST(close_ends_every_request_once)
{
    conf.window_out = 5;
    conf.response_ms = 20;
    bound_as(SESSION_ESME, SESSION_TX);
    send_one(&told[0], 0, SESSION_SEND_LATE, NULL);
    run_until_told(1);
    conf.response_ms = 60000;
    for (int i = 1; i < 20; i++)
        send_one(&told[i], 0, i % 2 ? SESSION_SEND_LATE : 0, NULL);
    if (_i) {
        util_close(&peer);
        run_until_closed();
    } else {
        session_close(s, "test");
    }
    ck_assert_uint_eq(told[0].times, 2);
    for (int i = 1; i < 20; i++) {
        ck_assert_uint_eq(told[i].times, 1);
        ck_assert_int_eq(told[i].outcome, SESSION_GONE);
        ck_assert_int_eq(told[i].sent, i <= 5);
    }
}
END_TEST

/* An outcome that sends the next one, cancels another and then closes. */
static uint64_t victim;
static unsigned chained;
static void done_chains(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len)
{
    uint8_t raw[512];
    (void)resp, (void)len, (void)sent;
    chained++;
    if (victim)
        session_cancel(s, victim);
    victim = 0;
    size_t n = put(raw, SMPP_submit_sm, 0);
    uint64_t ticket = session_send(s, raw, n, 0, 0, done_chains, arg, NULL);
    ck_assert_int_eq(ticket > 0, outcome != SESSION_GONE);
    if (chained == 100)
        session_close(s, "enough");
}

START_TEST(outcomes_that_send_cancel_and_close)
{
    uint8_t raw[512];
    struct got g;
    conf.window_out = 3;
    chained = 0;
    bound_as(SESSION_ESME, SESSION_TX);
    for (int i = 0; i < 5; i++) {
        size_t n = put(raw, SMPP_submit_sm, 0);
        ck_assert_uint_gt(session_send(s, raw, n, 5, 0, done_chains, &told[0], NULL), 0);
    }
    victim = send_one(&told[1], 5, 0, NULL);
    while (!seen.closed) {
        wait_turn();
        while (!seen.closed && peer_gets(&g))
            peer_answers(SMPP_submit_sm_resp, 0, g.sequence);
    }
    ck_assert_uint_ge(chained, 100);
    ck_assert_uint_eq(told[1].times, 0);
}
END_TEST

START_TEST(paced)
{
    conf.max_per_second = _i ? 1000 : 1;
    conf.window_out = 1000;
    bound_as(SESSION_ESME, SESSION_TX);
    for (int i = 0; i < 20; i++)
        send_one(&told[i], 0, 0, NULL);
    turn();
    if (!_i)
        ck_assert_uint_ge(session_queued(s), 10);
    while (_i && session_queued(s))
        ev_run(loop, EVRUN_ONCE); /* hangs when the next token wakes nobody */
}
END_TEST

START_TEST(alerts_are_written_as_they_are)
{
    uint8_t raw[512];
    bound_as(SESSION_SMSC, SESSION_RX);
    size_t n = put(raw, SMPP_alert_notification, 0);
    ck_assert(session_send_alert(s, raw, n));
    ck_assert_uint_eq(session_unanswered(s), 0);
    turn();
    expect(SMPP_alert_notification, 0, 1);
    ck_assert_uint_eq(send_one(&told[0], 0, 0, NULL) > 0, 1);
    turn();
    expect(SMPP_deliver_sm, 0, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_out");
    TCase *tc = tcase_create("session_out");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, answers_in_any_order);
    tcase_add_test(tc, response_of_another_command_is_not_taken);
    tcase_add_test(tc, queue_waits_for_the_window_and_has_an_end);
    tcase_add_test(tc, no_queue_at_all);
    tcase_add_test(tc, own_timeouts);
    tcase_add_test(tc, late_answer_is_told);
    tcase_add_test(tc, cancel);
    tcase_add_loop_test(tc, close_ends_every_request_once, 0, 2);
    tcase_add_test(tc, outcomes_that_send_cancel_and_close);
    tcase_add_loop_test(tc, paced, 0, 2);
    tcase_add_test(tc, alerts_are_written_as_they_are);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
