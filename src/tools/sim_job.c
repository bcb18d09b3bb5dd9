/* smppsim's later: late answers, receipts and MO messages. One heap by time, one timer; a deliver_sm that
 * was not taken is sent again with backoff, a limited number of times. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "pattern.h"
#include "receipt.h"
#include "util.h"

#define MO_TICK 0.01

/* The heap: heap[i] is due before its children heap[2i+1], heap[2i+2]. */
static bool sooner(const struct sim_job *a, const struct sim_job *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void heap_push(struct sim *sim, struct sim_job *job)
{
    if (sim->heap_len == sim->heap_cap) {
        sim->heap_cap = sim->heap_cap ? sim->heap_cap * 2 : 256;
        sim->heap = xrealloc(sim->heap, sim->heap_cap * sizeof(struct sim_job *));
    }
    size_t i = sim->heap_len++;
    for (; i && sooner(job, sim->heap[(i - 1) / 2]); i = (i - 1) / 2)
        sim->heap[i] = sim->heap[(i - 1) / 2];
    sim->heap[i] = job;
}

static struct sim_job *heap_pop(struct sim *sim)
{
    struct sim_job **h = sim->heap, *top = h[0], *last = h[--sim->heap_len];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < sim->heap_len) {
        if (child + 1 < sim->heap_len && sooner(h[child + 1], h[child]))
            child++;
        if (!sooner(h[child], last))
            break;
        h[i] = h[child];
        i = child;
    }
    h[i] = last;
    return top;
}

static void arm(struct sim *sim)
{
    ev_timer_stop(sim->loop, &sim->job_timer);
    if (!sim->heap_len)
        return;
    uint64_t now = util_now_ms(), due = sim->heap[0]->due_ms;
    ev_timer_set(&sim->job_timer, due > now ? (double)(due - now) / 1000 : 0, 0);
    ev_timer_start(sim->loop, &sim->job_timer);
}

struct sim_job *sim_job_new(struct sim *sim, enum sim_job_kind kind, struct sim_group *group)
{
    if (sim->jobs >= sim->o.max_pending)
        return NULL;
    struct sim_job *job = sim->free_jobs;
    if (job)
        LL_DELETE(sim->free_jobs, job);
    else
        job = xmalloc(sizeof(*job));
    memset(job, 0, sizeof(*job));
    sim->jobs++;
    job->kind = kind;
    job->group = group;
    job->order = ++sim->job_order;
    return job;
}

void sim_job_free(struct sim *sim, struct sim_job **job)
{
    if ((*job)->conn)
        sim_conn_unref(&(*job)->conn);
    LL_PREPEND(sim->free_jobs, *job);
    *job = NULL;
    sim->jobs--;
    if (sim->o.count)
        sim_check_count(sim);
}

void sim_job_later(struct sim *sim, struct sim_job *job, unsigned ms)
{
    job->due_ms = util_now_ms() + ms;
    heap_push(sim, job);
    if (sim->heap[0] == job)
        arm(sim);
}

static void log_job(struct sim *sim, const struct sim_job *job, const char *what, unsigned connection, uint32_t status)
{
    if (!sim->log)
        return;
    char event[32];
    bool mo = job->kind == SIM_JOB_MO;
    snprintf(event, sizeof(event), "%s%s", mo ? "mo" : job->intermediate ? "intermediate" : "receipt", what);
    evlog_write(sim->log, &(struct evlog_line){.connection = connection,
                                               .event = event,
                                               .system_id = job->group->system_id,
                                               .message_id = {job->id, strlen(job->id)},
                                               .source = {job->to.text, job->to.len},
                                               .destination = {job->from.text, job->from.len},
                                               .status = status,
                                               .body = {job->text, job->text_len}});
}

