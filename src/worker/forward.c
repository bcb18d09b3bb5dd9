/* SEND_TO: requests of other workers for ESME sessions of ours. They are sent a turn of the loop later, after Python
 * has run: a receipt that another worker found in Redis does not pass the answer to its message, whose handler waits
 * here for its own reply from Redis and finds it in the same turn. */
#include "forward.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "util.h"
#include "worker_int.h"

/* What is kept of a SEND_TO, followed by its PDU. */
struct held {
    bool cancelled;
    uint64_t id, session;
    uint32_t timeout_ms, len;
};

/* One that is on its way. */
struct forward {
    struct forwards *all;
    uint64_t id, ticket;
    struct session *session;
    UT_hash_handle hh;
};

/*  buf ... len ... cap; holds what one read of the channel brings */
struct forwards {
    struct worker *worker;
    struct io_task task;
    uint8_t *buf;
    size_t len, cap;
    struct forward *by_id;
};

static void send_result(struct worker *w, uint64_t id, enum msg_outcome outcome, bool sent, const uint8_t *resp,
                        size_t len)
{
    const uint8_t head[3] = {(uint8_t)outcome, sent, 0};
    if (w->chan)
        chan_data(w->chan, MSG_RESULT, id, 0, head, sizeof(head), resp, resp ? len : 0);
}

static void on_done(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len)
{
    struct forward *f = arg;
    send_result(f->all->worker, f->id, (enum msg_outcome)outcome, sent, resp, len);
    HASH_DEL(f->all->by_id, f);
    free(f);
}

/* Nothing answers an alert_notification: written is done. */
static void send_alert(struct worker *w, uint64_t id, struct session *session, const uint8_t *raw, size_t len)
{
    uint8_t written[SMPP_HEADER_SIZE];
    pdu_put_header(written, SMPP_alert_notification, ESME_ROK, 0);
    if (session_send_alert(session, raw, len))
        send_result(w, id, MSG_RESPONSE, true, written, sizeof(written));
    else
        send_result(w, id, MSG_WINDOW_FULL, false, NULL, 0);
}

static void send_request(struct forwards *all, struct session *session, const struct held *held, const uint8_t *raw)
{
    struct worker *w = all->worker;
    enum session_outcome outcome = SESSION_REFUSED;
    struct forward *f = xmalloc(sizeof(*f));
    *f = (struct forward){.all = all, .id = held->id, .session = session};
    HASH_ADD(hh, all->by_id, id, sizeof(f->id), f);
    f->ticket = session_send(session, raw, held->len, held->timeout_ms, 0, on_done, f, &outcome);
    if (f->ticket == 0) {
        on_done(f, outcome, false, NULL, 0);
        return;
    }
    if (pdu_raw_command_id(raw) == SMPP_deliver_sm)
        stats_add(&w->stats->deliver_sm_out, 1);
}

static void send_held(struct forwards *all, const struct held *held, const uint8_t *raw)
{
    struct worker *w = all->worker;
    enum msg_outcome why = MSG_NO_SESSION;
    struct session *session = esme_session(w->esmes, held->session, &why);
    if (!session)
        send_result(w, held->id, why, false, NULL, 0);
    else if (pdu_raw_command_id(raw) == SMPP_alert_notification)
        send_alert(w, held->id, session, raw, held->len);
    else
        send_request(all, session, held, raw);
}

static void run(struct io_task *task)
{
    struct forwards *f = CONTAINER_OF(task, struct forwards, task);
    for (size_t at = 0; at < f->len;) {
        struct held held;
        memcpy(&held, f->buf + at, sizeof(held));
        if (!held.cancelled)
            send_held(f, &held, f->buf + at + sizeof(held));
        at += sizeof(held) + held.len;
    }
    f->len = 0;
}

void forwards_add(struct forwards *f, const struct msg *msg)
{
    struct wire w = wire_of(msg->body, msg->len);
    struct held held = {.id = msg->id, .session = msg->session, .timeout_ms = wire_get_u32(&w)};
    if (w.error || wire_left(&w) < SMPP_HEADER_SIZE) {
        send_result(f->worker, msg->id, MSG_NO_SESSION, false, NULL, 0);
        return;
    }
    held.len = (uint32_t)wire_left(&w);
    size_t need = f->len + sizeof(held) + held.len;
    if (need > f->cap) {
        f->cap = 2 * need;
        f->buf = xrealloc(f->buf, f->cap);
    }
    memcpy(f->buf + f->len, &held, sizeof(held));
    memcpy(f->buf + f->len + sizeof(held), w.p, held.len);
    f->len = need;
    io_run(f->worker->io, &f->task);
}

static void cancel_held(struct forwards *f, uint64_t id)
{
    struct held held;
    for (size_t at = 0; at < f->len; at += sizeof(held) + held.len) {
        memcpy(&held, f->buf + at, sizeof(held));
        held.cancelled |= held.id == id;
        memcpy(f->buf + at, &held, sizeof(held));
    }
}

void forwards_cancel(struct forwards *f, uint64_t id)
{
    struct forward *one;
    HASH_FIND(hh, f->by_id, &id, sizeof(id), one);
    if (!one) {
        cancel_held(f, id);
        return;
    }
    session_cancel(one->session, one->ticket);
    HASH_DEL(f->by_id, one);
    free(one);
}

struct forwards *forwards_new(struct worker *w)
{
    struct forwards *f = xcalloc(1, sizeof(*f));
    f->worker = w;
    f->task.run = run;
    return f;
}
