/* smppload's messages: one submit_sm is encoded at the start; for each message only the counting digits in it
 * change. Without --rate each answer sends the next; with it a timer does, whether answers come or not. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util.h"

#define PACE_MIN_NS 20000
#define PACE_MAX_NS 1000000

/* The text, filled up to --length with what the eye can follow. */
static uint8_t *make_body(const struct load *load, size_t len)
{
    uint8_t *body = xmalloc(len + 1);
    for (size_t i = 0; i < len; i++)
        body[i] = (uint8_t)('a' + i % 26);
    memcpy(body, load->text.text, load->text.len);
    if (load->text.len < len)
        body[load->text.len] = ' ';
    return body;
}

static void put_address(struct pdu_out *out, enum pdu_field ton, enum pdu_field npi, enum pdu_field addr,
                        const struct pattern *p, unsigned ton_value, unsigned npi_value)
{
    out->v[ton].n = ton_value;
    out->v[npi].n = npi_value;
    out->v[addr].p = (const uint8_t *)p->text;
    out->v[addr].n = (uint32_t)p->len;
}

/* Writes number 1's digits into the PDU and keeps where they are. */
static uint8_t *place_digits(struct load *load, const struct pattern *p, const uint8_t *at)
{
    uint8_t *digits = load->pdu + (at - load->pdu) + p->digits_at;
    pattern_digits(digits, p->digits, 1);
    return digits;
}

static const char *find_places(struct load *load)
{
    struct pdu pdu;
    size_t n;
    if (pdu_decode(&pdu, load->pdu, load->pdu_len) != ESME_ROK)
        return "the message cannot be encoded";
    load->source_at = place_digits(load, &load->source, pdu_str(&pdu, PDU_source_addr, &n));
    load->destination_at = place_digits(load, &load->destination, pdu_str(&pdu, PDU_destination_addr, &n));
    load->text_at = place_digits(load, &load->text, pdu_body(&pdu, &n));
    return NULL;
}

static void make_entries(struct load *load)
{
    size_t count = (size_t)load->o.connections * load->o.window;
    load->entries = xcalloc(count, sizeof(*load->entries));
    for (size_t i = 0; i < count; i++) {
        load->entries[i].next = load->free_entries;
        load->free_entries = &load->entries[i];
    }
}

static const char *encode(struct load *load, const uint8_t *body, size_t len)
{
    enum pdu_field bad = PDU_FIELD_COUNT;
    struct pdu_out out = {.command_id = SMPP_submit_sm};
    uint8_t *tlv = xmalloc(len + 4);
    struct wire w = wire_of(tlv, len + 4);
    put_address(&out, PDU_source_addr_ton, PDU_source_addr_npi, PDU_source_addr, &load->source, load->o.source_ton,
                load->o.source_npi);
    put_address(&out, PDU_dest_addr_ton, PDU_dest_addr_npi, PDU_destination_addr, &load->destination, load->o.dest_ton,
                load->o.dest_npi);
    out.v[PDU_registered_delivery].n = load->o.registered_delivery;
    out.v[PDU_data_coding].n = load->o.data_coding;
    if (len > 254) {
        pdu_put_tlv(&w, SMPP_TLV_message_payload, body, (uint16_t)len);
        out.tlvs = tlv;
        out.tlvs_len = (uint32_t)wire_done(&w);
    } else {
        out.v[PDU_short_message].p = body;
        out.v[PDU_short_message].n = (uint32_t)len;
    }
    size_t cap = pdu_encoded_size(&out);
    load->pdu = xmalloc(cap);
    load->pdu_len = pdu_encode(&out, load->pdu, cap, &bad);
    free(tlv);
    if (load->pdu_len)
        return NULL;
    return bad == PDU_source_addr        ? "--source is too long: at most 20 octets"
           : bad == PDU_destination_addr ? "--destination is too long: at most 20 octets"
                                         : "the message cannot be encoded";
}

