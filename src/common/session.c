/* The SMPP session: its life, its timers and what the owner calls. What the peer sends is in session_in.c, our own
 * requests in session_out.c.
 * What becomes possible during a turn of the loop (parked requests, queued sends, an unbind) is done at its end. */
#include "session_int.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"

enum {
    HIGH_WATER = 128 * 1024,
    LOW_WATER = 32 * 1024,
    MAX_WRITE = 4 * 1024 * 1024,
    LEAVE_MAX_MS = 5000 /* for the last octets */
};

const char *session_bind_type_name(enum session_bind_type type)
{
    static const char *const names[] = {"transceiver", "transmitter", "receiver"};
    return names[type];
}

/* ---- the end ---- */

static void session_free(void *arg)
{
    struct session *s = arg;
    io_run_cancel(&s->work);
    if (s->out)
        pending_clear(s->out);
    if (s->park)
        park_clear(s->park);
    free(s->out);
    free(s->park);
    free(s->name);
    free(s);
}

void session_close(struct session *s, const char *reason)
{
    if (s->state == SESSION_CLOSED)
        return;
    s->state = SESSION_CLOSED;
    ev_timer_stop(io_loop(s->io), &s->timer);
    io_run_cancel(&s->work);
    conn_close(&s->conn);
    session_out_gone(s);
    s->ops->closed(s, s->owner, reason);
    io_defer(s->io, session_free, s);
}

void session_doom(struct session *s, const char *reason)
{
    if (s->doomed || s->state == SESSION_CLOSED || conn_fd(s->conn) == -1)
        return; /* or on_closed is on its way */
    s->doomed = true;
    s->reason = reason;
    io_run(s->io, &s->work);
}

void session_leave(struct session *s, const char *reason)
{
    if (s->phase == PHASE_LEAVING)
        return;
    s->phase = PHASE_LEAVING;
    s->state = SESSION_UNBINDING;
    s->reason = reason;
    conn_close_after_write(s->conn, s->conf->response_ms < LEAVE_MAX_MS ? s->conf->response_ms : LEAVE_MAX_MS);
}

static void on_closed(struct conn *conn, void *owner, int error)
{
    struct session *s = owner;
    (void)conn;
    s->conn = NULL;
    session_close(s, s->reason ? s->reason : error ? strerror(error) : "closed by the peer");
}

/* ---- writing ---- */

bool session_write(struct session *s, const uint8_t *raw, size_t len)
{
    if (conn_write(s->conn, raw, len))
        return true;
    session_doom(s, "the peer does not read");
    return false;
}

void session_write_header(struct session *s, uint32_t command_id, uint32_t status, uint32_t sequence)
{
    uint8_t raw[SMPP_HEADER_SIZE];
    pdu_put_header(raw, command_id, status, sequence);
    session_write(s, raw, sizeof(raw));
}

void session_write_status(struct session *s, uint32_t command_id, uint32_t status, uint32_t sequence)
{
    uint8_t raw[SMPP_HEADER_SIZE + 1];
    bool body = command_id == SMPP_deliver_sm ||
                (status == ESME_ROK && (command_id == SMPP_data_sm || command_id == SMPP_submit_sm));
    pdu_put_header(raw, command_id | SMPP_RESPONSE_BIT, status, sequence);
    if (body) {
        raw[SMPP_HEADER_SIZE] = 0;
        wire_u32_set(raw, sizeof(raw));
    }
    session_write(s, raw, body ? sizeof(raw) : SMPP_HEADER_SIZE);
}

uint32_t session_next_sequence(struct session *s)
{
    do {
        s->sequence = s->sequence >= SMPP_SEQUENCE_MAX ? 1 : s->sequence + 1;
    } while (s->sequence == s->enquire_sequence || (s->out && !pending_sequence_free(s->out, s->sequence)));
    return s->sequence;
}

/* ---- timers ---- */

void session_arm(struct session *s, uint64_t at_ms)
{
    if (at_ms >= s->timer_ms)
        return;
    uint64_t now_ms = util_now_ms();
    s->timer_ms = at_ms;
    ev_timer_stop(io_loop(s->io), &s->timer);
    ev_timer_set(&s->timer, at_ms > now_ms ? (double)(at_ms - now_ms) / 1000.0 : 0., 0.);
    ev_timer_start(io_loop(s->io), &s->timer);
}

