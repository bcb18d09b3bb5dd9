/* Requests from one worker to an ESME session of another: found in the registry, passed on under an id of the
 * master's, and the result passed back. The owner keeps the time; its death is an outcome too. */
#include "route.h"

#include "log.h"
#include "proc.h"
#include "registry.h"
#include "request.h"
#include "smpp.h"

#define FORWARDS_PER_WORKER 20000

/* A SEND_TO taken apart. */
struct send_to {
    const uint8_t *timeout_ms; /* u32, as it came */
    char system_id[256];       /* when no session is named */
    const uint8_t *raw;
    size_t len;
};

static int send_to_read(struct send_to *s, const struct msg *msg)
{
    struct wire w = wire_of(msg->body, msg->len);
    s->timeout_ms = wire_take(&w, 4);
    if (msg->session == 0) {
        size_t n = wire_get_u8(&w);
        const uint8_t *system_id = wire_take(&w, n);
        if (system_id)
            memcpy(s->system_id, system_id, n);
        s->system_id[w.error ? 0 : n] = 0;
    }
    s->raw = w.p;
    s->len = wire_left(&w);
    return w.error || s->len < SMPP_HEADER_SIZE ? -1 : 0;
}

/* Hands it to the session's owner; otherwise why not. */
static enum msg_outcome forward(struct request *r, const struct esme *esme, const struct send_to *s)
{
    struct proc *to = esme->proc;
    if (to->forward_count >= FORWARDS_PER_WORKER || !proc_keeps_up(to))
        return to->state == PROC_ENDING ? MSG_GONE : MSG_WINDOW_FULL;
    request_forward(r, to);
    return chan_data(to->chan, MSG_SEND_TO, r->forward_id, esme->number, s->timeout_ms, 4, s->raw, s->len)
               ? MSG_RESPONSE
               : MSG_WINDOW_FULL;
}

static enum msg_outcome send_to(struct proc *from, const struct msg *msg)
{
    struct send_to s;
    enum msg_outcome outcome = MSG_NO_SESSION;
    if (send_to_read(&s, msg) < 0) {
        log_alert("route", "worker %u: SEND_TO of %zu octets is none", from->index, msg->len);
        return MSG_REFUSED;
    }
    struct registry *registry = from->m->registry;
    const struct esme *esme =
        msg->session ? registry_find(registry, msg->session) : registry_receiver(registry, s.system_id, &outcome);
    if (!esme)
        return outcome;
    struct request *r = request_new(from->m, from, msg->id);
    outcome = r ? forward(r, esme, &s) : MSG_WINDOW_FULL;
    if (r && outcome != MSG_RESPONSE)
        request_free(r);
    return outcome;
}

void route_on_send_to(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    enum msg_outcome outcome = send_to(p, msg);
    if (outcome != MSG_RESPONSE)
        request_result(p, msg->id, outcome, false, false, NULL, 0);
}

void route_on_result(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    struct request *r = request_by_forward(p->m, msg->id);
    struct wire w = wire_of(msg->body, msg->len);
    enum msg_outcome outcome = (enum msg_outcome)wire_get_u8(&w);
    bool sent = wire_get_u8(&w);
    bool late = wire_get_u8(&w);
    if (!r || r->to != p || w.error || late)
        return; /* cancelled meanwhile */
    request_result(r->from, r->key.id, outcome, sent, false, w.p, wire_left(&w));
    request_free(r);
}
