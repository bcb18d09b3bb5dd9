/* deliver_sm, data_sm and alert_notification from upstreams: choice of worker, and the way back of the answer.
 * Whatever happens to the worker, the upstream is answered once, or its connection has ended. */
#include "deliver.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "log.h"
#include "pick.h"
#include "proc.h"
#include "session.h"
#include "util.h"

#define DELIVERIES_PER_WORKER 20000
#define WORKERS_MAX 1024

struct delivery {
    uint64_t id;
    struct proc *proc;
    uint64_t conn_number; /* the connection may be gone when the answer comes */
    struct bind_conn *conn;
    uint32_t command_id, sequence;
    uint64_t at_ms;
    struct delivery *prev, *next; /* in proc->deliveries; in the free list */
    UT_hash_handle hh;
};

struct deliveries {
    struct delivery *by_id, *spare;
    uint64_t last_id;
};

struct deliveries *deliveries_new(void)
{
    return xcalloc(1, sizeof(struct deliveries));
}

void deliveries_free(struct deliveries **deliveries)
{
    struct deliveries *t = *deliveries;
    struct delivery *d, *tmp;
    if (!t)
        return;
    HASH_ITER (hh, t->by_id, d, tmp) {
        HASH_DEL(t->by_id, d);
        free(d);
    }
    LL_FOREACH_SAFE (t->spare, d, tmp)
        free(d);
    free(t);
    *deliveries = NULL;
}

unsigned deliveries_count(const struct deliveries *deliveries)
{
    return HASH_COUNT(deliveries->by_id);
}

static struct delivery *delivery_new(struct deliveries *t, struct proc *p)
{
    struct delivery *d = t->spare;
    if (d)
        LL_DELETE(t->spare, d);
    else
        d = xmalloc(sizeof(*d));
    *d = (struct delivery){.id = ++t->last_id, .proc = p};
    HASH_ADD(hh, t->by_id, id, sizeof(d->id), d);
    DL_APPEND(p->deliveries, d);
    p->delivery_count++;
    return d;
}

static void delivery_free(struct deliveries *t, struct delivery *d)
{
    HASH_DEL(t->by_id, d);
    DL_DELETE(d->proc->deliveries, d);
    d->proc->delivery_count--;
    LL_PREPEND(t->spare, d);
}

/* One pair of addresses stays with one worker as long as that one keeps up: its messages stay in order. */
static struct proc *choose(struct master *m, const struct pdu *pdu)
{
    bool up[WORKERS_MAX];
    unsigned n = m->conf->workers < WORKERS_MAX ? m->conf->workers : WORKERS_MAX;
    size_t source_len, destination_len;
    const uint8_t *source = pdu_str(pdu, PDU_source_addr, &source_len);
    const uint8_t *destination = pdu_str(pdu, PDU_destination_addr, &destination_len);
    for (unsigned i = 0; i < n; i++)
        up[i] = proc_keeps_up(&m->procs[i]) && m->procs[i].delivery_count < DELIVERIES_PER_WORKER;
    int i = pick_by_hash(up, n, pick_pair_hash(source, source_len, destination, destination_len));
    return i == -1 ? NULL : &m->procs[i];
}

static bool hand_over(struct bind_conn *conn, struct proc *p, const struct pdu *pdu, uint64_t id)
{
    uint8_t head[4];
    wire_u32_set(head, bind_conn_bind(conn)->index);
    return chan_data(p->chan, MSG_DELIVER, id, bind_conn_number(conn), head, sizeof(head), pdu->raw,
                     pdu->command_length);
}

void deliver_request(struct bind_conn *conn, const struct pdu *pdu)
{
    struct master *m = bind_conn_bind(conn)->m;
    struct proc *p = choose(m, pdu);
    if (pdu->command_id == SMPP_alert_notification) {
        if (!p || !hand_over(conn, p, pdu, 0))
            log_warn(bind_conn_name(conn), "alert_notification dropped: no worker keeps up");
        return;
    }
    struct delivery *d = p ? delivery_new(m->deliveries, p) : NULL;
    if (d && hand_over(conn, p, pdu, d->id)) {
        d->conn = conn;
        d->conn_number = bind_conn_number(conn);
        d->command_id = pdu->command_id;
        d->sequence = pdu->sequence_number;
        d->at_ms = util_now_ms();
        return;
    }
    if (d)
        delivery_free(m->deliveries, d);
    bind_refused_deliver(bind_conn_bind(conn), p ? "its worker's channel is full" : "no worker keeps up");
    session_reply_status(bind_conn_session(conn), pdu->command_id, ESME_RX_T_APPN, pdu->sequence_number);
}

/* The session it came on, or NULL when that has gone. */
static struct session *origin(const struct delivery *d)
{
    return bind_conn_number(d->conn) == d->conn_number ? bind_conn_session(d->conn) : NULL;
}

static void refuse(struct delivery *d)
{
    struct session *s = origin(d);
    if (s)
        session_reply_status(s, d->command_id, ESME_RX_T_APPN, d->sequence);
}

void deliver_give_up(struct proc *p, uint64_t before_ms)
{
    unsigned n = 0;
    while (p->deliveries && p->deliveries->at_ms < before_ms) {
        refuse(p->deliveries);
        delivery_free(p->m->deliveries, p->deliveries);
        n++;
    }
    if (n)
        log_warn("deliver", "%u in the hand of worker %u refused to their upstreams with ESME_RX_T_APPN", n, p->index);
}

static void answer(struct session *s, const struct delivery *d, const struct msg *msg)
{
    uint8_t *to = session_reply_reserve(s, msg->len);
    if (!to)
        return;
    memcpy(to, msg->body, msg->len);
    pdu_raw_set_sequence(to, d->sequence);
    session_reply_commit(s, msg->len);
}

void deliver_on_done(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    struct deliveries *t = p->m->deliveries;
    struct delivery *d;
    HASH_FIND(hh, t->by_id, &msg->id, sizeof(msg->id), d);
    if (!d || d->proc != p)
        return; /* answered already, when the worker stood still */
    struct session *s = origin(d);
    if (msg->len < SMPP_HEADER_SIZE || wire_u32_at(msg->body) != msg->len ||
        pdu_raw_command_id(msg->body) != (d->command_id | SMPP_RESPONSE_BIT)) {
        log_alert("deliver", "worker %u: %zu octets are no answer to %s", p->index, msg->len,
                  smpp_command_name(d->command_id));
        refuse(d);
    } else if (s) {
        answer(s, d, msg);
    }
    delivery_free(t, d);
}