static uint64_t stuck_at(const struct session *s, uint64_t now_ms)
{
    if (!conn_congested(s->conn))
        return UINT64_MAX;
    return now_ms - conn_stuck_ms(s->conn) + s->conf->response_ms;
}

static uint64_t enquire_at(const struct session *s)
{
    if (s->enquire_sequence)
        return s->enquire_ms;
    return s->state == SESSION_BOUND && s->conf->enquire_link_ms ? s->read_ms + s->conf->enquire_link_ms : UINT64_MAX;
}

static uint64_t inactivity_at(const struct session *s)
{
    return s->state == SESSION_BOUND && s->conf->inactivity_ms ? s->request_ms + s->conf->inactivity_ms : UINT64_MAX;
}

static uint64_t init_at(const struct session *s)
{
    return s->init_ms && (s->state == SESSION_OPEN || s->state == SESSION_BINDING) ? s->init_ms : UINT64_MAX;
}

static uint64_t unbind_at(const struct session *s)
{
    return s->phase == PHASE_FINISHING || s->phase == PHASE_UNBIND_SENT ? s->unbind_ms : UINT64_MAX;
}

void session_arm_next(struct session *s, uint64_t now_ms)
{
    uint64_t at = earlier(earlier(init_at(s), stuck_at(s, now_ms)), earlier(enquire_at(s), inactivity_at(s)));
    at = earlier(at, earlier(unbind_at(s), session_out_deadline(s, now_ms)));
    if (at != UINT64_MAX)
        session_arm(s, at > now_ms ? at : now_ms + 1);
}

static void enquire(struct session *s, uint64_t now_ms)
{
    uint32_t sequence = session_next_sequence(s);
    s->enquire_sequence = sequence;
    s->enquire_ms = now_ms + s->conf->response_ms;
    session_write_header(s, SMPP_enquire_link, ESME_ROK, sequence);
}

/* The reason to close, or NULL. */
static const char *overdue(const struct session *s, uint64_t now_ms)
{
    if (init_at(s) <= now_ms)
        return s->role == SESSION_SMSC ? "not bound in time" : "no answer to the bind request";
    if (stuck_at(s, now_ms) <= now_ms)
        return "the peer does not read";
    if (s->enquire_sequence && s->enquire_ms <= now_ms)
        return "enquire_link was not answered";
    if (s->phase == PHASE_UNBIND_SENT && s->unbind_ms <= now_ms)
        return "unbind was not answered";
    return NULL;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct session *s = w->data;
    uint64_t now_ms = util_now_ms();
    (void)loop, (void)revents;
    s->timer_ms = UINT64_MAX;
    if (s->phase == PHASE_LEAVING)
        return; /* conn has its own limit */
    const char *reason = overdue(s, now_ms);
    if (reason) {
        session_close(s, reason);
        return;
    }
    session_out_expire(s, now_ms);
    if (s->state == SESSION_CLOSED)
        return;
    if (!s->enquire_sequence && enquire_at(s) <= now_ms)
        enquire(s, now_ms);
    if (inactivity_at(s) <= now_ms) {
        log_info(s->name, "inactive for %u ms, unbinding", s->conf->inactivity_ms);
        session_unbind(s, s->conf->response_ms);
    }
    if (s->state == SESSION_CLOSED)
        return;
    io_run(s->io, &s->work);
    session_arm_next(s, now_ms);
}

/* ---- the end of a turn ---- */

void session_choke(struct session *s)
{
    conn_read_stop(s->conn);
    session_arm(s, stuck_at(s, util_now_ms()));
}

static void on_drained(struct conn *conn, void *owner)
{
    struct session *s = owner;
    conn_read_start(conn);
    io_run(s->io, &s->work);
}

static bool finished(const struct session *s)
{
    if (s->in_hand || session_parked(s))
        return false;
    return s->peer_unbinds || !(session_unanswered(s) || session_queued(s));
}

