/* smppsim: what its parts share. One loop, one process: listener and options in smppsim.c, sessions and their
 * requests in sim_session.c, everything that happens later (receipts, MO messages, late answers) in sim_job.c. */
#ifndef SMSCD_SIM_H
#define SMSCD_SIM_H

#include <ev.h>
#include <time.h>
#include <uthash.h>

#include "evlog.h"
#include "session.h"

#define SIM_ID_MAX 64
#define SIM_ADDR_MAX 20

/* X(name, text in the summary) */
#define SIM_COUNTERS(X)                                                                                                \
    X(connections, "connections accepted")                                                                             \
    X(binds, "binds accepted")                                                                                         \
    X(binds_refused, "binds refused")                                                                                  \
    X(submits, "messages received")                                                                                    \
    X(accepted, "messages accepted")                                                                                   \
    X(errors, "messages answered with an error")                                                                       \
    X(queue_full, "messages answered ESME_RMSGQFUL, too many receipts pending")                                        \
    X(dropped, "messages never answered")                                                                              \
    X(delayed, "messages answered late")                                                                               \
    X(disconnects, "connections closed by --disconnect-rate")                                                          \
    X(receipts, "receipts made")                                                                                       \
    X(receipts_acked, "receipts acknowledged")                                                                         \
    X(receipts_failed, "receipts given up or refused for good")                                                        \
    X(mo, "MO messages made")                                                                                          \
    X(mo_acked, "MO messages acknowledged")                                                                            \
    X(mo_failed, "MO messages given up or refused for good")                                                           \
    X(resent, "receipts and MO messages sent again")

struct sim_options {
    const char *bind_address, *system_id, *password, *id_prefix, *mo_source, *mo_destination, *log;
    const char *server_id;
    unsigned port, id_format;
    double id_start;
    double receipt_before_rate, receipt_tlv_rate, intermediate_rate;
    unsigned receipt_delay_ms, receipt_before_ms, stat;
    double mo_rate;
    unsigned mo_count;
    double error_rate, delay_rate, drop_rate, disconnect_rate;
    uint32_t error_status;
    unsigned delay_ms, deliver_window, deliver_timeout_ms, retries, retry_min_ms, retry_max_ms, max_pending;
    unsigned window, enquire_link_ms, count, seed;
    double time;
    bool quiet, json;
};

enum sim_id_format { SIM_ID_DEC, SIM_ID_HEX, SIM_ID_PREFIX };

struct sim_addr {
    uint8_t ton, npi, len;
    char text[SIM_ADDR_MAX + 1];
};

/* One bound (or binding) connection. Lives until the session is closed and no job names it any longer. */
struct sim_conn {
    struct sim *sim;
    struct session *session; /* NULL: closed */
    struct sim_group *group; /* NULL: not bound */
    unsigned number, refs;
    struct sim_conn *prev, *next;                   /* sim->conns */
    struct sim_conn *receiver_prev, *receiver_next; /* group->receivers, those that take deliver_sm */
};

/* What all sessions of one system_id share: a receipt goes to any of them that receives. */
struct sim_group {
    char *system_id;
    struct sim_conn *receivers;
    struct sim_job *waiting; /* deliver_sm to be sent as soon as a receiver has room, oldest first */
    UT_hash_handle hh;
};

enum sim_job_kind { SIM_JOB_RESPONSE, SIM_JOB_RECEIPT, SIM_JOB_MO };

/* Something that is to be sent later, or is unanswered. */
struct sim_job {
    uint64_t due_ms, order; /* place in the heap; order: first come, first served at the same time */
    enum sim_job_kind kind;
    struct sim_group *group;
    struct sim_conn *conn; /* RESPONSE: whose; else where it was sent last; holds a reference */
    struct sim_job *prev, *next;
    uint32_t command_id, sequence_number; /* RESPONSE */
    char id[SIM_ID_MAX + 1];
    struct sim_addr from, to;
    unsigned state, attempts;
    bool tlv_only, intermediate;
    time_t submitted;
    uint8_t text_len, text[40]; /* RECEIPT: begin of the message; MO: its body */
};

struct sim {
    struct sim_options o;
    struct ev_loop *loop;
    struct io *io;
    struct session_conf session_conf;
    struct sim_conn *conns;
    struct sim_group *groups, *mo_group;
    struct evlog *log;
    uint64_t next_id, rng;
    char id[SIM_ID_MAX + 1]; /* the text of next_id */
    size_t id_len, id_digits;
    unsigned next_connection;
    bool ending;
    struct sim_job **heap, *free_jobs;
    size_t heap_len, heap_cap;
    uint64_t job_order;
    unsigned jobs; /* in the heap, waiting or unanswered */
    ev_io accepting;
    ev_timer accept_again, job_timer, mo_timer, end_timer;
    double mo_begun;
    struct {
#define X(name, text) uint64_t name;
        SIM_COUNTERS(X)
#undef X
    } n;
};

/* smppsim.c */
bool sim_draw(struct sim *sim, double percent);
/* true in `percent` of the calls. Most are never: asked several times for each message. */
static inline bool sim_chance(struct sim *sim, double percent)
{
    return percent > 0 && sim_draw(sim, percent);
}
void sim_event(struct sim *sim, const struct sim_conn *conn, const char *event, const struct evlog_line *what);
/* Begins the end: no new connections, unbinds, then the loop stops. */
void sim_end(struct sim *sim);
/* Ends when --count messages are done with. */
void sim_check_count(struct sim *sim);

/* sim_session.c */
/* Writes the text of next_id anew. */
void sim_id_write(struct sim *sim);
void sim_accept(struct sim *sim, int fd);
void sim_conn_ref(struct sim_conn *conn);
void sim_conn_unref(struct sim_conn **conn);
/* The answer with an id to submit_sm, submit_multi and data_sm. */
void sim_answer(struct sim_conn *conn, uint32_t command_id, uint32_t sequence_number, const char *id, size_t id_len);
void sim_groups_free(struct sim *sim);

/* sim_job.c */
void sim_jobs_init(struct sim *sim);
void sim_jobs_free(struct sim *sim);
/* YYMMDDhhmm in UTC; returns its length. */
#define SIM_DATE_MAX 64
size_t sim_date(time_t t, char to[SIM_DATE_MAX]);
/* An empty job, or NULL when max_pending exist. */
struct sim_job *sim_job_new(struct sim *sim, enum sim_job_kind kind, struct sim_group *group);
void sim_job_free(struct sim *sim, struct sim_job **job);
void sim_job_later(struct sim *sim, struct sim_job *job, unsigned ms);
/* Sends a RECEIPT or MO as soon as its group has room. */
void sim_job_send(struct sim *sim, struct sim_job *job);
/* Sends what waits; to be called when a receiver has bound or has room. */
void sim_group_pump(struct sim *sim, struct sim_group *group);
/* The state of a message whose receipt is still to come is changed (cancel_sm). false: there is none. */
bool sim_job_cancel(struct sim *sim, const struct sim_group *group, struct text id);

#endif
