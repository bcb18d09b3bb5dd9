/* What session.c (states, framing, the peer's requests) and session_out.c (our requests) know of each other.
 * Nobody else includes this. */
#ifndef SMSCD_SESSION_INT_H
#define SMSCD_SESSION_INT_H

#include "park.h"
#include "pending.h"
#include "session.h"
#include "throttle.h"

enum session_phase {
    PHASE_LIVE,
    PHASE_FINISHING, /* an unbind was asked for or came: what is in hand is brought to its end */
    PHASE_UNBIND_SENT,
    PHASE_LEAVING /* the last octets are being written; input is ignored */
};

struct session {
    struct io *io;
    struct conn *conn; /* NULL once closed */
    const struct session_conf *conf;
    const struct session_ops *ops;
    void *owner;
    char *name;
    struct park *park;    /* requests of the peer's that wait; made on first use */
    struct pendings *out; /* our requests; made on first use */
    struct throttle throttle;
    struct io_task work; /* what becomes possible during a turn is done at its end */
    ev_timer timer;      /* one, for the earliest deadline; activity does not touch it */
    uint64_t timer_ms;   /* when it fires, UINT64_MAX: not running */
    uint64_t read_ms;    /* something came from the peer */
    uint64_t request_ms; /* a request other than enquire_link, either way */
    uint64_t init_ms;    /* deadline of the bind, 0: none */
    uint64_t enquire_ms; /* deadline of the enquire_link_resp */
    uint64_t unbind_ms;  /* deadline of PHASE_FINISHING or PHASE_UNBIND_SENT */
    uint64_t unbind_by_ms;
    uint64_t noted_ms;  /* last log line about an odd PDU */
    const char *reason; /* why it ends */
    uint32_t sequence;  /* the last one used */
    uint32_t bind_id, bind_sequence;
    uint32_t enquire_sequence, unbind_sequence; /* 0: not asked */
    uint32_t peer_unbind_sequence;
    unsigned in_hand;
    uint8_t role, state, phase, bind_type, interface_version;
    bool peer_unbinds; /* unbind_resp is owed */
    bool refused;      /* WINDOW_FULL was said: tell when there is room */
    bool doomed;       /* closes at the end of the turn, with `reason` */
};

static inline unsigned session_out_count(const struct session *s, enum pending_list list)
{
    return s->out ? pending_count(s->out, list) : 0;
}

enum {
    AS_TX = 1 << SESSION_TRX | 1 << SESSION_TX, /* how the ESME must be bound */
    AS_RX = 1 << SESSION_TRX | 1 << SESSION_RX
};

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Nothing of the peer's matters any longer. */
static inline bool session_deaf(const struct session *s)
{
    return s->state == SESSION_CLOSED || s->phase == PHASE_LEAVING;
}

/* session.c */
/* Writes a PDU; dooms the session when there is no room. */
bool session_write(struct session *s, const uint8_t *raw, size_t len);
void session_write_header(struct session *s, uint32_t command_id, uint32_t status, uint32_t sequence);
/* The response to command_id without a body, or with an empty message_id where the standard has one in any case (4.6.2)
 * or with ESME_ROK. */
void session_write_status(struct session *s, uint32_t command_id, uint32_t status, uint32_t sequence);
/* Closes at the end of the turn. */
void session_doom(struct session *s, const char *reason);
/* Writes what there is and closes. */
void session_leave(struct session *s, const char *reason);
/* Reads no more until the peer has read, and not for ever. */
void session_choke(struct session *s);
/* Makes the timer fire at at_ms at the latest. */
void session_arm(struct session *s, uint64_t at_ms);
/* The same for the earliest of all deadlines. */
void session_arm_next(struct session *s, uint64_t now_ms);
uint32_t session_next_sequence(struct session *s);

/* session_in.c */
size_t session_in_data(struct conn *conn, void *owner, uint8_t *data, size_t len);
/* Hands over what was parked, as far as the window allows, and goes on in the next turn when that is much. */
void session_in_unpark(struct session *s);
/* The bind types (1 << enum session_bind_type) with which the side `sender` may send that request; SMPP 3.4
 * table 2-1. UINT_MAX for what is no message. */
unsigned session_may_send(uint32_t command_id, enum session_role sender);

/* session_out.c */
/* An answer of the peer's; false when nobody waits for it. */
bool session_out_answer(struct session *s, const uint8_t *raw, size_t len);
/* Sends what waits, as far as window and pace allow; tells the owner of new room. */
void session_out_pump(struct session *s);
/* Ends the requests whose time is over. */
void session_out_expire(struct session *s, uint64_t now_ms);
/* The earliest deadline of any of them, UINT64_MAX: none. */
uint64_t session_out_deadline(const struct session *s, uint64_t now_ms);
/* Every request gets its outcome GONE. */
void session_out_gone(struct session *s);

#endif