static void go_on_unbinding(struct session *s)
{
    uint64_t now_ms = util_now_ms();
    if (s->phase != PHASE_FINISHING || (!finished(s) && now_ms < s->unbind_ms))
        return;
    if (s->peer_unbinds) {
        session_write_header(s, SMPP_unbind_resp, ESME_ROK, s->peer_unbind_sequence);
        session_leave(s, "unbound by the peer");
        return;
    }
    s->phase = PHASE_UNBIND_SENT;
    s->unbind_sequence = session_next_sequence(s);
    s->unbind_ms = earlier(now_ms + s->conf->response_ms, s->unbind_by_ms > now_ms ? s->unbind_by_ms : now_ms + 1);
    session_write_header(s, SMPP_unbind, ESME_ROK, s->unbind_sequence);
    session_arm(s, s->unbind_ms);
}

static void on_work(struct io_task *task)
{
    struct session *s = CONTAINER_OF(task, struct session, work);
    if (session_deaf(s))
        return;
    if (s->doomed) {
        session_close(s, s->reason);
        return;
    }
    session_in_unpark(s);
    if (!session_deaf(s))
        session_out_pump(s);
    if (!session_deaf(s))
        go_on_unbinding(s);
    if (!session_deaf(s) && conn_congested(s->conn))
        session_choke(s);
}

/* ---- what the owner calls ---- */

static const struct conn_ops session_conn_ops = {.data = session_in_data, .closed = on_closed, .drained = on_drained};

struct session *session_new(struct io *io, int fd, enum session_role role, const struct session_conf *conf,
                            const struct session_ops *ops, void *owner, const char *name)
{
    struct session *s = xcalloc(1, sizeof(*s));
    struct conn_limits limits = {.high_water = HIGH_WATER,
                                 .low_water = LOW_WATER,
                                 .max_write = MAX_WRITE,
                                 .max_record = conf->max_pdu_bytes,
                                 .first_write = conf->first_write};
    s->io = io;
    s->role = (uint8_t)role;
    s->conf = conf;
    s->ops = ops;
    s->owner = owner;
    s->name = xstrdup(name);
    s->work.run = on_work;
    s->read_ms = s->request_ms = util_now_ms();
    s->timer_ms = UINT64_MAX;
    throttle_init(&s->throttle, conf->max_per_second, s->read_ms);
    ev_timer_init(&s->timer, on_timer, 0., 0.);
    ev_set_priority(&s->timer, EV_MINPRI); /* what has come is read before somebody is said to be late */
    s->timer.data = s;
    s->conn = conn_new(io, fd, &session_conn_ops, s, &limits);
    if (role == SESSION_SMSC && conf->session_init_ms) {
        s->init_ms = s->read_ms + conf->session_init_ms;
        session_arm(s, s->init_ms);
    }
    return s;
}

void session_rename(struct session *s, const char *name)
{
    char *copy = xstrdup(name);
    free(s->name);
    s->name = copy;
}

const char *session_name(const struct session *s)
{
    return s->name;
}

enum session_state session_state(const struct session *s)
{
    return s->state;
}

enum session_bind_type session_bind_type(const struct session *s)
{
    return s->bind_type;
}

uint8_t session_interface_version(const struct session *s)
{
    return s->interface_version ? s->interface_version : 0x33;
}

bool session_can_send(const struct session *s)
{
    unsigned types = s->role == SESSION_SMSC ? AS_RX : AS_TX;
    return s->state == SESSION_BOUND && !s->doomed && types >> s->bind_type & 1;
}

unsigned session_in_hand(const struct session *s)
{
    return s->in_hand;
}

unsigned session_parked(const struct session *s)
{
    return s->park ? s->park->count : 0;
}

/* Encodes into the write buffer. */
static bool write_out(struct session *s, const struct pdu_out *out)
{
    enum pdu_field bad;
    size_t size = pdu_encoded_size(out);
    uint8_t *to = conn_reserve(s->conn, size);
    size_t n = to ? pdu_encode(out, to, size, &bad) : 0;
    if (to)
        conn_commit(s->conn, n);
    if (to && !n)
        log_error(s->name, "%s does not fit into %s", bad < PDU_FIELD_COUNT ? pdu_field_name(bad) : "the whole",
                  smpp_command_name(out->command_id));
    return n > 0;
}

