/* Our own requests of a session: window, queue, pace, deadlines, and the one outcome that each gets.
 * The time of the wire is the session's; nothing here waits. */
#include "session_int.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"

enum {
    LATE_FACTOR = 10, /* times response_ms */
    LATE_MAX_MS = 600000,
    LATE_MAX = 65536 /* entries; beyond, the oldest is given up */
};

/* Frees the entry, or, when a late answer is to be told, keeps it until then; then calls. */
static void finish(struct session *s, struct pending *p, enum session_outcome outcome, const uint8_t *resp, size_t len)
{
    session_done_fn *done = p->done;
    void *arg = p->arg;
    bool sent = p->sequence_number != 0;
    bool late = p->list == PENDING_LATE || (p->flags & SESSION_SEND_LATE && sent && outcome != SESSION_TIMEOUT);
    bool tell = done && (!p->cancelled || late);
    pending_move(s->out, p, PENDING_FREE);
    if (tell)
        done(arg, outcome, sent, resp, len);
}

static void keep_for_late(struct session *s, struct pending *p, uint64_t now_ms)
{
    uint64_t keep_ms = (uint64_t)s->conf->response_ms * LATE_FACTOR;
    session_done_fn *done = p->cancelled ? NULL : p->done;
    void *arg = p->arg;
    p->deadline_ms = now_ms + (keep_ms < LATE_MAX_MS ? keep_ms : LATE_MAX_MS);
    pending_move(s->out, p, PENDING_LATE);
    if (done)
        done(arg, SESSION_TIMEOUT, true, NULL, 0);
    if (s->state != SESSION_CLOSED && pending_count(s->out, PENDING_LATE) > LATE_MAX)
        finish(s, pending_first(s->out, PENDING_LATE), SESSION_GONE, NULL, 0);
}

static bool window_open(const struct session *s)
{
    return session_out_count(s, PENDING_WIRE) < s->conf->window_out && !conn_congested(s->conn);
}

/* Registered before it is written. */
static void put_on_wire(struct session *s, struct pending *p, const uint8_t *raw, size_t len, uint64_t now_ms)
{
    uint32_t sequence = session_next_sequence(s);
    if (!p->timeout_ms)
        p->deadline_ms = now_ms + s->conf->response_ms;
    pending_number(s->out, p, sequence);
    s->request_ms = now_ms;
    session_arm(s, p->deadline_ms);
    uint8_t *to = conn_reserve(s->conn, len);
    if (!to) {
        session_doom(s, "the peer does not read");
        return;
    }
    memcpy(to, raw, len);
    pdu_raw_set_sequence(to, sequence);
    conn_commit(s->conn, len);
}

static bool may_send_now(struct session *s, uint64_t now_ms)
{
    return !session_out_count(s, PENDING_QUEUED) && window_open(s) && throttle_take(&s->throttle, now_ms);
}

static uint64_t refuse(enum session_outcome *why, enum session_outcome reason)
{
    if (why)
        *why = reason;
    return 0;
}

static bool is_request_in_direction(const struct session *s, const uint8_t *raw, size_t len)
{
    if (s->state != SESSION_BOUND || s->doomed || len < SMPP_HEADER_SIZE || wire_u32_at(raw) != len)
        return false;
    uint32_t id = pdu_raw_command_id(raw);
    unsigned types = session_may_send(id, s->role);
    return types != UINT_MAX && types >> s->bind_type & 1 && id != SMPP_alert_notification;
}

uint64_t session_send(struct session *s, const uint8_t *raw, size_t len, unsigned timeout_ms, unsigned flags,
                      session_done_fn *done, void *arg, enum session_outcome *why)
{
    if (!is_request_in_direction(s, raw, len))
        return refuse(why, SESSION_REFUSED);
    uint64_t now_ms = util_now_ms();
    bool now = may_send_now(s, now_ms);
    if (!now && session_out_count(s, PENDING_QUEUED) >= s->conf->queue_out) {
        s->refused = true;
        return refuse(why, SESSION_WINDOW_FULL);
    }
    if (!s->out) {
        s->out = xmalloc(sizeof(*s->out));
        pending_init(s->out);
    }
    struct pending *p = pending_add(s->out, now ? PENDING_WIRE : PENDING_QUEUED);
    uint64_t ticket = p->ticket;
    p->done = done;
    p->arg = arg;
    p->command_id = pdu_raw_command_id(raw);
    p->timeout_ms = timeout_ms;
    p->flags = flags;
    p->deadline_ms = now_ms + (timeout_ms ? timeout_ms : s->conf->response_ms);
    if (now) {
        put_on_wire(s, p, raw, len, now_ms);
        return ticket;
    }
    p->raw = xmalloc(len);
    memcpy(p->raw, raw, len);
    p->raw_len = (uint32_t)len;
    session_arm(s, p->deadline_ms);
    io_run(s->io, &s->work);
    return ticket;
}

bool session_send_alert(struct session *s, const uint8_t *raw, size_t len)
{
    unsigned types = session_may_send(SMPP_alert_notification, s->role);
    if (s->state != SESSION_BOUND || s->doomed || !(types >> s->bind_type & 1) || len < SMPP_HEADER_SIZE ||
        conn_congested(s->conn))
        return false;
    uint8_t *to = conn_reserve(s->conn, len);
    if (!to)
        return false;
    memcpy(to, raw, len);
    pdu_raw_set_sequence(to, session_next_sequence(s));
    conn_commit(s->conn, len);
    s->request_ms = util_now_ms();
    return true;
}