const char *load_prepare(struct load *load)
{
    load->source = pattern_of(load->o.source);
    load->destination = pattern_of(load->o.destination);
    load->text = pattern_of(load->o.text);
    size_t len = load->o.length;
    if (load->text.len > len)
        load->text = pattern_of("");
    uint8_t *body = make_body(load, len);
    const char *bad = encode(load, body, len);
    free(body);
    if (bad)
        return bad;
    make_entries(load);
    return find_places(load);
}

void load_send_free(struct load *load)
{
    load_pace_stop(load);
    free(load->pdu);
    free(load->entries);
}

bool load_may_send(const struct load *load)
{
    return load->started && !load->sending_ended_ns && (!load->o.count || load->n.sent < load->o.count) &&
           !(load->o.receipts && load->n.sent >= LOAD_TRACKED_MAX);
}

/* The event log needs what the PDU of this number said. */
static void log_message(struct load_conn *conn, uint64_t number, const char *event, uint32_t status, struct text id)
{
    struct load *load = conn->load;
    uint8_t source[32], destination[32], *text = xmalloc(load->text.len + 1);
    pattern_put(&load->source, number, source);
    pattern_put(&load->destination, number, destination);
    pattern_put(&load->text, number, text);
    evlog_write(load->log, &(struct evlog_line){.connection = conn->number,
                                                .event = event,
                                                .system_id = load->o.system_id,
                                                .message_id = id,
                                                .source = {source, load->source.len},
                                                .destination = {destination, load->destination.len},
                                                .status = status,
                                                .body = {text, load->text.len}});
    free(text);
}

/* What only some options ask for. */
static void tell_answer(struct load *load, const struct load_entry *entry, uint32_t status, const uint8_t *resp,
                        size_t len)
{
    const uint8_t *id = resp + SMPP_HEADER_SIZE;
    size_t id_len = len > SMPP_HEADER_SIZE ? strnlen((const char *)id, len - SMPP_HEADER_SIZE) : 0;
    if (load->log)
        log_message(entry->conn, entry->number, "submit_resp", status, (struct text){id, id_len});
    if (load->o.verbose && (!load->o.receipts || status != ESME_ROK))
        printf("message %llu id=%.*s %s\n", (unsigned long long)entry->number, (int)id_len, (const char *)id,
               smpp_status_name(status) ? smpp_status_name(status) : "unknown status");
    if (load->o.receipts && status == ESME_ROK)
        load_answered(load, entry, id, id_len);
}

static void answer_is(struct load *load, const struct load_entry *entry, const uint8_t *resp, size_t len)
{
    uint32_t status = pdu_raw_status(resp);
    hist_add(&load->answers, load->now_ns - entry->begun_ns);
    load->last_ns = load->now_ns;
    if (status == ESME_ROK) {
        load->n.accepted++;
    } else {
        load->n.refused++;
        load_count_status(load, status);
    }
    if (load->log || load->o.verbose || load->o.receipts)
        tell_answer(load, entry, status, resp, len);
}

static void no_answer(struct load *load, const struct load_entry *entry, enum session_outcome outcome)
{
    const char *why = outcome == SESSION_TIMEOUT ? "no answer in time" : "the connection was lost";
    load->n.lost_answers++;
    if (load->log)
        log_message(entry->conn, entry->number, "lost", 0, (struct text){0});
    if (load->o.verbose || load->n.lost_answers <= 10)
        fprintf(stderr, "message %llu lost: %s\n", (unsigned long long)entry->number, why);
}

static bool send_one(struct load_conn *conn, uint64_t begun_ns);

static void on_answer(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len)
{
    struct load_entry *entry = arg;
    struct load_conn *conn = entry->conn;
    struct load *load = conn->load;
    (void)sent;
    if (outcome == SESSION_RESPONSE)
        answer_is(load, entry, resp, len);
    else
        no_answer(load, entry, outcome);
    load->unanswered--;
    entry->next = load->free_entries;
    load->free_entries = entry;
    if (load->o.rate == 0 && load_may_send(load) && outcome == SESSION_RESPONSE)
        send_one(conn, load->now_ns);
    if (!load->unanswered)
        load_check_end(load);
}