size_t sim_date(time_t t, char to[SIM_DATE_MAX])
{
    struct tm tm;
    gmtime_r(&t, &tm);
    return (size_t)snprintf(to, SIM_DATE_MAX, "%02u%02u%02u%02u%02u", (unsigned)tm.tm_year % 100,
                            (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday, (unsigned)tm.tm_hour, (unsigned)tm.tm_min);
}

/* Appendix B, dates in UTC. */
static size_t receipt_text(const struct sim_job *job, unsigned state, char *to, size_t cap)
{
    struct receipt r = {0};
    char submitted[SIM_DATE_MAX], done[SIM_DATE_MAX];
    const char *stat = smpp_state_stat(state), *err = state > SMPP_STATE_DELIVERED ? "001" : "000";
#define PUT(key, s, len) r.v[RECEIPT_##key].p = (const uint8_t *)(s), r.v[RECEIPT_##key].n = (len)
    PUT(id, job->id, strlen(job->id));
    PUT(dlvrd, state == SMPP_STATE_DELIVERED ? "001" : "000", 3);
    PUT(submit_date, submitted, sim_date(job->submitted, submitted));
    PUT(done_date, done, sim_date(time(NULL), done));
    PUT(stat, stat, strlen(stat));
    PUT(err, err, 3);
    PUT(text, job->text, job->text_len);
#undef PUT
    return receipt_format(&r, to, cap);
}

static void put_addresses(struct pdu_out *out, const struct sim_addr *from, const struct sim_addr *to)
{
    out->v[PDU_source_addr_ton].n = from->ton;
    out->v[PDU_source_addr_npi].n = from->npi;
    out->v[PDU_source_addr].p = (const uint8_t *)from->text;
    out->v[PDU_source_addr].n = from->len;
    out->v[PDU_dest_addr_ton].n = to->ton;
    out->v[PDU_dest_addr_npi].n = to->npi;
    out->v[PDU_destination_addr].p = (const uint8_t *)to->text;
    out->v[PDU_destination_addr].n = to->len;
}

static void put_receipt_tlvs(struct wire *w, const struct sim_job *job, unsigned state)
{
    pdu_put_tlv(w, SMPP_TLV_receipted_message_id, job->id, (uint16_t)(strlen(job->id) + 1));
    pdu_put_tlv(w, SMPP_TLV_message_state, &(uint8_t){(uint8_t)state}, 1);
    if (!job->intermediate && state != SMPP_STATE_DELIVERED)
        pdu_put_tlv(w, SMPP_TLV_network_error_code, "\3\0\1", 3);
}

/* The deliver_sm of a job; returns its length. `from` and `to` are the submitted message's: a receipt goes back. */
static size_t encode(const struct sim_job *job, uint8_t *to, size_t cap)
{
    char text[254];
    uint8_t tlvs[SIM_ID_MAX + 32];
    struct wire w = wire_of(tlvs, sizeof(tlvs));
    struct pdu_out out = {.command_id = SMPP_deliver_sm};
    put_addresses(&out, &job->to, &job->from);
    if (job->kind == SIM_JOB_MO) {
        out.v[PDU_short_message].p = job->text;
        out.v[PDU_short_message].n = job->text_len;
    } else {
        unsigned state = job->intermediate ? SMPP_STATE_ENROUTE : job->state;
        unsigned type = job->intermediate && job->order % 2 ? SMPP_ESM_INTERMEDIATE : SMPP_ESM_RECEIPT;
        put_receipt_tlvs(&w, job, state);
        out.v[PDU_esm_class].n = job->tlv_only ? 0 : type;
        out.v[PDU_short_message].p = (uint8_t *)text;
        out.v[PDU_short_message].n = job->tlv_only ? 0 : (uint32_t)receipt_text(job, state, text, sizeof(text));
        out.tlvs = tlvs;
        out.tlvs_len = (uint32_t)wire_done(&w);
    }
    return pdu_encode(&out, to, cap, &(enum pdu_field){0});
}

static bool has_room(const struct sim *sim, const struct sim_conn *conn)
{
    return session_can_send(conn->session) && session_unanswered(conn->session) < sim->o.deliver_window;
}

/* The next receiver with room, each in its turn. */
static struct sim_conn *pick(const struct sim *sim, struct sim_group *group)
{
    struct sim_conn *conn;
    DL_FOREACH2(group->receivers, conn, receiver_next)
    {
        if (!has_room(sim, conn))
            continue;
        DL_DELETE2(group->receivers, conn, receiver_prev, receiver_next);
        DL_APPEND2(group->receivers, conn, receiver_prev, receiver_next);
        return conn;
    }
    return NULL;
}

static void again_or_fail(struct sim *sim, struct sim_job *job)
{
    if (++job->attempts > sim->o.retries) {
        log_job(sim, job, "_failed", 0, 0);
        *(job->kind == SIM_JOB_MO ? &sim->n.mo_failed : &sim->n.receipts_failed) += 1;
        sim_job_free(sim, &job);
        return;
    }
    unsigned doublings = job->attempts - 1 < 16 ? job->attempts - 1 : 16;
    uint64_t ms = (uint64_t)sim->o.retry_min_ms << doublings;
    sim->n.resent++;
    sim_job_later(sim, job, ms < sim->o.retry_max_ms ? (unsigned)ms : sim->o.retry_max_ms);
}

static void taken(struct sim *sim, struct sim_job *job)
{
    if (job->kind == SIM_JOB_RECEIPT && job->intermediate) {
        job->intermediate = false;
        job->attempts = 0;
        sim_job_later(sim, job, sim->o.receipt_delay_ms);
        return;
    }
    *(job->kind == SIM_JOB_MO ? &sim->n.mo_acked : &sim->n.receipts_acked) += 1;
    sim_job_free(sim, &job);
}

static bool temporary(uint32_t status)
{
    return status == ESME_RX_T_APPN || status == ESME_RTHROTTLED || status == ESME_RMSGQFUL || status == ESME_RSYSERR ||
           status == ESME_RINVBNDSTS;
}

static void on_done(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len)
{
    struct sim_job *job = arg;
    struct sim_conn *conn = job->conn;
    struct sim *sim = conn->sim;
    struct sim_group *group = job->group;
    uint32_t status = outcome == SESSION_RESPONSE ? pdu_raw_status(resp) : 0;
    (void)sent;
    (void)len;
    log_job(sim, job,
            outcome == SESSION_RESPONSE  ? "_resp"
            : outcome == SESSION_TIMEOUT ? "_timeout"
                                         : "_gone",
            conn->number, status);
    sim_conn_unref(&job->conn);
    if (outcome == SESSION_RESPONSE && status == ESME_ROK) {
        taken(sim, job);
    } else {
        if (outcome == SESSION_RESPONSE && !temporary(status))
            job->attempts = sim->o.retries;
        again_or_fail(sim, job);
    }
    sim_group_pump(sim, group);
}

static bool send_on(struct sim *sim, struct sim_job *job, struct sim_conn *conn)
{
    uint8_t buf[SMPP_HEADER_SIZE + 512];
    size_t len = encode(job, buf, sizeof(buf));
    enum session_outcome why;
    if (!session_send(conn->session, buf, len, 0, 0, on_done, job, &why))
        return false;
    sim_conn_ref(conn);
    job->conn = conn;
    log_job(sim, job, "", conn->number, 0);
    return true;
}

void sim_group_pump(struct sim *sim, struct sim_group *group)
{
    struct sim_conn *conn;
    while (group->waiting && (conn = pick(sim, group))) {
        struct sim_job *job = group->waiting;
        if (!send_on(sim, job, conn))
            return; /* on_writable, or another's answer, comes here again */
        DL_DELETE(group->waiting, job);
    }
}

void sim_job_send(struct sim *sim, struct sim_job *job)
{
    DL_APPEND(job->group->waiting, job);
    sim_group_pump(sim, job->group);
}

bool sim_job_cancel(struct sim *sim, const struct sim_group *group, struct text id)
{
    for (size_t i = 0; i < sim->heap_len; i++) {
        struct sim_job *job = sim->heap[i];
        if (job->kind == SIM_JOB_RECEIPT && job->group == group && strlen(job->id) == id.n &&
            memcmp(job->id, id.p, id.n) == 0) {
            job->state = SMPP_STATE_DELETED;
            return true;
        }
    }
    return false;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    struct sim *sim = w->data;
    uint64_t now = util_now_ms();
    (void)loop;
    (void)events;
    while (sim->heap_len && sim->heap[0]->due_ms <= now) {
        struct sim_job *job = heap_pop(sim);
        if (job->kind != SIM_JOB_RESPONSE) {
            sim_job_send(sim, job);
            continue;
        }
        if (job->conn->session)
            sim_answer(job->conn, job->command_id, job->sequence_number, job->id, strlen(job->id));
        sim_job_free(sim, &job);
    }
    arm(sim);
}

/* The next system_id in turn that has a receiver. */
static struct sim_group *mo_next(struct sim *sim)
{
    struct sim_group *g = sim->mo_group;
    for (unsigned i = 0; i < HASH_COUNT(sim->groups); i++) {
        g = g && g->hh.next ? g->hh.next : sim->groups;
        if (g->receivers)
            return sim->mo_group = g;
    }
    return NULL;
}

static bool mo_make(struct sim *sim, struct sim_group *group)
{
    struct sim_job *job = sim_job_new(sim, SIM_JOB_MO, group);
    if (!job)
        return false;
    struct pattern from = pattern_of(sim->o.mo_source), to = pattern_of(sim->o.mo_destination);
    uint64_t n = ++sim->n.mo;
    /* `from` and `to` as of a message that this one answers */
    job->to = (struct sim_addr){.ton = 1, .npi = 1, .len = (uint8_t)from.len};
    job->from = (struct sim_addr){.ton = 1, .npi = 1, .len = (uint8_t)to.len};
    pattern_put(&from, n, (uint8_t *)job->to.text);
    pattern_put(&to, n, (uint8_t *)job->from.text);
    struct pattern text = pattern_of("MO ##########");
    pattern_put(&text, n, job->text);
    job->text_len = (uint8_t)text.len;
    snprintf(job->id, sizeof(job->id), "mo-%llu", (unsigned long long)n);
    sim_job_send(sim, job);
    return true;
}

static void on_mo_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    struct sim *sim = w->data;
    struct sim_group *group;
    (void)events;
    if (!mo_next(sim) || sim->mo_begun == 0) {
        sim->mo_begun = ev_now(loop) - (double)sim->n.mo / sim->o.mo_rate; /* nothing is made up for later */
        return;
    }
    double due = (ev_now(loop) - sim->mo_begun) * sim->o.mo_rate;
    while ((double)sim->n.mo < due && (group = mo_next(sim))) {
        if ((sim->o.mo_count && sim->n.mo >= sim->o.mo_count) || sim->ending || !mo_make(sim, group))
            return;
    }
}

void sim_jobs_init(struct sim *sim)
{
    ev_timer_init(&sim->job_timer, on_timer, 0, 0);
    sim->job_timer.data = sim;
    if (sim->o.mo_rate > 0) {
        ev_timer_init(&sim->mo_timer, on_mo_timer, MO_TICK, MO_TICK);
        sim->mo_timer.data = sim;
        ev_timer_start(sim->loop, &sim->mo_timer);
    }
}

void sim_jobs_free(struct sim *sim)
{
    struct sim_job *job, *tmp;
    struct sim_group *g, *next;
    for (size_t i = 0; i < sim->heap_len; i++) {
        if (sim->heap[i]->conn)
            sim_conn_unref(&sim->heap[i]->conn);
        free(sim->heap[i]);
    }
    HASH_ITER (hh, sim->groups, g, next) {
        DL_FOREACH_SAFE (g->waiting, job, tmp) {
            free(job);
        }
    }
    LL_FOREACH_SAFE (sim->free_jobs, job, tmp) {
        free(job);
    }
    free(sim->heap);
}
