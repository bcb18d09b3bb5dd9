/* One SMPP session over one connection, either role: framing, states, timers, the windows of both directions.
 * The owner sees whole, decoded requests, answers them by their sequence number, and sends requests that
 * end in exactly one outcome. SMPP 3.4 sections 2 and 7.2. */
#ifndef SMSCD_SESSION_H
#define SMSCD_SESSION_H

#include "conn.h"
#include "pdu.h"

enum session_role {
    SESSION_SMSC, /* we accepted: the peer binds to us */
    SESSION_ESME  /* we connected: we bind to the peer */
};

enum session_state { SESSION_OPEN, SESSION_BINDING, SESSION_BOUND, SESSION_UNBINDING, SESSION_CLOSED };

enum session_bind_type { SESSION_TRX, SESSION_TX, SESSION_RX }; /* the ESME transmits, receives, or both */
/* "transceiver", "transmitter", "receiver". */
const char *session_bind_type_name(enum session_bind_type type);

/* How a request of ours ended. */
enum session_outcome {
    SESSION_RESPONSE,    /* the peer answered, whatever its status */
    SESSION_WINDOW_FULL, /* not sent: the queue was full, or the time ended while it waited for the window */
    SESSION_TIMEOUT,     /* sent, no answer in time: outcome unknown */
    SESSION_GONE,        /* the session ended; `sent` tells whether it may have arrived */
    SESSION_REFUSED      /* not sent: the session is not bound, or not in this direction */
};

struct session_conf {
    unsigned session_init_ms; /* role SMSC: from connect to a successful bind; role ESME: for the bind_resp (0: none) */
    unsigned enquire_link_ms; /* after so much silence we ask (0: never) */
    unsigned inactivity_ms;   /* after so long without any request but enquire_link, unbind (0: never) */
    unsigned response_ms;     /* for an answer to each of our requests, enquire_link included */
    unsigned window_in;       /* requests of the peer in hand; more wait */
    size_t park_bytes;        /* how much may wait; beyond: park_status */
    uint32_t park_status;     /* ESME_RTHROTTLED towards ESMEs, ESME_RX_T_APPN towards upstreams */
    unsigned window_out;      /* our requests unanswered */
    unsigned queue_out;       /* our requests that wait for the window */
    size_t max_pdu_bytes;     /* a longer PDU: generic_nack ESME_RINVCMDLEN and close */
    unsigned max_per_second;  /* our requests sent, role ESME: paced (0: no limit) */
    size_t first_write;       /* answers given while requests are read leave at so many octets (conn.h) */
};

struct session;

struct session_ops {
    /* Role SMSC: a bind_* request. Answer with session_accept or session_reject, now or later. */
    void (*bind)(struct session *s, void *owner, const struct pdu *pdu);
    /* Role ESME: the answer to our bind_*. With ESME_ROK the session is bound; otherwise it is closed after the call.
     */
    void (*bind_resp)(struct session *s, void *owner, const struct pdu *pdu);
    /* A request of the peer's that is right in this state and direction and decodes. It counts in window_in until
     * session_reply with its sequence number (alert_notification: has no answer and does not count). `pdu` is valid
     * during the call only. */
    void (*request)(struct session *s, void *owner, const struct pdu *pdu);
    /* Last call: the connection is gone, every request of ours has had its outcome before. `reason` is for the log. The
     * session is freed after it returns. */
    void (*closed)(struct session *s, void *owner, const char *reason);
    /* Room in the outgoing window or queue again after session_send refused with WINDOW_FULL. May be NULL. */
    void (*writable)(struct session *s, void *owner);
};

/* The outcome of a request: resp is the whole response PDU for SESSION_RESPONSE (generic_nack too), else NULL.
 * `sent` is whether it went on the wire. Called exactly once; with SESSION_SEND_LATE once more, with SESSION_RESPONSE
 * or SESSION_GONE, after SESSION_TIMEOUT. Never called from within session_send. */
