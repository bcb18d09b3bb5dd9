/* ESME sessions: each bind_* goes through on_bind and the master's grant, each request to its handler, each answer
 * back. */
#include "worker_int.h"

#include <stdio.h>
#include <time.h>
#include <uthash.h>
#include <utlist.h>

#include "log.h"
#include "py_host.h"
#include "util.h"

/* Lives as long as the session or a handler that owes it an answer. */
struct esme {
    struct esmes *esmes;
    struct session *session; /* NULL once closed */
    struct py_session *py;   /* made when a handler first needs it */
    uint64_t number;
    unsigned references;
    bool bound;
    double bound_at;
    char session_id[40], system_id[17], client_addr[64];
    struct esme *prev, *next; /* those bound with the same system_id */
    UT_hash_handle hh;
};

struct system {
    char id[17];
    struct esme *bound;
    UT_hash_handle hh;
};

struct esmes {
    struct worker *worker;
    struct esme *by_number;
    struct system *systems;
};

static void esme_drop(struct esme *e)
{
    if (--e->references > 0)
        return;
    if (e->py)
        py_session_free(&e->py);
    free(e);
}

static struct py_session *esme_py(struct esme *e)
{
    if (!e->py) {
        struct py_session_info info = {
            .kind = "esme",
            .session_id = e->session_id,
            .system_id = e->system_id,
            .client_addr = e->client_addr,
            .bind_type = e->session ? session_bind_type_name(session_bind_type(e->session)) : "transceiver",
            .bound_at = e->bound_at,
        };
        e->py = py_session_new(&info);
    }
    return e->py;
}

/* ---- answers ---- */

/* submit_sm_resp and deliver_sm_resp (sections 4.4.2, 4.6.2): the header and a message_id. */
static void answer_message_id(struct esme *e, const struct py_call *call, const char *id, size_t len)
{
    uint8_t *to = session_reply_reserve(e->session, SMPP_HEADER_SIZE + len + 1);
    if (!to)
        return;
    size_t n = SMPP_HEADER_SIZE + len + 1;
    struct wire w = wire_of(to, n);
    wire_put_u32(&w, (uint32_t)n);
    wire_put_u32(&w, call->command_id | SMPP_RESPONSE_BIT);
    wire_put_u32(&w, ESME_ROK);
    wire_put_u32(&w, call->sequence_number);
    wire_put_cstring(&w, id, len);
    session_reply_commit(e->session, n);
}

/* A response with more to it than a message_id: query_sm, submit_multi, data_sm. */
static void answer_body(struct esme *e, const struct py_call *call, struct pdu_out *body)
{
    enum pdu_field bad;
    body->command_id = call->command_id | SMPP_RESPONSE_BIT;
    body->sequence_number = call->sequence_number;
    size_t size = pdu_encoded_size(body);
    uint8_t *to = session_reply_reserve(e->session, size);
    if (!to)
        return;
    size_t n = pdu_encode(body, to, size, &bad);
    if (n > 0)
        session_reply_commit(e->session, n);
    else
        session_reply_status(e->session, call->command_id, call->fail_status, call->sequence_number);
}

static void generated_id(struct worker *w, struct pdu_out *body, char id[40])
{
    body->v[PDU_message_id].n = (uint32_t)gateway_message_id(&w->gateway, id);
    body->v[PDU_message_id].p = (const uint8_t *)id;
}

/* cancel_sm_resp and replace_sm_resp have no body; the others have a message_id. */
static void answer_accepted(struct esme *e, const struct py_call *call, const struct py_answer *answer)
{
    char id[40];
    if (call->command_id == SMPP_cancel_sm || call->command_id == SMPP_replace_sm)
        session_reply_status(e->session, call->command_id, ESME_ROK, call->sequence_number);
    else if (answer->message_id)
        answer_message_id(e, call, answer->message_id, answer->message_id_len);
    else
        answer_message_id(e, call, id, gateway_message_id(&e->esmes->worker->gateway, id));
}

static void answer_request(const struct py_call *call, const struct py_answer *answer)
{
    struct esme *e = call->owner;
    struct worker *w = e->esmes->worker;
    char id[40];
    if (!e->session) {
        stats_add(&w->stats->late_replies, 1);
    } else if (answer->body && (answer->status == ESME_ROK || answer->body->tlvs)) {
        if (!answer->message_id && answer->status == ESME_ROK && call->command_id != SMPP_query_sm)
            generated_id(w, answer->body, id);
        answer_body(e, call, answer->body);
    } else if (answer->status != ESME_ROK) {
        session_reply_status(e->session, call->command_id, answer->status, call->sequence_number);
    } else {
        answer_accepted(e, call, answer);
    }
    esme_drop(e);
}

