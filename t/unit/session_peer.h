/* For the tests of session: a session, an owner that records what it sees, and a peer that the test plays by hand over
 * a socket pair. Included once by each of them. */
#ifndef SMSCD_TEST_SESSION_PEER_H
#define SMSCD_TEST_SESSION_PEER_H

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session.h"
#include "util.h"

enum { OUTCOMES = 16384 };

static struct ev_loop *loop;
static struct io *io;
static struct session *s;
static int peer, own_fd;
static struct session_conf conf;

/* What the owner saw, and how it is to behave. */
static struct {
    unsigned requests, binds, bind_resps, closed, writable;
    uint32_t last_id, last_sequence, last_status;
    uint32_t sequences[OUTCOMES];
    const char *reason;
    bool reply, close_on_request, accept, unbind_on_request;
    uint32_t reject;
} seen;

struct told {
    unsigned times;
    enum session_outcome outcome, first;
    bool sent;
    uint32_t status;
};
static struct told told[OUTCOMES];
static unsigned told_count;

static inline void done(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len)
{
    struct told *t = arg;
    ck_assert_uint_eq(seen.closed, 0); /* closed is the last call */
    if (t->times++ == 0)
        t->first = outcome;
    t->outcome = outcome;
    t->sent = sent;
    ck_assert((resp != NULL) == (outcome == SESSION_RESPONSE));
    if (resp) {
        ck_assert_uint_eq(wire_u32_at(resp), len);
        t->status = pdu_raw_status(resp);
    }
    told_count++;
}

static inline size_t put(uint8_t *to, uint32_t id, uint32_t sequence)
{
    enum pdu_field bad;
    struct pdu_out out = {.command_id = id, .sequence_number = sequence};
    out.v[PDU_short_message].p = (const uint8_t *)"hello";
    out.v[PDU_short_message].n = 5;
    out.v[PDU_interface_version].n = SMPP_VERSION_3_4;
    out.v[PDU_dest_address].p = (const uint8_t *)"\002list"; /* one distribution list, with its NUL */
    out.v[PDU_dest_address].n = 6;
    out.v[PDU_dest_address].count = 1;
    out.v[PDU_system_id].p = (const uint8_t *)"esme1";
    out.v[PDU_system_id].n = 5;
    size_t n = pdu_encode(&out, to, 512, &bad);
    ck_assert_uint_ge(n, SMPP_HEADER_SIZE);
    return n;
}

static inline void on_bind(struct session *ses, void *owner, const struct pdu *pdu)
{
    (void)owner, (void)pdu;
    seen.binds++;
    if (seen.accept)
        session_accept(ses, "smscd");
    if (seen.reject)
        session_reject(ses, seen.reject);
}

static inline void on_bind_resp(struct session *ses, void *owner, const struct pdu *pdu)
{
    (void)ses, (void)owner;
    seen.bind_resps++;
    seen.last_status = pdu->command_status;
}

static inline void on_request(struct session *ses, void *owner, const struct pdu *pdu)
{
    (void)owner;
    ck_assert_ptr_eq(ses, s);
    seen.sequences[seen.requests++ % OUTCOMES] = pdu->sequence_number;
    seen.last_id = pdu->command_id;
    seen.last_sequence = pdu->sequence_number;
    if (seen.reply)
        session_reply_status(ses, pdu->command_id, ESME_ROK, pdu->sequence_number);
    if (seen.unbind_on_request)
        session_unbind(ses, 1000);
    if (seen.close_on_request)
        session_close(ses, "the test closes");
    ck_assert_uint_eq(pdu_raw_sequence(pdu->raw), pdu->sequence_number); /* still valid */
}

static inline void on_closed(struct session *ses, void *owner, const char *reason)
{
    (void)owner;
    ck_assert_ptr_eq(ses, s);
    seen.closed++;
    seen.reason = reason;
    session_close(ses, "again");
    session_reply_status(ses, SMPP_submit_sm, ESME_ROK, 1);
    ck_assert_uint_eq(session_unanswered(ses) + session_queued(ses), 0);
}

static inline void on_writable(struct session *ses, void *owner)
{
    (void)ses, (void)owner;
    seen.writable++;
}

static const struct session_ops ops = {
    .bind = on_bind, .bind_resp = on_bind_resp, .request = on_request, .closed = on_closed, .writable = on_writable};

static inline void setup(void)
{
    memset(&seen, 0, sizeof(seen));
    memset(told, 0, sizeof(told));
    told_count = 0;
    seen.accept = true;
    conf = (struct session_conf){.response_ms = 60000,
                                 .window_in = 10,
                                 .park_bytes = 65536,
                                 .park_status = ESME_RTHROTTLED,
                                 .window_out = 10,
                                 .queue_out = 100,
                                 .max_pdu_bytes = 70000};
    loop = ev_loop_new(0);
    io = io_new(loop);
    s = NULL;
    peer = -1;
}