/* After --rebind-every messages: unbind, which waits for the answers, and bind again. */
static void count_for_rebind(struct load_conn *conn)
{
    struct load *load = conn->load;
    if (!load->o.rebind_every || ++conn->since_bind < load->o.rebind_every || !load_may_send(load))
        return;
    conn->rebinding = true;
    session_unbind(conn->session, load->o.response_timeout_ms);
}

static bool send_one(struct load_conn *conn, uint64_t begun_ns)
{
    struct load *load = conn->load;
    struct load_entry *entry = load->free_entries;
    enum session_outcome why;
    if (!entry || !conn->bound || conn->rebinding)
        return false;
    if (!session_send(conn->session, load->pdu, load->pdu_len, 0, 0, on_answer, entry, &why))
        return false;
    load->free_entries = entry->next;
    entry->conn = conn;
    entry->number = ++load->n.sent;
    entry->begun_ns = begun_ns;
    load->unanswered++;
    if (load->log)
        log_message(conn, entry->number, "submit", 0, (struct text){0});
    pattern_next(load->source_at, load->source.digits);
    pattern_next(load->destination_at, load->destination.digits);
    pattern_next(load->text_at, load->text.digits);
    if (load->o.rebind_every)
        count_for_rebind(conn);
    return true;
}

void load_fill(struct load_conn *conn)
{
    while (load_may_send(conn->load) && send_one(conn, conn->load->now_ns))
        ;
}

/* The next connection, in turn, that takes a message. */
static bool send_somewhere(struct load *load, uint64_t begun_ns)
{
    for (unsigned i = 0; i < load->conn_count; i++) {
        struct load_conn *conn = &load->conns[load->next_sender];
        load->next_sender = load->next_sender + 1 == load->conn_count ? 0 : load->next_sender + 1;
        if (conn->type != SESSION_RX && conn->bound && session_unanswered(conn->session) < load->o.window &&
            send_one(conn, begun_ns))
            return true;
    }
    return false;
}

/* Sends what is due; what finds no room stays due, and its latency counts from then. */
static void on_pace(struct ev_loop *loop, ev_io *w, int events)
{
    struct load *load = w->data;
    uint64_t expirations;
    (void)loop;
    (void)events;
    if (read(load->pace_fd, &expirations, sizeof(expirations)) < 0)
        return;
    double due = (double)(load->now_ns - load->begun_ns) / 1e9 * load->o.rate;
    while (load_may_send(load) && (double)load->n.sent < due) {
        uint64_t at = load->begun_ns + (uint64_t)((double)load->n.sent / load->o.rate * 1e9);
        if (!send_somewhere(load, at))
            break;
        hist_add(&load->lateness, load->now_ns - at);
    }
    load_check_end(load);
}

void load_pace_start(struct load *load)
{
    double gap = 1e9 / load->o.rate;
    long ns = gap < PACE_MIN_NS ? PACE_MIN_NS : gap > PACE_MAX_NS ? PACE_MAX_NS : (long)gap;
    struct itimerspec every = {.it_interval.tv_nsec = ns, .it_value.tv_nsec = ns};
    load->pace_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (load->pace_fd < 0 || timerfd_settime(load->pace_fd, 0, &every, NULL) < 0) {
        load_abort(load, "timerfd: %s", strerror(errno));
        return;
    }
    ev_io_init(&load->pace, on_pace, load->pace_fd, EV_READ);
    load->pace.data = load;
    ev_io_start(load->loop, &load->pace);
}

void load_pace_stop(struct load *load)
{
    if (load->pace_fd < 0)
        return;
    ev_io_stop(load->loop, &load->pace);
    util_close(&load->pace_fd);
}
