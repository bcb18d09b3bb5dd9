/* smppsim's sessions: who may bind, and what each request is answered. */
#include "sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "log.h"
#include "util.h"

#define GROUPS_MAX 10000

void sim_conn_ref(struct sim_conn *conn)
{
    conn->refs++;
}

void sim_conn_unref(struct sim_conn **conn)
{
    if (--(*conn)->refs == 0)
        free(*conn);
    *conn = NULL;
}

static struct text str_of(const struct pdu *pdu, enum pdu_field f)
{
    struct text t;
    t.p = pdu_str(pdu, f, &t.n);
    return t;
}

static bool text_is(struct text t, const char *s)
{
    return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

static struct sim_group *group_get(struct sim *sim, struct text system_id)
{
    struct sim_group *g;
    HASH_FIND(hh, sim->groups, system_id.p, (unsigned)system_id.n, g);
    if (g || HASH_COUNT(sim->groups) >= GROUPS_MAX)
        return g;
    g = xcalloc(1, sizeof(*g));
    g->system_id = xcalloc(1, system_id.n + 1);
    memcpy(g->system_id, system_id.p, system_id.n);
    HASH_ADD_KEYPTR(hh, sim->groups, g->system_id, (unsigned)system_id.n, g);
    return g;
}

void sim_groups_free(struct sim *sim)
{
    struct sim_group *g, *tmp;
    HASH_ITER (hh, sim->groups, g, tmp) {
        HASH_DEL(sim->groups, g);
        free(g->system_id);
        free(g);
    }
}

static uint32_t judge_bind(const struct sim *sim, const struct pdu *pdu)
{
    if (sim->ending)
        return ESME_RBINDFAIL;
    if (sim->o.system_id && !text_is(str_of(pdu, PDU_system_id), sim->o.system_id))
        return ESME_RINVSYSID;
    if (sim->o.password && !text_is(str_of(pdu, PDU_password), sim->o.password))
        return ESME_RINVPASWD;
    return ESME_ROK;
}

static void refuse_bind(struct sim_conn *conn, uint32_t status)
{
    conn->sim->n.binds_refused++;
    sim_event(conn->sim, conn, "bind_refused", &(struct evlog_line){.status = status});
    session_reject(conn->session, status);
}

static void on_bind(struct session *s, void *owner, const struct pdu *pdu)
{
    struct sim_conn *conn = owner;
    struct sim *sim = conn->sim;
    uint32_t status = judge_bind(sim, pdu);
    if (status != ESME_ROK) {
        refuse_bind(conn, status);
        return;
    }
    conn->group = group_get(sim, str_of(pdu, PDU_system_id));
    if (!conn->group) {
        refuse_bind(conn, ESME_RBINDFAIL);
        return;
    }
    sim->n.binds++;
    session_accept(s, sim->o.server_id);
    enum session_bind_type type = session_bind_type(s);
    log_info(session_name(s), "bound as %s, system_id %s", session_bind_type_name(type), conn->group->system_id);
    sim_event(sim, conn, "bind", &(struct evlog_line){.message_id = TEXT(session_bind_type_name(type))});
    if (type != SESSION_TX) {
        DL_APPEND2(conn->group->receivers, conn, receiver_prev, receiver_next);
        sim_group_pump(sim, conn->group);
    }
}

static void on_closed(struct session *s, void *owner, const char *reason)
{
    struct sim_conn *conn = owner;
    struct sim *sim = conn->sim;
    log_info(session_name(s), "closed: %s", reason);
    sim_event(sim, conn, "closed", &(struct evlog_line){0});
    if (conn->receiver_prev)
        DL_DELETE2(conn->group->receivers, conn, receiver_prev, receiver_next);
    DL_DELETE(sim->conns, conn);
    conn->session = NULL;
    sim_conn_unref(&conn);
    if (sim->ending && !sim->conns)
        ev_break(sim->loop, EVBREAK_ALL);
}

void sim_id_write(struct sim *sim)
{
    const char *prefix = sim->o.id_format == SIM_ID_PREFIX ? sim->o.id_prefix : "";
    char digits[24];
    if (sim->o.id_format == SIM_ID_HEX)
        snprintf(digits, sizeof(digits), "%" PRIx64, sim->next_id);
    else
        snprintf(digits, sizeof(digits), "%" PRIu64, sim->next_id);
    sim->id_digits = strlen(digits);
    sim->id_len = (size_t)snprintf(sim->id, sizeof(sim->id), "%s%s", prefix, digits);
}

/* The id of the next message: counted up as text, since a division for each digit would be seen in the rate. */
static struct text next_id(struct sim *sim, char to[SIM_ID_MAX + 1])
{
    size_t i = sim->id_len, first = sim->id_len - sim->id_digits;
    char last = sim->o.id_format == SIM_ID_HEX ? 'f' : '9';
    memcpy(to, sim->id, sizeof(sim->id));
    struct text id = {to, sim->id_len};
    sim->next_id++;
    while (i > first && sim->id[i - 1] == last)
        sim->id[--i] = '0';
    if (i == first)
        sim_id_write(sim); /* one digit more */
    else
        sim->id[i - 1] = sim->id[i - 1] == '9' ? 'a' : (char)(sim->id[i - 1] + 1);
    return id;
}

/* Whether we have given this id to a message. */
static bool id_is_ours(const struct sim *sim, struct text id)
{
    char text[SIM_ID_MAX + 1] = "", *end;
    size_t before = sim->o.id_format == SIM_ID_PREFIX ? strlen(sim->o.id_prefix) : 0;
    if (id.n <= before || id.n > SIM_ID_MAX || memcmp(id.p, sim->o.id_prefix, before) != 0)
        return false;
    memcpy(text, (const char *)id.p + before, id.n - before);
    uint64_t n = strtoull(text, &end, sim->o.id_format == SIM_ID_HEX ? 16 : 10);
    return !*end && n >= (uint64_t)sim->o.id_start && n < sim->next_id;
}

void sim_answer(struct sim_conn *conn, uint32_t command_id, uint32_t sequence_number, const char *id, size_t id_len)
{
    bool multi = command_id == SMPP_submit_multi;
    size_t len = SMPP_HEADER_SIZE + id_len + 1 + (multi ? 1 : 0);
    uint8_t *to = session_reply_reserve(conn->session, len);
    if (!to)
        return;
    pdu_put_header(to, command_id | SMPP_RESPONSE_BIT, ESME_ROK, sequence_number);
    wire_u32_set(to, (uint32_t)len);
    memcpy(to + SMPP_HEADER_SIZE, id, id_len);
    to[SMPP_HEADER_SIZE + id_len] = 0;
    to[len - 1] = 0; /* no_unsuccess of submit_multi_resp */
    session_reply_commit(conn->session, len);
    conn->sim->n.accepted++;
    if (conn->sim->log)
        sim_event(conn->sim, conn, "submit_resp", &(struct evlog_line){.message_id = {id, id_len}});
}

static void answer_later(struct sim_conn *conn, const struct pdu *pdu, struct text id, unsigned ms)
{
    struct sim_job *job = sim_job_new(conn->sim, SIM_JOB_RESPONSE, conn->group);
    if (!job) {
        sim_answer(conn, pdu->command_id, pdu->sequence_number, id.p, id.n);
        return;
    }
    job->conn = conn;
    sim_conn_ref(conn);
    job->command_id = pdu->command_id;
    job->sequence_number = pdu->sequence_number;
    memcpy(job->id, id.p, id.n);
    sim_job_later(conn->sim, job, ms);
}

static struct sim_addr addr_of(uint8_t ton, uint8_t npi, struct text t)
{
    struct sim_addr a = {.ton = ton, .npi = npi, .len = (uint8_t)(t.n > SIM_ADDR_MAX ? SIM_ADDR_MAX : t.n)};
    memcpy(a.text, t.p, a.len);
    return a;
}

/* A receipt for one destination, to be sent in `ms`; false when there are too many already. */
static bool receipt_add(struct sim_conn *conn, const struct pdu *pdu, struct text id, struct sim_addr to, unsigned ms)
{
    struct sim *sim = conn->sim;
    struct sim_job *job = sim_job_new(sim, SIM_JOB_RECEIPT, conn->group);
    if (!job)
        return false;
    sim->n.receipts++;
    memcpy(job->id, id.p, id.n);
    job->from =
        addr_of(pdu_int(pdu, PDU_source_addr_ton), pdu_int(pdu, PDU_source_addr_npi), str_of(pdu, PDU_source_addr));
    job->to = to;
    job->state = sim->o.stat + 1;
    job->tlv_only = sim_chance(sim, sim->o.receipt_tlv_rate);
    job->intermediate = sim_chance(sim, sim->o.intermediate_rate);
    job->submitted = (time_t)ev_now(sim->loop);
    size_t len;
    const uint8_t *body = pdu_body(pdu, &len);
    job->text_len = (uint8_t)(len > 20 ? 20 : len);
    memcpy(job->text, body, job->text_len);
    if (ms)
        sim_job_later(sim, job, ms);
    else
        sim_job_send(sim, job);
    return true;
}

static bool receipts_add(struct sim_conn *conn, const struct pdu *pdu, struct text id, unsigned ms)
{
    if (pdu->command_id != SMPP_submit_multi)
        return receipt_add(conn, pdu, id,
                           addr_of(pdu_int(pdu, PDU_dest_addr_ton), pdu_int(pdu, PDU_dest_addr_npi),
                                   str_of(pdu, PDU_destination_addr)),
                           ms);
    struct pdu_dest d;
    for (uint32_t pos = 0; pdu_dest_next(pdu, &pos, &d);) {
        if (d.dest_flag == 1 && !receipt_add(conn, pdu, id, addr_of(d.ton, d.npi, (struct text){d.addr, d.len}), ms))
            return false;
    }
    return true;
}

/* registered_delivery, section 5.2.17: 1 always, 2 when it failed. */
static bool wants_receipt(const struct sim *sim, const struct pdu *pdu)
{
    unsigned asked = pdu_int(pdu, PDU_registered_delivery) & 3;
    return asked == 1 || (asked == 2 && sim->o.stat + 1 != SMPP_STATE_DELIVERED);
}

static void accept_message(struct sim_conn *conn, const struct pdu *pdu, struct text id)
{
    struct sim *sim = conn->sim;
    bool late = sim_chance(sim, sim->o.delay_rate);
    unsigned delay = late ? sim->o.delay_ms : 0;
    bool wanted = wants_receipt(sim, pdu), before = wanted && sim_chance(sim, sim->o.receipt_before_rate);
    if (wanted && sim->jobs + 2 > sim->o.max_pending) {
        sim->n.queue_full++;
        session_reply_status(conn->session, pdu->command_id, ESME_RMSGQFUL, pdu->sequence_number);
        return;
    }
    sim->n.delayed += late;
    if (before) {
        receipts_add(conn, pdu, id, 0);
        delay = sim->o.receipt_before_ms > delay ? sim->o.receipt_before_ms : delay;
    }
    if (delay)
        answer_later(conn, pdu, id, delay);
    else
        sim_answer(conn, pdu->command_id, pdu->sequence_number, id.p, id.n);
    if (wanted && !before)
        receipts_add(conn, pdu, id, delay + sim->o.receipt_delay_ms);
}

/* What may happen to a message before it is accepted: true when it has. */
static bool misfortune(struct sim_conn *conn, const struct pdu *pdu, struct text id)
{
    struct sim *sim = conn->sim;
    if (sim_chance(sim, sim->o.disconnect_rate)) {
        sim->n.disconnects++;
        sim_event(sim, conn, "disconnect", &(struct evlog_line){.message_id = id});
        session_close(conn->session, "--disconnect-rate");
        return true;
    }
    if (sim_chance(sim, sim->o.drop_rate)) {
        sim->n.dropped++;
        sim_event(sim, conn, "dropped", &(struct evlog_line){.message_id = id});
        return true;
    }
    if (sim_chance(sim, sim->o.error_rate)) {
        sim->n.errors++;
        session_reply_status(conn->session, pdu->command_id, sim->o.error_status, pdu->sequence_number);
        sim_event(sim, conn, "submit_resp", &(struct evlog_line){.message_id = id, .status = sim->o.error_status});
        return true;
    }
    return false;
}

/* submit_sm, submit_multi, data_sm */
static void on_message(struct sim_conn *conn, const struct pdu *pdu)
{
    struct sim *sim = conn->sim;
    char text[SIM_ID_MAX + 1];
    struct text id = next_id(sim, text);
    sim->n.submits++;
    if (sim->log) {
        struct evlog_line line = {
            .message_id = id, .source = str_of(pdu, PDU_source_addr), .destination = str_of(pdu, PDU_destination_addr)};
        line.body.p = pdu_body(pdu, &line.body.n);
        sim_event(sim, conn, "submit", &line);
    }
    if (!misfortune(conn, pdu, id))
        accept_message(conn, pdu, id);
    if (sim->o.count)
        sim_check_count(sim);
}

static void on_query(struct sim_conn *conn, const struct pdu *pdu, struct text id)
{
    uint8_t buf[SMPP_HEADER_SIZE + SIM_ID_MAX + 32];
    struct pdu_out out = {.command_id = SMPP_query_sm_resp, .sequence_number = pdu->sequence_number};
    char date[SIM_DATE_MAX + 8];
    size_t date_len = sim_date((time_t)ev_now(conn->sim->loop), date);
    memcpy(date + date_len, "00000+", 6); /* ss t nn p, section 7.1.1 */
    out.v[PDU_message_id].p = id.p;
    out.v[PDU_message_id].n = (uint32_t)id.n;
    out.v[PDU_final_date].p = (uint8_t *)date;
    out.v[PDU_final_date].n = (uint32_t)date_len + 6;
    out.v[PDU_message_state].n = conn->sim->o.stat + 1;
    size_t len = pdu_encode(&out, buf, sizeof(buf), &(enum pdu_field){0});
    session_reply(conn->session, buf, len);
}

/* query_sm, cancel_sm, replace_sm */
static void on_manage(struct sim_conn *conn, const struct pdu *pdu)
{
    struct text id = str_of(pdu, PDU_message_id);
    uint32_t status = id_is_ours(conn->sim, id) ? ESME_ROK : ESME_RINVMSGID;
    sim_event(conn->sim, conn, smpp_command_name(pdu->command_id),
              &(struct evlog_line){.message_id = id, .status = status});
    if (status == ESME_ROK && pdu->command_id == SMPP_query_sm) {
        on_query(conn, pdu, id);
        return;
    }
    if (status == ESME_ROK && pdu->command_id == SMPP_cancel_sm && !sim_job_cancel(conn->sim, conn->group, id))
        status = ESME_RCANCELFAIL;
    session_reply_status(conn->session, pdu->command_id, status, pdu->sequence_number);
}

static void on_request(struct session *s, void *owner, const struct pdu *pdu)
{
    switch (pdu->command_id) {
    case SMPP_submit_sm:
    case SMPP_submit_multi:
    case SMPP_data_sm:
        on_message(owner, pdu);
        break;
    case SMPP_query_sm:
    case SMPP_cancel_sm:
    case SMPP_replace_sm:
        on_manage(owner, pdu);
        break;
    default:
        session_reply_status(s, pdu->command_id, ESME_RINVCMDID, pdu->sequence_number);
    }
}

static void on_writable(struct session *s, void *owner)
{
    struct sim_conn *conn = owner;
    (void)s;
    if (conn->group)
        sim_group_pump(conn->sim, conn->group);
}

void sim_accept(struct sim *sim, int fd)
{
    static const struct session_ops ops = {
        .bind = on_bind, .request = on_request, .closed = on_closed, .writable = on_writable};
    struct sim_conn *conn = xcalloc(1, sizeof(*conn));
    char name[48];
    conn->sim = sim;
    conn->refs = 1;
    conn->number = ++sim->next_connection;
    sim->n.connections++;
    snprintf(name, sizeof(name), "connection %u", conn->number);
    DL_APPEND(sim->conns, conn);
    conn->session = session_new(sim->io, fd, SESSION_SMSC, &sim->session_conf, &ops, conn, name);
}