/* What a request gets when the script has no handler for it. */
static uint32_t default_status(uint32_t command_id)
{
    return command_id == SMPP_submit_sm ? ESME_ROK : gateway_fail_status(command_id, false);
}

static void on_request(struct session *session, void *owner, const struct pdu *pdu)
{
    (void)session;
    struct esme *e = owner;
    struct worker *w = e->esmes->worker;
    struct py_call call = {
        .answer = answer_request,
        .owner = e,
        .command_id = pdu->command_id,
        .sequence_number = pdu->sequence_number,
        .fail_status = gateway_fail_status(pdu->command_id, false),
    };
    if (pdu->command_id == SMPP_submit_sm)
        stats_add(&w->stats->submit_sm_in, 1);
    e->references++;
    if (py_host_has_handler(pdu->command_id)) {
        py_host_pdu(&call, pdu, esme_py(e));
        return;
    }
    struct py_answer answer = {.status = default_status(pdu->command_id)};
    if (answer.status == ESME_ROK)
        worker_count_default(w, smpp_command_name(pdu->command_id));
    answer_request(&call, &answer);
}

/* ---- by system_id ---- */

static void system_add(struct esme *e)
{
    struct esmes *esmes = e->esmes;
    struct system *s;
    HASH_FIND_STR(esmes->systems, e->system_id, s);
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        memcpy(s->id, e->system_id, sizeof(s->id));
        HASH_ADD_STR(esmes->systems, id, s);
    }
    DL_APPEND(s->bound, e);
}

static void system_remove(struct esme *e)
{
    struct system *s;
    HASH_FIND_STR(e->esmes->systems, e->system_id, s);
    if (!s)
        return;
    DL_DELETE(s->bound, e);
    if (!s->bound) {
        HASH_DEL(e->esmes->systems, s);
        free(s);
    }
}

struct session *esme_session_of(struct esmes *esmes, const char *system_id)
{
    struct system *s;
    struct esme *e, *best = NULL;
    unsigned least = esmes->worker->session_conf.window_out;
    HASH_FIND_STR(esmes->systems, system_id, s);
    DL_FOREACH (s ? s->bound : NULL, e) {
        unsigned load = session_unanswered(e->session) + session_queued(e->session);
        if (session_can_send(e->session) && load < least) {
            least = load;
            best = e;
        }
    }
    return best ? best->session : NULL;
}

/* ---- binding ---- */

static void rejected(struct esme *e, uint32_t status, const char *reason)
{
    char digits[SMPP_STATUS_DIGITS];
    log_warn(session_name(e->session), "bind from %s rejected with %s%s%s", e->client_addr,
             smpp_status_text(status, digits), reason && *reason ? ": " : "", reason ? reason : "");
    session_reject(e->session, status);
}

static void answer_bind(const struct py_call *call, const struct py_answer *answer)
{
    struct esme *e = call->owner;
    struct worker *w = e->esmes->worker;
    uint8_t body[32];
    struct wire wire = wire_of(body, sizeof(body));
    if (!e->session) {
        stats_add(&w->stats->late_replies, 1);
    } else if (answer->status != ESME_ROK) {
        rejected(e, answer->status, answer->reason);
    } else {
        wire_put_u8(&wire, (uint8_t)session_bind_type(e->session));
        wire_put_octets(&wire, e->system_id, strlen(e->system_id));
        if (!w->chan || !chan_data(w->chan, MSG_SESSION_BIND, 0, e->number, body, wire_done(&wire), NULL, 0))
            rejected(e, ESME_RSYSERR, "the master cannot be reached");
    }
    esme_drop(e);
}

static void on_bind(struct session *session, void *owner, const struct pdu *pdu)
{
    struct esme *e = owner;
    char name[80];
    size_t n;
    const uint8_t *system_id = pdu_str(pdu, PDU_system_id, &n);
    snprintf(e->system_id, sizeof(e->system_id), "%.*s", (int)n, (const char *)system_id);
    snprintf(name, sizeof(name), "session %s %s", e->session_id, e->system_id);
    session_rename(session, name);
    struct py_call call = {
        .answer = answer_bind,
        .owner = e,
        .command_id = pdu->command_id,
        .sequence_number = pdu->sequence_number,
        .fail_status = gateway_fail_status(pdu->command_id, false),
    };
    e->references++;
    py_host_bind(&call, pdu, e->client_addr);
}

