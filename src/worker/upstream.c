/* Requests of upstreams: master → handler → master, with the connection's number and the master's id. */
#include "worker_int.h"

#include <stdlib.h>
#include <time.h>
#include <uthash.h>

#include "log.h"
#include "py_host.h"
#include "util.h"

/* One connection of a bind that is up. */
struct upstream {
    uint64_t number;
    unsigned bind;
    struct py_session *py;
    UT_hash_handle hh;
};

struct upstreams {
    struct worker *worker;
    struct upstream *by_number;
};

struct upstreams *upstreams_new(struct worker *worker)
{
    struct upstreams *u = xcalloc(1, sizeof(*u));
    u->worker = worker;
    return u;
}

static struct upstream *upstream_find(struct upstreams *upstreams, uint64_t number)
{
    struct upstream *u;
    HASH_FIND(hh, upstreams->by_number, &number, sizeof(number), u);
    return u;
}

static struct upstream *upstream_add(struct upstreams *upstreams, uint64_t number, const struct msg_bind_state *state)
{
    struct worker *w = upstreams->worker;
    struct timespec now;
    char session_id[40];
    worker_session_id(w, number, session_id);
    clock_gettime(CLOCK_REALTIME, &now);
    const char *name = w->conf->binds[state->bind].name;
    struct py_session_info info = {
        .kind = "bind",
        .session_id = session_id,
        .system_id = name,
        .client_addr = state->addr,
        .bind_type = session_bind_type_name((enum session_bind_type)state->bind_type),
        .bind = name,
        .peer_system_id = state->system_id,
        .bound_at = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
    };
    struct upstream *u = xcalloc(1, sizeof(*u));
    u->number = number;
    u->bind = state->bind;
    u->py = py_session_new(&info);
    HASH_ADD(hh, upstreams->by_number, number, sizeof(u->number), u);
    return u;
}

void upstream_state(struct upstreams *upstreams, const struct msg *msg)
{
    struct msg_bind_state state;
    struct wire w = wire_of(msg->body, msg->len);
    if (msg_get_bind_state(&w, &state) < 0 || state.bind >= upstreams->worker->conf->bind_count) {
        log_alert("channel", "BIND_STATE that is none, %zu octets", msg->len);
        return;
    }
    struct upstream *u = upstream_find(upstreams, msg->session);
    if (state.up && !u)
        u = upstream_add(upstreams, msg->session, &state);
    if (!u)
        return;
    if (state.notify)
        py_host_session_event(state.up ? "bound" : "unbound", u->py);
    if (!state.up) {
        HASH_DEL(upstreams->by_number, u);
        py_session_free(&u->py);
        free(u);
    }
}

/* deliver_sm_resp and data_sm_resp have a message_id (sections 4.6.2, 4.7.2), empty unless the handler gave one; errors
 * have no body, but for the parameters a handler gave to data_sm. */
static void answer_deliver(const struct py_call *call, const struct py_answer *answer)
{
    struct worker *w = call->owner;
    struct pdu_out plain = {.command_status = answer->status, .header_only = answer->status != ESME_ROK};
    struct pdu_out *out = answer->body ? answer->body : &plain;
    enum pdu_field bad;
    out->command_id = call->command_id | SMPP_RESPONSE_BIT;
    out->sequence_number = call->sequence_number;
    if (!answer->body && answer->message_id && call->command_id == SMPP_data_sm) {
        out->v[PDU_message_id].p = (const uint8_t *)answer->message_id;
        out->v[PDU_message_id].n = (uint32_t)answer->message_id_len;
    }
    size_t size = pdu_encoded_size(out);
    uint8_t *body = w->chan ? chan_begin(w->chan, size) : NULL;
    if (body)
        chan_send(w->chan, MSG_DELIVER_DONE, call->id, call->session, pdu_encode(out, body, size, &bad));
}

static void deliver(struct worker *w, struct upstream *u, const struct py_call *call, const struct pdu *pdu)
{
    if (py_host_has_handler(pdu->command_id)) {
        py_host_pdu(call, pdu, u->py);
        return;
    }
    struct py_answer answer = {.status = pdu->command_id == SMPP_deliver_sm ? ESME_ROK : ESME_RSYSERR};
    if (pdu->command_id == SMPP_deliver_sm)
        worker_count_default(w, "deliver_sm");
    if (pdu->command_id != SMPP_alert_notification)
        answer_deliver(call, &answer);
}

void upstream_deliver(struct upstreams *upstreams, const struct msg *msg)
{
    struct worker *w = upstreams->worker;
    struct pdu pdu;
    if (msg->len < 4 + SMPP_HEADER_SIZE || pdu_decode(&pdu, msg->body + 4, msg->len - 4) != ESME_ROK) {
        log_alert("channel", "DELIVER with a PDU that does not decode, %zu octets", msg->len);
        return;
    }
    struct py_call call = {
        .answer = answer_deliver,
        .owner = w,
        .id = msg->id,
        .session = msg->session,
        .command_id = pdu.command_id,
        .sequence_number = pdu.sequence_number,
        .fail_status = gateway_fail_status(pdu.command_id, true),
    };
    struct upstream *u = upstream_find(upstreams, msg->session);
    stats_add(&w->stats->deliver_sm_in, 1);
    if (u) {
        deliver(w, u, &call, &pdu);
    } else {
        struct py_answer answer = {.status = ESME_RX_T_APPN};
        answer_deliver(&call, &answer);
    }
}
