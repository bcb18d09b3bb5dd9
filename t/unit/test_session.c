/* A session's framing and states: what is right when, and what is answered when it is not. */
#include "session_peer.h"

START_TEST(split_at_every_octet)
{
    uint8_t raw[1024];
    seen.reply = true;
    bound_as(SESSION_SMSC, SESSION_TRX);
    size_t one = put(raw, SMPP_submit_sm, 2), len = one + put(raw + one, SMPP_submit_sm, 3);
    for (size_t cut = 1; cut < len; cut++) {
        peer_sends(raw, cut);
        turn();
        peer_sends(raw + cut, len - cut);
        turns(2);
        expect(SMPP_submit_sm_resp, ESME_ROK, 2);
        expect(SMPP_submit_sm_resp, ESME_ROK, 3);
        expect_nothing();
    }
}
END_TEST

START_TEST(thousand_in_one_read_answered_in_one_write)
{
    static uint8_t raw[1000 * 100], back[65536];
    size_t len = 0;
    seen.reply = true;
    bound_as(SESSION_SMSC, SESSION_TRX);
    for (uint32_t i = 1; i <= 1000; i++)
        len += put(raw + len, SMPP_submit_sm, i);
    peer_sends(raw, len);
    turns(2);
    ck_assert_uint_eq(seen.requests, 1000);
    ck_assert_int_eq(recv(peer, back, sizeof(back), 0), 1000 * (SMPP_HEADER_SIZE + 1));
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(pdu_raw_sequence(back + (size_t)i * (SMPP_HEADER_SIZE + 1)), i + 1);
}
END_TEST

START_TEST(bad_length_is_nacked_and_closed)
{
    static const uint32_t lengths[] = {0, 1, 15, 70001, 0x80000000u, 0xffffffffu};
    uint8_t raw[SMPP_HEADER_SIZE];
    bound_as(SESSION_SMSC, SESSION_TRX);
    pdu_put_header(raw, SMPP_submit_sm, 0, 77);
    wire_u32_set(raw, lengths[_i]);
    peer_sends(raw, sizeof(raw));
    turns(3);
    expect((uint32_t)SMPP_generic_nack, ESME_RINVCMDLEN, 77);
    ck_assert(peer_at_end());
    ck_assert_uint_eq(seen.closed, 1);
    ck_assert_uint_eq(seen.requests, 0);
}
END_TEST

START_TEST(short_bad_length_is_not_waited_for)
{
    open_session(SESSION_SMSC);
    peer_sends((const uint8_t[]){0, 0, 0, 8}, 4);
    turns(3);
    expect((uint32_t)SMPP_generic_nack, ESME_RINVCMDLEN, 0);
    ck_assert_uint_eq(seen.closed, 1);
}
END_TEST

START_TEST(unknown_command_is_nacked_and_the_session_stays)
{
    bound_as(SESSION_SMSC, SESSION_TRX);
    peer_answers(0x00000099, 0, 5);
    peer_answers(0x80000099, 0, 6); /* a response: never answered */
    peer_answers((uint32_t)SMPP_generic_nack, ESME_RINVCMDID, 0);
    peer_answers(SMPP_enquire_link, 0, 7);
    turns(2);
    expect((uint32_t)SMPP_generic_nack, ESME_RINVCMDID, 5);
    expect(SMPP_enquire_link_resp, ESME_ROK, 7);
    expect_nothing();
    ck_assert_int_eq(session_state(s), SESSION_BOUND);
}
END_TEST

START_TEST(what_does_not_decode_gets_its_own_response)
{
    bound_as(SESSION_SMSC, SESSION_TRX);
    peer_answers(SMPP_submit_sm, 0, 5); /* no body at all */
    turns(2);
    expect(SMPP_submit_sm_resp, ESME_RINVCMDLEN, 5);
    ck_assert_uint_eq(seen.requests, 0);
    ck_assert_uint_eq(session_in_hand(s), 0);
    ck_assert_int_eq(session_state(s), SESSION_BOUND);
}
END_TEST