static inline void teardown(void)
{
    if (s && !seen.closed)
        session_close(s, "end of the test");
    ck_assert_uint_eq(seen.closed, s != NULL);
    io_free(&io);
    ev_loop_destroy(loop);
    util_close(&peer);
}

static inline void turn(void)
{
    ev_run(loop, EVRUN_NOWAIT);
}

/* Waits for something to happen, and writes what came of it. */
static inline void wait_turn(void)
{
    ev_run(loop, EVRUN_ONCE);
    turn();
}

static inline void turns(int n)
{
    while (n-- > 0)
        turn();
}

static inline void open_session(enum session_role role)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    peer = fds[1];
    own_fd = fds[0];
    s = session_new(io, fds[0], role, &conf, &ops, &seen, "test");
}

static inline void peer_sends(const uint8_t *raw, size_t n)
{
    ck_assert_int_eq(send(peer, raw, n, MSG_NOSIGNAL), (ssize_t)n);
}

static inline void peer_puts(uint32_t id, uint32_t sequence)
{
    uint8_t raw[512];
    peer_sends(raw, put(raw, id, sequence));
}

static inline void peer_answers(uint32_t id, uint32_t status, uint32_t sequence)
{
    uint8_t raw[SMPP_HEADER_SIZE];
    pdu_put_header(raw, id, status, sequence);
    peer_sends(raw, sizeof(raw));
}

/* The next PDU that the session has written; false when there is none. */
struct got {
    uint32_t len, id, status, sequence;
    uint8_t raw[512];
};
static inline bool peer_gets(struct got *g)
{
    if (recv(peer, g->raw, SMPP_HEADER_SIZE, MSG_PEEK) != SMPP_HEADER_SIZE)
        return false;
    g->len = wire_u32_at(g->raw);
    ck_assert_uint_le(g->len, sizeof(g->raw));
    ck_assert_int_eq(recv(peer, g->raw, g->len, 0), (ssize_t)g->len);
    g->id = pdu_raw_command_id(g->raw);
    g->status = pdu_raw_status(g->raw);
    g->sequence = pdu_raw_sequence(g->raw);
    return true;
}

static inline void expect(uint32_t id, uint32_t status, uint32_t sequence)
{
    struct got g;
    ck_assert_msg(peer_gets(&g), "nothing came instead of 0x%08x", id);
    ck_assert_uint_eq(g.id, id);
    ck_assert_uint_eq(g.status, status);
    ck_assert_uint_eq(g.sequence, sequence);
}

static inline void expect_nothing(void)
{
    struct got g;
    ck_assert(!peer_gets(&g));
}

static inline bool peer_at_end(void)
{
    uint8_t b;
    return recv(peer, &b, 1, 0) == 0;
}

static const uint32_t bind_ids[] = {SMPP_bind_transceiver, SMPP_bind_transmitter, SMPP_bind_receiver};

static inline void bound_as(enum session_role role, enum session_bind_type type)
{
    open_session(role);
    if (role == SESSION_SMSC) {
        peer_puts(bind_ids[type], 1);
        turns(2);
        expect(bind_ids[type] | SMPP_RESPONSE_BIT, ESME_ROK, 1);
    } else {
        struct pdu_out out = {.command_id = 0};
        session_bind(s, type, &out);
        turn();
        expect(bind_ids[type], ESME_ROK, 1);
        peer_puts(bind_ids[type] | SMPP_RESPONSE_BIT, 1);
        turn();
        ck_assert_uint_eq(seen.bind_resps, 1);
    }
    ck_assert_int_eq(session_state(s), SESSION_BOUND);
    ck_assert_int_eq(session_bind_type(s), type);
}

static inline uint64_t send_one(struct told *t, unsigned timeout_ms, unsigned flags, enum session_outcome *why)
{
    uint8_t raw[512];
    size_t n = put(raw, s && session_can_send(s) && seen.bind_resps ? SMPP_submit_sm : SMPP_deliver_sm, 0);
    return session_send(s, raw, n, timeout_ms, flags, done, t, why);
}

static inline void run_until_told(unsigned n)
{
    while (told_count < n)
        ev_run(loop, EVRUN_ONCE);
}

static inline void run_until_closed(void)
{
    while (!seen.closed)
        ev_run(loop, EVRUN_ONCE);
}

/* Runs the suite; the exit status. */
static inline int run_suite(Suite *suite)
{
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