typedef void session_done_fn(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len);

/* Takes the descriptor. conf and ops are kept by reference and must outlive the session. `name` is for the log, copied;
 * session_rename replaces it. */
struct session *session_new(struct io *io, int fd, enum session_role role, const struct session_conf *conf,
                            const struct session_ops *ops, void *owner, const char *name);
void session_rename(struct session *s, const char *name);
const char *session_name(const struct session *s);

enum session_state session_state(const struct session *s);
/* Of a session that is binding or bound. */
enum session_bind_type session_bind_type(const struct session *s);
/* What the bind_* request (SMSC) or the answer (ESME: sc_interface_version) said; 0x33 when it said nothing. */
uint8_t session_interface_version(const struct session *s);
/* Whether the peer may get requests from us: role SMSC: bound as receiver or transceiver; ESME: transmitter or
 * transceiver. */
bool session_can_send(const struct session *s);

/* Role ESME: sends bind_<type>; out->command_id is set by it. */
void session_bind(struct session *s, enum session_bind_type type, struct pdu_out *out);
/* Role SMSC, after `bind`: answers with our system_id and, to a 3.4 peer, sc_interface_version; the session is bound.
 */
void session_accept(struct session *s, const char *system_id);
/* Role SMSC, after `bind`: answers with status; the connection is closed after that. */
void session_reject(struct session *s, uint32_t status);

#define SESSION_SEND_LATE                                                                                              \
    1u /* tell of an answer that comes after the timeout (kept for 10 times response_ms, at most 600 s) */

/* Sends a request: raw is a whole PDU, whose sequence_number is set here (in the copy). Queued when the window is full.
 * timeout_ms: from this call to the answer, waiting included (0: response_ms for each part). Returns a ticket (> 0), or
 * 0 when nothing was taken: *why is then WINDOW_FULL or REFUSED, and done is not called. */
uint64_t session_send(struct session *s, const uint8_t *raw, size_t len, unsigned timeout_ms, unsigned flags,
                      session_done_fn *done, void *arg, enum session_outcome *why);
/* alert_notification: written as it is, in order, no answer, no window. false: not bound that way or no room. */
bool session_send_alert(struct session *s, const uint8_t *raw, size_t len);
/* Nobody waits for it any longer: done is not called. Returns true when it was still queued and has been taken
 * back, false when it is on the wire (its answer is then ignored, but with SESSION_SEND_LATE still told) or over. */
bool session_cancel(struct session *s, uint64_t ticket);
/* Our requests: on the wire; waiting. */
unsigned session_unanswered(const struct session *s);
unsigned session_queued(const struct session *s);
/* Requests of the peer's that are in hand, and those parked. */
unsigned session_in_hand(const struct session *s);
unsigned session_parked(const struct session *s);

/* Answers a request in hand: a whole response PDU; its sequence_number is that of the request. */
void session_reply(struct session *s, const uint8_t *raw, size_t len);
/* The same with room in the write buffer, to encode in place: NULL when there is no room (the session is then being
 * closed). Follow with session_reply_commit(n). */
uint8_t *session_reply_reserve(struct session *s, size_t max);
void session_reply_commit(struct session *s, size_t n);
/* A response of the header alone: answers with an error status, or deliver_sm_resp's empty message_id. command_id is
 * the request's. */
void session_reply_status(struct session *s, uint32_t command_id, uint32_t status, uint32_t sequence_number);

/* Graceful end: takes no further requests (ESME_RINVBNDSTS... to new ones), waits for those in hand and our unanswered
 * ones up to timeout_ms, sends unbind, waits for its answer up to response_ms or what is left of timeout_ms, closes.
 * `closed` follows. */
void session_unbind(struct session *s, unsigned timeout_ms);
/* At once; `closed` is called before it returns. */
void session_close(struct session *s, const char *reason);

#endif
