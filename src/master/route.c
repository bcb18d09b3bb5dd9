/* Requests from one worker to an ESME session of another: found in the registry, passed on under an id of the
 * master's, and the result passed back. The owner keeps the time; its death is an outcome too. */
#include "route.h"

#include "log.h"
#include "proc.h"
#include "registry.h"
#include "request.h"
#include "smpp.h"

#define FORWARDS_PER_WORKER 20000

/* Hands it to the session's owner; otherwise why not. */
static enum msg_outcome forward(struct request *r, struct proc *to, const struct msg *msg)
{
    if (to->forward_count >= FORWARDS_PER_WORKER || !proc_keeps_up(to))
        return to->state == PROC_ENDING ? MSG_GONE : MSG_WINDOW_FULL;
    request_forward(r, to);
    return chan_data(to->chan, MSG_SEND_TO, r->forward_id, msg->session, msg->body, msg->len, NULL, 0)
               ? MSG_RESPONSE
               : MSG_WINDOW_FULL;
}

void route_on_send_to(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    struct esme *esme = registry_find(p->m->registry, msg->session);
    enum msg_outcome outcome = MSG_NO_SESSION;
    if (msg->len < 4 + SMPP_HEADER_SIZE) {
        log_alert("route", "worker %u: SEND_TO of %zu octets is none", p->index, msg->len);
        outcome = MSG_REFUSED;
    } else if (esme) {
        struct request *r = request_new(p->m, p, msg->id);
        outcome = r ? forward(r, esme->proc, msg) : MSG_WINDOW_FULL;
        if (r && outcome != MSG_RESPONSE)
            request_free(r);
    }
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