static struct esme_row row_of(const struct esme *e)
{
    return (struct esme_row){
        .number = e->number,
        .session_id = e->session_id,
        .system_id = e->system_id,
        .client_addr = e->client_addr,
        .bind_type = session_bind_type_name(session_bind_type(e->session)),
        .bound_at = e->bound_at,
    };
}

void esme_granted(struct esmes *esmes, uint64_t number, uint32_t command_status)
{
    struct esme *e;
    struct timespec now;
    HASH_FIND(hh, esmes->by_number, &number, sizeof(number), e);
    if (!e || !e->session || e->bound)
        return; /* gone meanwhile */
    if (command_status != ESME_ROK) {
        rejected(e, command_status, "a limit of sessions is reached");
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    e->bound_at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    e->bound = true;
    session_accept(e->session, esmes->worker->conf->server.system_id);
    if (!e->session)
        return;
    struct esme_row row = row_of(e);
    log_info(session_name(e->session), "bound as %s from %s", row.bind_type, e->client_addr);
    system_add(e);
    presence_add(esmes->worker->presence, &row);
    py_host_session_event("bound", esme_py(e));
}

static void on_closed(struct session *session, void *owner, const char *reason)
{
    struct esme *e = owner;
    struct worker *w = e->esmes->worker;
    log_line(e->bound ? LOG_INFO_ : LOG_DEBUG_, session_name(session), "closed: %s", reason);
    if (e->bound) {
        py_host_session_event("unbound", esme_py(e));
        presence_remove(w->presence, e->number);
        system_remove(e);
    }
    e->session = NULL;
    HASH_DEL(e->esmes->by_number, e);
    if (w->chan)
        chan_data(w->chan, MSG_SESSION_GONE, 0, e->number, NULL, 0, NULL, 0);
    esme_drop(e);
}

static const struct session_ops ops = {.bind = on_bind, .request = on_request, .closed = on_closed};

/* ---- the set ---- */

struct esmes *esmes_new(struct worker *worker)
{
    struct esmes *esmes = xcalloc(1, sizeof(*esmes));
    esmes->worker = worker;
    return esmes;
}

void esme_adopt(struct esmes *esmes, uint64_t number, int fd, const char *client_addr)
{
    struct worker *w = esmes->worker;
    struct esme *e = xcalloc(1, sizeof(*e));
    e->esmes = esmes;
    e->number = number;
    e->references = 1;
    worker_session_id(w, number, e->session_id);
    snprintf(e->client_addr, sizeof(e->client_addr), "%s", client_addr);
    char name[64];
    snprintf(name, sizeof(name), "session %s", e->session_id);
    HASH_ADD(hh, esmes->by_number, number, sizeof(e->number), e);
    log_debug(name, "connected from %s", e->client_addr);
    e->session = session_new(w->io, fd, SESSION_SMSC, &w->session_conf, &ops, e, name);
}

struct session *esme_session(struct esmes *esmes, uint64_t number, enum msg_outcome *why)
{
    struct esme *e;
    HASH_FIND(hh, esmes->by_number, &number, sizeof(number), e);
    if (!e || !e->session || !e->bound) {
        *why = MSG_NO_SESSION;
        return NULL;
    }
    if (!session_can_send(e->session)) {
        *why = MSG_REFUSED;
        return NULL;
    }
    return e->session;
}

unsigned esme_count(const struct esmes *esmes)
{
    return HASH_COUNT(esmes->by_number);
}

void esme_unbind_all(struct esmes *esmes, unsigned timeout_ms)
{
    struct esme *e, *next;
    HASH_ITER (hh, esmes->by_number, e, next)
        session_unbind(e->session, timeout_ms);
}

void esme_close_all(struct esmes *esmes, const char *reason)
{
    while (esmes->by_number)
        session_close(esmes->by_number->session, reason);
}

void esme_each_bound(struct esmes *esmes, void (*fn)(void *arg, const struct esme_row *row), void *arg)
{
    struct esme *e, *next;
    HASH_ITER (hh, esmes->by_number, e, next) {
        if (e->bound && e->session) {
            struct esme_row row = row_of(e);
            fn(arg, &row);
        }
    }
}