/* ---- states ---- */

/* SMPP 3.4 table 2-1: for each request, the bind types (trx, tx, rx) in which the ESME and the SMSC may send it. */
static const struct {
    uint32_t id;
    bool esme[3], smsc[3];
} matrix[] = {
    {SMPP_submit_sm, {true, true, false}, {false, false, false}},
    {SMPP_submit_multi, {true, true, false}, {false, false, false}},
    {SMPP_query_sm, {true, true, false}, {false, false, false}},
    {SMPP_cancel_sm, {true, true, false}, {false, false, false}},
    {SMPP_replace_sm, {true, true, false}, {false, false, false}},
    {SMPP_data_sm, {true, true, false}, {true, false, true}},
    {SMPP_deliver_sm, {false, false, false}, {true, false, true}},
};

START_TEST(wrong_state_matrix)
{
    enum session_role role = _i < 3 ? SESSION_SMSC : SESSION_ESME;
    int type = _i % 3;
    unsigned handed = 0;
    bound_as(role, (enum session_bind_type)type);
    for (size_t k = 0; k < ARRAY_LEN(matrix); k++) {
        bool right = role == SESSION_SMSC ? matrix[k].esme[type] : matrix[k].smsc[type];
        uint8_t raw[512];
        enum session_outcome why = SESSION_RESPONSE;
        peer_puts(matrix[k].id, 100 + (uint32_t)k);
        turns(2);
        ck_assert_uint_eq(seen.requests, handed += right);
        if (!right)
            expect(matrix[k].id | SMPP_RESPONSE_BIT, ESME_RINVBNDSTS, 100 + (uint32_t)k);
        bool we_may = role == SESSION_SMSC ? matrix[k].smsc[type] : matrix[k].esme[type];
        size_t n = put(raw, matrix[k].id, 0);
        ck_assert_int_eq(session_send(s, raw, n, 0, 0, done, &told[k], &why) > 0, we_may);
        ck_assert_int_eq(why, we_may ? SESSION_RESPONSE : SESSION_REFUSED);
        turn();
        struct got g;
        ck_assert_int_eq(peer_gets(&g), we_may);
    }
}
END_TEST

START_TEST(not_bound_yet)
{
    seen.accept = false;
    open_session(SESSION_SMSC);
    peer_puts(SMPP_submit_sm, 4);
    peer_answers(SMPP_unbind, 0, 5);
    peer_answers(SMPP_enquire_link, 0, 6);
    peer_puts(SMPP_alert_notification, 7);
    turns(2);
    expect(SMPP_submit_sm_resp, ESME_RINVBNDSTS, 4);
    expect(SMPP_unbind_resp, ESME_RINVBNDSTS, 5);
    expect(SMPP_enquire_link_resp, ESME_ROK, 6);
    peer_puts(SMPP_bind_transmitter, 8);
    peer_puts(SMPP_submit_sm, 9);
    peer_puts(SMPP_bind_receiver, 10);
    turns(2);
    ck_assert_int_eq(session_state(s), SESSION_BINDING);
    expect(SMPP_submit_sm_resp, ESME_RINVBNDSTS, 9);
    expect(SMPP_bind_receiver_resp, ESME_RALYBND, 10);
    session_accept(s, "smscd");
    session_accept(s, "twice");
    turn();
    expect(SMPP_bind_transmitter_resp, ESME_ROK, 8);
    expect_nothing();
}
END_TEST

START_TEST(second_bind)
{
    bound_as(SESSION_SMSC, SESSION_TX);
    peer_puts(SMPP_bind_transceiver, 2);
    turns(2);
    expect(SMPP_bind_transceiver_resp, ESME_RALYBND, 2);
    ck_assert_uint_eq(seen.binds, 1);
    ck_assert_int_eq(session_state(s), SESSION_BOUND);
    ck_assert_int_eq(session_bind_type(s), SESSION_TX);
}
END_TEST