void session_bind(struct session *s, enum session_bind_type type, struct pdu_out *out)
{
    static const uint32_t ids[] = {SMPP_bind_transceiver, SMPP_bind_transmitter, SMPP_bind_receiver};
    if (s->role != SESSION_ESME || s->state != SESSION_OPEN)
        return;
    s->state = SESSION_BINDING;
    s->bind_type = (uint8_t)type;
    s->bind_id = out->command_id = ids[type];
    s->bind_sequence = out->sequence_number = session_next_sequence(s);
    if (!write_out(s, out)) {
        session_doom(s, "the bind request cannot be encoded");
        return;
    }
    if (s->conf->session_init_ms) {
        s->init_ms = util_now_ms() + s->conf->session_init_ms;
        session_arm(s, s->init_ms);
    }
}

void session_accept(struct session *s, const char *system_id)
{
    uint8_t tlv[8];
    static const uint8_t version = SMPP_VERSION_3_4;
    struct wire w = wire_of(tlv, sizeof(tlv));
    if (s->role != SESSION_SMSC || s->state != SESSION_BINDING || s->doomed)
        return;
    struct pdu_out out = {.command_id = s->bind_id | SMPP_RESPONSE_BIT, .sequence_number = s->bind_sequence};
    out.v[PDU_system_id].p = (const uint8_t *)system_id;
    out.v[PDU_system_id].n = (uint32_t)strlen(system_id);
    if (s->interface_version >= SMPP_VERSION_3_4) {
        pdu_put_tlv(&w, SMPP_TLV_sc_interface_version, &version, sizeof(version));
        out.tlvs = tlv;
        out.tlvs_len = (uint32_t)wire_done(&w);
    }
    if (!write_out(s, &out)) {
        session_doom(s, "the bind response cannot be written");
        return;
    }
    s->state = SESSION_BOUND;
    s->init_ms = 0;
    s->request_ms = util_now_ms();
    session_arm_next(s, s->request_ms);
}

void session_reject(struct session *s, uint32_t status)
{
    if (s->role != SESSION_SMSC || s->state != SESSION_BINDING || s->doomed)
        return;
    session_write_status(s, s->bind_id, status, s->bind_sequence);
    session_leave(s, "bind rejected");
}

/* A request in hand is over. */
static void answered(struct session *s)
{
    if (s->in_hand == 0) {
        log_alert(s->name, "a reply to no request");
        return;
    }
    s->in_hand--;
    if (session_parked(s) || s->phase != PHASE_LIVE)
        io_run(s->io, &s->work);
    if (conn_congested(s->conn))
        session_choke(s);
}

uint8_t *session_reply_reserve(struct session *s, size_t max)
{
    if (session_deaf(s))
        return NULL;
    uint8_t *to = conn_reserve(s->conn, max);
    if (!to)
        session_doom(s, "the peer does not read");
    return to;
}

void session_reply_commit(struct session *s, size_t n)
{
    if (session_deaf(s))
        return;
    conn_commit(s->conn, n);
    answered(s);
}

void session_reply(struct session *s, const uint8_t *raw, size_t len)
{
    if (!session_deaf(s) && session_write(s, raw, len))
        answered(s);
}

void session_reply_status(struct session *s, uint32_t command_id, uint32_t status, uint32_t sequence_number)
{
    if (session_deaf(s))
        return;
    session_write_status(s, command_id, status, sequence_number);
    answered(s);
}

void session_unbind(struct session *s, unsigned timeout_ms)
{
    if (s->state == SESSION_OPEN || s->state == SESSION_BINDING) {
        session_leave(s, "unbound before it was bound");
        return;
    }
    if (s->state != SESSION_BOUND)
        return;
    s->state = SESSION_UNBINDING;
    s->phase = PHASE_FINISHING;
    s->enquire_sequence = 0;
    s->unbind_ms = s->unbind_by_ms = util_now_ms() + timeout_ms;
    session_arm(s, s->unbind_ms);
    io_run(s->io, &s->work);
}
