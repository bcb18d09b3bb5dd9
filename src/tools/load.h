/* smppload: what its parts share. Options, start and end in smppload.c, connections and their binds in load_conn.c,
 * the messages in load_send.c, ids and receipts in load_receipt.c, what is printed in load_report.c. */
#ifndef SMSCD_LOAD_H
#define SMSCD_LOAD_H

#include <ev.h>

#include "evlog.h"
#include "hist.h"
#include "pattern.h"
#include "session.h"

#define LOAD_STATUSES_MAX 32
#define LOAD_TRACKED_MAX 20000000u /* messages remembered with --receipts */

enum load_bind_type { LOAD_TRX, LOAD_TX_RX, LOAD_TX, LOAD_RX };

struct load_options {
    const char *host, *port, *system_id, *password, *system_type, *source, *destination, *text, *log;
    unsigned connections, bind_type, window, count, length, data_coding, registered_delivery, rebind_every;
    unsigned source_ton, source_npi, dest_ton, dest_npi, response_timeout_ms, enquire_link_ms;
    double rate, time, receipt_timeout, bind_timeout;
    bool receipts, verbose, json, quiet;
};

struct load_conn {
    struct load *load;
    struct session *session; /* NULL: not connected */
    unsigned number, failures;
    enum session_bind_type type;
    bool bound, was_bound;
    bool rebinding, leaving; /* an unbind of ours: to bind again; for good */
    unsigned since_bind;     /* messages sent since the bind */
    int fd;                  /* while connecting */
    ev_io connecting;
    ev_timer retry;
};

/* A message on the wire. */
struct load_entry {
    struct load_conn *conn;
    uint64_t number, begun_ns; /* when it was sent, or, with --rate, when it was due */
    struct load_entry *next;
};

/* What is remembered of a message for its receipt; see load_receipt.c. */
struct load_record {
    uint64_t hash; /* of its id; 0: free */
    uint64_t begun_ns;
    uint32_t number;
    uint8_t answered, stat, receipts; /* stat: state of the final receipt, 0 while there is none */
};

/* X(name, text in the result) */
#define LOAD_COUNTERS(X)                                                                                               \
    X(sent, "messages sent")                                                                                           \
    X(accepted, "accepted (ESME_ROK)")                                                                                 \
    X(refused, "answered with an error")                                                                               \
    X(lost_answers, "lost: no answer")                                                                                 \
    X(receipts, "receipts")                                                                                            \
    X(intermediate, "intermediate receipts")                                                                           \
    X(lost_receipts, "lost: no receipt")                                                                               \
    X(duplicates, "receipts that came again")                                                                          \
    X(unknown_receipts, "receipts of unknown messages")                                                                \
    X(failed_receipts, "receipts that say the message failed")                                                         \
    X(mo, "MO messages received")                                                                                      \
    X(binds, "binds")                                                                                                  \
    X(disconnects, "connections lost")

struct load {
    struct load_options o;
    struct ev_loop *loop;
    struct io *io;
    struct session_conf session_conf;
    struct evlog *log;
    struct sockaddr_storage *addr;
    unsigned addr_len;
    struct load_conn *conns;
    unsigned conn_count, bound, connecting, next_conn, next_sender;
    bool started, ending, failed;
    uint64_t now_ns; /* of this turn of the loop */
    uint64_t begun_ns, end_ns, sending_ended_ns, last_ns, unanswered;
    uint64_t last_sent; /* of the progress line */
    ev_check check;
    ev_timer second, deadline, tick;
    ev_io pace;
    int pace_fd;

    /* load_send.c: the PDU with the places of what changes in it */
    uint8_t *pdu;
    size_t pdu_len;
    struct pattern source, destination, text;
    uint8_t *source_at, *destination_at, *text_at;
    struct load_entry *free_entries, *entries;

    /* load_receipt.c */
    struct load_record *records;
    size_t records_cap, records_len;
    uint64_t awaited; /* accepted messages without a final receipt */

    struct hist answers, receipt_times;
    struct hist lateness; /* --rate: from when a message was due until it was sent */
    struct {
        uint32_t status;
        uint64_t count;
    } statuses[LOAD_STATUSES_MAX];
    struct {
#define X(name, text) uint64_t name;
        LOAD_COUNTERS(X)
#undef X
    } n;
};

uint64_t load_clock_ns(void);

/* smppload.c */
/* All are bound: begins to send. */
void load_start(struct load *load);
/* Nothing is to be sent any more; ends when the answers and receipts are there. */
void load_check_end(struct load *load);
/* Says why and ends with exit status 1. */
void load_abort(struct load *load, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* load_conn.c */
void load_conns_open(struct load *load);
void load_conns_free(struct load *load);

/* load_send.c */
/* Builds the PDU; NULL, or what is wrong. */
const char *load_prepare(struct load *load);
void load_send_free(struct load *load);
bool load_may_send(const struct load *load);
/* As many as the window takes (no --rate). */
void load_fill(struct load_conn *conn);
void load_pace_start(struct load *load);
void load_pace_stop(struct load *load);

/* load_receipt.c */
/* The answer to message `number` with its id. */
void load_answered(struct load *load, const struct load_entry *entry, const uint8_t *id, size_t len);
/* A deliver_sm or data_sm; answers it. */
void load_delivered(struct load_conn *conn, const struct pdu *pdu);

/* load_report.c */
void load_progress(struct load *load);
void load_report(const struct load *load);
void load_count_status(struct load *load, uint32_t status);
uint64_t load_lost(const struct load *load);

#endif
