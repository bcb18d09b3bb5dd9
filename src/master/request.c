/* The table of the workers' requests, and those that go upstream. */
#include "request.h"

#include <stdlib.h>
#include <utlist.h>

#include "bind.h"
#include "log.h"
#include "proc.h"
#include "session.h"
#include "util.h"

#define REQUESTS_PER_WORKER 200000 /* far above what windows and queues add up to */
#define SUBMIT_HEAD 9              /* bind, timeout, flags */

struct requests {
    struct request *by_key, *by_forward, *spare;
    uint64_t last_forward_id;
};

struct requests *requests_new(void)
{
    return xcalloc(1, sizeof(struct requests));
}

void requests_free(struct requests **requests)
{
    struct requests *t = *requests;
    struct request *r, *tmp;
    if (!t)
        return;
    HASH_CLEAR(forward_hh, t->by_forward);
    HASH_ITER (hh, t->by_key, r, tmp) {
        HASH_DEL(t->by_key, r);
        free(r);
    }
    LL_FOREACH_SAFE (t->spare, r, tmp)
        free(r);
    free(t);
    *requests = NULL;
}

unsigned requests_count(const struct requests *requests)
{
    return HASH_COUNT(requests->by_key);
}

static struct request *find(struct requests *t, const struct proc *from, uint64_t id)
{
    struct request wanted = {.key = {.id = id, .worker = from->index}}, *r;
    HASH_FIND(hh, t->by_key, &wanted.key, sizeof(wanted.key), r);
    return r;
}

struct request *request_new(struct master *m, struct proc *from, uint64_t id)
{
    struct requests *t = m->requests;
    if (from->request_count >= REQUESTS_PER_WORKER || find(t, from, id))
        return NULL;
    struct request *r = t->spare;
    if (r)
        LL_DELETE(t->spare, r);
    else
        r = xmalloc(sizeof(*r));
    *r = (struct request){.key = {.id = id, .worker = from->index}, .m = m, .from = from};
    HASH_ADD(hh, t->by_key, key, sizeof(r->key), r);
    DL_APPEND(from->requests, r);
    from->request_count++;
    return r;
}

/* Nobody waits for it any longer. */
static void disown(struct request *r)
{
    HASH_DELETE(hh, r->m->requests->by_key, r);
    DL_DELETE(r->from->requests, r);
    r->from->request_count--;
    r->from = NULL;
}

void request_free(struct request *r)
{
    struct requests *t = r->m->requests;
    if (r->from)
        disown(r);
    if (r->to) {
        HASH_DELETE(forward_hh, t->by_forward, r);
        DL_DELETE2(r->to->forwards, r, to_prev, to_next);
        r->to->forward_count--;
    }
    LL_PREPEND(t->spare, r);
}

void request_forward(struct request *r, struct proc *to)
{
    struct requests *t = r->m->requests;
    r->to = to;
    r->forward_id = ++t->last_forward_id;
    HASH_ADD(forward_hh, t->by_forward, forward_id, sizeof(r->forward_id), r);
    DL_APPEND2(to->forwards, r, to_prev, to_next);
    to->forward_count++;
}

struct request *request_by_forward(struct master *m, uint64_t forward_id)
{
    struct request *r;
    HASH_FIND(forward_hh, m->requests->by_forward, &forward_id, sizeof(forward_id), r);
    return r;
}

/* A result that cannot be handed over would be waited for without end. */
void request_result(struct proc *to, uint64_t id, enum msg_outcome outcome, bool sent, bool late, const uint8_t *resp,
                    size_t len)
{
    uint8_t head[3] = {(uint8_t)outcome, sent, late};
    if (!to->chan)
        return;
    if (!chan_data(to->chan, MSG_RESULT, id, 0, head, sizeof(head), resp, len))
        proc_kill(to, "its channel is full");
}

static void on_done(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len)
{
    struct request *r = arg;
    bool more = outcome == SESSION_TIMEOUT && r->wants_late;
    if (r->from && !(more && r->late))
        request_result(r->from, r->key.id, (enum msg_outcome)outcome, sent, r->late, resp, len);
    if (more)
        r->late = true;
    else
        request_free(r);
}

void request_on_submit(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    struct wire w = wire_of(msg->body, msg->len);
    uint32_t bind = wire_get_u32(&w), timeout_ms = wire_get_u32(&w);
    unsigned flags = wire_get_u8(&w);
    size_t len = wire_left(&w);
    enum msg_outcome why = MSG_WINDOW_FULL;
    if (w.error || len < SMPP_HEADER_SIZE || wire_u32_at(w.p) != len || bind >= p->m->conf->bind_count) {
        log_alert("request", "worker %u: SUBMIT of %zu octets is none", p->index, msg->len);
        request_result(p, msg->id, MSG_REFUSED, false, false, NULL, 0);
        return;
    }
    struct request *r = request_new(p->m, p, msg->id);
    if (r) {
        r->wants_late = flags & SESSION_SEND_LATE;
        r->ticket = bind_send(&p->m->binds[bind], w.p, len, timeout_ms, flags, on_done, r, &r->conn, &why);
    }
    if (r && r->ticket)
        return;
    if (r)
        request_free(r);
    request_result(p, msg->id, why, false, false, NULL, 0);
}

/* Takes back what is still queued. Afterwards it is free, or waits for what session.h promises to say still. */
static void take_back(struct request *r)
{
    bool taken = session_cancel(bind_conn_session(r->conn), r->ticket);
    if (taken && r->from && r->wants_late)
        request_result(r->from, r->key.id, MSG_WINDOW_FULL, false, true, NULL, 0);
    if (taken || !r->wants_late)
        request_free(r);
    else
        r->late = true;
}

void request_on_cancel(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    struct request *r = find(p->m->requests, p, msg->id);
    if (!r || r->late)
        return;
    if (r->conn) {
        take_back(r);
        return;
    }
    if (r->to && r->to->chan)
        chan_data(r->to->chan, MSG_CANCEL, r->forward_id, 0, NULL, 0, NULL, 0);
    request_free(r);
}

void requests_worker_gone(struct master *m, struct proc *p)
{
    struct request *r, *tmp;
    (void)m;
    DL_FOREACH_SAFE (p->requests, r, tmp) {
        if (!r->conn) {
            request_free(r);
            continue;
        }
        disown(r);
        if (!r->late)
            take_back(r);
    }
    DL_FOREACH_SAFE2(p->forwards, r, tmp, to_next)
    {
        request_result(r->from, r->key.id, MSG_GONE, true, false, NULL, 0);
        request_free(r);
    }
}
