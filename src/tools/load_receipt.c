/* smppload's memory of ids: an open-addressing table by the 64-bit hash of an id joins the answer with the receipt,
 * whichever comes first, on whichever connection. Nothing is removed, so that a receipt that comes twice is seen. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt.h"
#include "util.h"

/* FNV-1a and a finalizer; never 0. Two of 20 million ids share a hash once in 100,000 runs. */
static uint64_t hash_id(const uint8_t *id, size_t len)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < len; i++)
        h = (h ^ id[i]) * 0x100000001b3ULL;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
    h ^= h >> 32;
    return h ? h : 1;
}

static struct load_record *slot(struct load_record *records, size_t cap, uint64_t hash)
{
    size_t i = hash & (cap - 1);
    while (records[i].hash && records[i].hash != hash)
        i = (i + 1) & (cap - 1);
    return &records[i];
}

static void grow(struct load *load)
{
    size_t cap = load->records_cap ? load->records_cap * 2 : 4096;
    struct load_record *records = xcalloc(cap, sizeof(*records));
    for (size_t i = 0; i < load->records_cap; i++) {
        if (load->records[i].hash)
            *slot(records, cap, load->records[i].hash) = load->records[i];
    }
    free(load->records);
    load->records = records;
    load->records_cap = cap;
}

/* The record of an id, a new one when there is none; NULL when there are too many. */
static struct load_record *record_of(struct load *load, const uint8_t *id, size_t len)
{
    if (load->records_len * 4 >= load->records_cap * 3)
        grow(load);
    uint64_t hash = hash_id(id, len);
    struct load_record *r = slot(load->records, load->records_cap, hash);
    if (r->hash)
        return r;
    if (load->records_len >= LOAD_TRACKED_MAX)
        return NULL;
    load->records_len++;
    *r = (struct load_record){.hash = hash};
    return r;
}

/* Both are there. */
static void complete(struct load *load, const struct load_record *r, const uint8_t *id, size_t len)
{
    load->awaited--;
    hist_add(&load->receipt_times, load->now_ns - r->begun_ns);
    load->last_ns = load->now_ns;
    if (r->stat != SMPP_STATE_DELIVERED)
        load->n.failed_receipts++;
    if (load->o.verbose)
        printf("message %u id=%.*s ESME_ROK receipt %s\n", r->number, (int)len, (const char *)id,
               smpp_state_stat(r->stat) ? smpp_state_stat(r->stat) : "unknown");
    if (!load->awaited)
        load_check_end(load);
}

void load_answered(struct load *load, const struct load_entry *entry, const uint8_t *id, size_t len)
{
    struct load_record *r = record_of(load, id, len);
    load->awaited++;
    if (!r || r->answered) {
        fprintf(stderr, "message %llu: id %.*s was given before\n", (unsigned long long)entry->number, (int)len,
                (const char *)id);
        return; /* its receipt cannot be told from the other's: it counts as lost */
    }
    r->answered = 1;
    r->number = (uint32_t)entry->number;
    r->begun_ns = entry->begun_ns;
    if (r->receipts) {
        load->n.unknown_receipts--;
        complete(load, r, id, len);
    }
}

static const uint8_t *receipt_id(const struct pdu *pdu, const struct receipt *text, size_t *len)
{
    struct pdu_tlv tlv;
    if (!pdu_tlv_find(pdu, SMPP_TLV_receipted_message_id, &tlv)) {
        *len = text->v[RECEIPT_id].n;
        return text->v[RECEIPT_id].p;
    }
    *len = strnlen((const char *)tlv.value, tlv.len);
    return tlv.value;
}

static unsigned receipt_state(const struct pdu *pdu, const struct receipt *text)
{
    uint32_t state;
    if (pdu_tlv_int(pdu, SMPP_TLV_message_state, &state))
        return state & 0xff;
    const uint8_t *stat = text->v[RECEIPT_stat].p;
    return stat ? smpp_state_by_stat((const char *)stat, text->v[RECEIPT_stat].n) : SMPP_STATE_UNKNOWN;
}

static void final_receipt(struct load *load, const uint8_t *id, size_t len, unsigned state)
{
    struct load_record *r = record_of(load, id, len);
    load->n.receipts++;
    if (!r)
        return;
    if (r->receipts) {
        load->n.duplicates++;
        r->receipts = 2;
        return;
    }
    r->receipts = 1;
    r->stat = (uint8_t)(state ? state : SMPP_STATE_UNKNOWN);
    if (r->answered)
        complete(load, r, id, len);
    else
        load->n.unknown_receipts++; /* until its answer comes */
}

static void log_delivered(struct load_conn *conn, const struct pdu *pdu, const char *event, struct text id)
{
    struct evlog_line line = {
        .connection = conn->number, .event = event, .system_id = conn->load->o.system_id, .message_id = id};
    line.source.p = pdu_str(pdu, PDU_source_addr, &line.source.n);
    line.destination.p = pdu_str(pdu, PDU_destination_addr, &line.destination.n);
    line.body.p = pdu_body(pdu, &line.body.n);
    evlog_write(conn->load->log, &line);
}

static void on_receipt(struct load_conn *conn, const struct pdu *pdu)
{
    struct load *load = conn->load;
    struct receipt text = {0};
    size_t body_len, len;
    const uint8_t *body = pdu_body(pdu, &body_len);
    receipt_parse(&text, body, body_len);
    const uint8_t *id = receipt_id(pdu, &text, &len);
    bool intermediate = pdu_is_intermediate(pdu);
    if (load->log)
        log_delivered(conn, pdu, intermediate ? "intermediate" : "receipt", (struct text){id, len});
    if (intermediate)
        load->n.intermediate++;
    else if (load->o.receipts && id)
        final_receipt(load, id, len, receipt_state(pdu, &text));
    else
        load->n.receipts++;
}

void load_delivered(struct load_conn *conn, const struct pdu *pdu)
{
    if (pdu_is_receipt(pdu)) {
        on_receipt(conn, pdu);
    } else {
        conn->load->n.mo++;
        if (conn->load->log)
            log_delivered(conn, pdu, "mo", (struct text){0});
    }
    session_reply_status(conn->session, pdu->command_id, ESME_ROK, pdu->sequence_number);
}