static void bind_with_version(uint8_t version)
{
    uint8_t raw[512];
    enum pdu_field bad;
    struct pdu_out out = {.command_id = SMPP_bind_receiver, .sequence_number = 3};
    out.v[PDU_interface_version].n = version;
    peer_sends(raw, pdu_encode(&out, raw, sizeof(raw), &bad));
    turns(2);
}

START_TEST(version_is_told_to_a_3_4_peer_only)
{
    static const uint8_t versions[] = {0x34, 0x33, 0x00, 0x50};
    struct got g;
    struct pdu pdu;
    struct pdu_tlv tlv;
    open_session(SESSION_SMSC);
    bind_with_version(versions[_i]);
    ck_assert(peer_gets(&g));
    ck_assert_uint_eq(pdu_decode(&pdu, g.raw, g.len), ESME_ROK);
    ck_assert_int_eq(pdu_tlv_find(&pdu, SMPP_TLV_sc_interface_version, &tlv), versions[_i] >= 0x34);
    ck_assert_uint_eq(session_interface_version(s), versions[_i] ? versions[_i] : 0x33);
}
END_TEST

START_TEST(rejected_bind)
{
    seen.accept = false;
    seen.reject = ESME_RINVPASWD;
    open_session(SESSION_SMSC);
    peer_puts(SMPP_bind_receiver, 9);
    turns(3);
    expect(SMPP_bind_receiver_resp, ESME_RINVPASWD, 9);
    ck_assert(peer_at_end());
    ck_assert_uint_eq(seen.closed, 1);
}
END_TEST

START_TEST(our_bind_is_rejected)
{
    struct pdu_out out = {.command_id = 0};
    open_session(SESSION_ESME);
    session_bind(s, SESSION_RX, &out);
    turn();
    expect(SMPP_bind_receiver, ESME_ROK, 1);
    peer_answers(_i ? (uint32_t)SMPP_bind_receiver_resp : (uint32_t)SMPP_generic_nack, _i ? ESME_RINVSYSID : ESME_ROK,
                 1);
    turns(2);
    ck_assert_uint_eq(seen.bind_resps, 1);
    ck_assert_uint_eq(seen.last_status, _i ? ESME_RINVSYSID : ESME_RBINDFAIL);
    ck_assert_uint_eq(seen.closed, 1);
}
END_TEST

START_TEST(binds_from_the_smsc_and_outbind)
{
    uint8_t raw[512];
    bound_as(SESSION_ESME, SESSION_TRX);
    peer_puts(SMPP_bind_transceiver, 5);
    peer_sends(raw, put(raw, SMPP_outbind, 6));
    turns(2);
    expect(SMPP_bind_transceiver_resp, ESME_RINVBNDSTS, 5);
    expect_nothing();
    ck_assert_int_eq(session_state(s), SESSION_BOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tc = tcase_create("session");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, split_at_every_octet);
    tcase_add_test(tc, thousand_in_one_read_answered_in_one_write);
    tcase_add_loop_test(tc, bad_length_is_nacked_and_closed, 0, 6);
    tcase_add_test(tc, short_bad_length_is_not_waited_for);
    tcase_add_test(tc, unknown_command_is_nacked_and_the_session_stays);
    tcase_add_test(tc, what_does_not_decode_gets_its_own_response);
    tcase_add_loop_test(tc, wrong_state_matrix, 0, 6);
    tcase_add_test(tc, not_bound_yet);
    tcase_add_test(tc, second_bind);
    tcase_add_loop_test(tc, version_is_told_to_a_3_4_peer_only, 0, 4);
    tcase_add_test(tc, rejected_bind);
    tcase_add_loop_test(tc, our_bind_is_rejected, 0, 2);
    tcase_add_test(tc, binds_from_the_smsc_and_outbind);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