bool session_cancel(struct session *s, uint64_t ticket)
{
    struct pending *p = s->out ? pending_by_ticket(s->out, ticket) : NULL;
    if (!p)
        return false;
    if (p->sequence_number) {
        p->cancelled = true;
        return false;
    }
    pending_move(s->out, p, PENDING_FREE);
    if (s->refused && s->state != SESSION_CLOSED)
        io_run(s->io, &s->work);
    return true;
}

unsigned session_unanswered(const struct session *s)
{
    return session_out_count(s, PENDING_WIRE);
}

unsigned session_queued(const struct session *s)
{
    return session_out_count(s, PENDING_QUEUED);
}

bool session_out_answer(struct session *s, const uint8_t *raw, size_t len)
{
    uint32_t id = pdu_raw_command_id(raw);
    struct pending *p = s->out ? pending_by_sequence(s->out, pdu_raw_sequence(raw)) : NULL;
    if (!p || (id != (uint32_t)SMPP_generic_nack && id != (p->command_id | SMPP_RESPONSE_BIT)))
        return false;
    finish(s, p, SESSION_RESPONSE, raw, len);
    if (s->state != SESSION_CLOSED && (s->refused || s->phase != PHASE_LIVE || session_queued(s)))
        io_run(s->io, &s->work);
    return true;
}

static void tell_room(struct session *s)
{
    if (!s->refused || s->state != SESSION_BOUND)
        return;
    if (session_queued(s) < s->conf->queue_out || (s->conf->queue_out == 0 && window_open(s))) {
        s->refused = false;
        if (s->ops->writable)
            s->ops->writable(s, s->owner);
    }
}

void session_out_pump(struct session *s)
{
    uint64_t now_ms = util_now_ms();
    while (session_queued(s) && window_open(s) && !s->doomed) {
        if (!throttle_take(&s->throttle, now_ms)) {
            session_arm(s, throttle_next_ms(&s->throttle, now_ms));
            break;
        }
        struct pending *p = pending_first(s->out, PENDING_QUEUED);
        uint8_t *raw = p->raw;
        p->raw = NULL;
        pending_move(s->out, p, PENDING_WIRE);
        put_on_wire(s, p, raw, p->raw_len, now_ms);
        free(raw);
    }
    tell_room(s);
}

static void collect_expired(struct session *s, enum pending_list list, uint64_t now_ms)
{
    struct pending *next;
    for (struct pending *p = pending_first(s->out, list); p; p = next) {
        next = pending_next(s->out, p);
        if (p->deadline_ms <= now_ms)
            pending_move(s->out, p, PENDING_EXPIRED);
    }
}

/* First collected, then told: what is called may send, cancel or close. */
void session_out_expire(struct session *s, uint64_t now_ms)
{
    struct pending *p;
    if (!s->out)
        return;
    collect_expired(s, PENDING_QUEUED, now_ms);
    collect_expired(s, PENDING_WIRE, now_ms);
    while ((p = pending_first(s->out, PENDING_LATE)) && p->deadline_ms <= now_ms && s->state != SESSION_CLOSED)
        finish(s, p, SESSION_GONE, NULL, 0);
    while (s->state != SESSION_CLOSED && (p = pending_first(s->out, PENDING_EXPIRED))) {
        if (!p->sequence_number)
            finish(s, p, SESSION_WINDOW_FULL, NULL, 0);
        else if (p->flags & SESSION_SEND_LATE)
            keep_for_late(s, p, now_ms);
        else
            finish(s, p, SESSION_TIMEOUT, NULL, 0);
    }
}

static uint64_t earliest(const struct session *s, enum pending_list list)
{
    uint64_t at = UINT64_MAX;
    for (struct pending *p = pending_first(s->out, list); p; p = pending_next(s->out, p))
        if (p->deadline_ms < at)
            at = p->deadline_ms;
    return at;
}

uint64_t session_out_deadline(const struct session *s, uint64_t now_ms)
{
    if (!s->out)
        return UINT64_MAX;
    uint64_t at = earliest(s, PENDING_WIRE);
    uint64_t queued = earliest(s, PENDING_QUEUED);
    const struct pending *late = pending_first(s->out, PENDING_LATE);
    if (queued < at)
        at = queued;
    if (late && late->deadline_ms < at)
        at = late->deadline_ms;
    if (session_queued(s) && window_open(s)) {
        uint64_t token = throttle_next_ms(&s->throttle, now_ms);
        if (token < at)
            at = token;
    }
    return at;
}

/* An outcome may cancel others, but send none: the session is closed. */
void session_out_gone(struct session *s)
{
    static const enum pending_list lists[] = {PENDING_EXPIRED, PENDING_WIRE, PENDING_QUEUED, PENDING_LATE};
    struct pending *p;
    if (!s->out)
        return;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        while ((p = pending_first(s->out, lists[i])))
            finish(s, p, SESSION_GONE, NULL, 0);
}
