/* The typed messages between master and worker. One list; each side has a dispatch table of what it can receive.
 * Same host, same binary; integers are big-endian all the same, because wire.h is the one cursor there is. */
#ifndef SMSCD_MSG_H
#define SMSCD_MSG_H

#include "wire.h"

/* C: over the control channel (SOCK_SEQPACKET, may carry a descriptor), D: over the data channel.
 * `id` in the header names a request of the sender's; the answer carries the same id. `session` is the gateway-wide
 * number of an ESME session or of one connection of a bind.
 *
 * master -> worker
 * - ADOPT C, session, fd, body: address text of the peer. An accepted connection.
 * - RELOAD C, id, fd: the script's byte code, or none. Load the script anew; answer RELOADED, unless id is 0.
 * - DRAIN C, body: u32 timeout_ms. End what is in hand, unbind, exit 0.
 * - LOG_REOPEN C.
 * - SESSION_GRANT D, session, body: u32 command_status. The answer to SESSION_BIND.
 * - DELIVER D, id, session, body: u32 bind index, raw request. A request of an upstream's; answer DELIVER_DONE.
 *   id 0: an alert_notification, which has no answer.
 * - BIND_STATE D, session, body: struct msg_bind_state. A connection of a bind is up or down.
 * - RESULT D, id, body: u8 outcome, u8 sent, u8 late, raw response. The answer to SUBMIT and SEND_TO.
 * - SEND_TO D, id, session, body: u32 timeout_ms, raw request. For an ESME session of this worker; answer RESULT.
 * - CANCEL D, id of a SEND_TO. Nobody waits for it any longer: no RESULT follows.
 *
 * worker -> master
 * - READY C, body: u8 ok, error text. Started, or why not.
 * - RELOADED C, id, body: u8 ok, error text.
 * - COMPILE C. It was told to load its script anew, and asks for a RELOAD of its own.
 * - SESSION_BIND D, session, body: u8 bind_type, system_id text. Asks for the grant.
 * - SESSION_GONE D, session. Closed, bound or not; sent for every ADOPT.
 * - SUBMIT D, id, body: u32 bind index, u32 timeout_ms, u8 flags (SESSION_SEND_*), raw request.
 * - SEND_TO D, id, session, body: u32 timeout_ms, raw request. For a session of another worker. With session 0 the body
 *   is u32 timeout_ms, u8 n, n octets of a system_id, raw request: for any receiving session of that ESME.
 * - CANCEL D, id of a SUBMIT or SEND_TO. Nobody waits for it any longer: no RESULT follows, but for a SUBMIT with
 *   SESSION_SEND_LATE exactly one: the late one, or the one that crossed the CANCEL on its way (unless it is
 *   MSG_TIMEOUT: then the late one still comes).
 * - RESULT D, id, as above. The answer to SEND_TO.
 * - DELIVER_DONE D, id, session, body: raw response. The answer to DELIVER. */
#define MSG_TYPES(X)                                                                                                   \
    X(ADOPT)                                                                                                           \
    X(RELOAD)                                                                                                          \
    X(DRAIN)                                                                                                           \
    X(LOG_REOPEN)                                                                                                      \
    X(SESSION_GRANT)                                                                                                   \
    X(DELIVER)                                                                                                         \
    X(BIND_STATE)                                                                                                      \
    X(RESULT)                                                                                                          \
    X(SEND_TO)                                                                                                         \
    X(READY)                                                                                                           \
    X(RELOADED)                                                                                                        \
    X(COMPILE)                                                                                                         \
    X(SESSION_BIND)                                                                                                    \
    X(SESSION_GONE)                                                                                                    \
    X(SUBMIT)                                                                                                          \
    X(CANCEL)                                                                                                          \
    X(DELIVER_DONE)

#define X(name) MSG_##name,
enum msg_type { MSG_TYPES(X) MSG_TYPE_COUNT };
#undef X
const char *msg_type_name(enum msg_type type);

#define MSG_HEADER_SIZE 24 /* u32 length of the whole, u16 type, u16 zero, u64 id, u64 session */
#define MSG_MAX (256 * 1024)

/* A message as received. The body points into the channel's buffer and is valid during the handler's call. */
struct msg {
    enum msg_type type;
    uint64_t id, session;
    const uint8_t *body;
    size_t len;
    int fd; /* ADOPT, RELOAD; -1: none. The message owns it: a handler that takes it sets it to -1. */
};

/* How a send through the gateway ended: session_outcome's, and what only a gateway can say. On the wire as u8. */
enum msg_outcome {
    MSG_RESPONSE,    /* = SESSION_RESPONSE */
    MSG_WINDOW_FULL, /* not sent, for certain */
    MSG_TIMEOUT,     /* outcome unknown */
    MSG_GONE,        /* the session or the bind's connection ended; `sent` tells whether it may have arrived */
    MSG_REFUSED,     /* the session may not get this (not bound in this direction) */
    MSG_BIND_DOWN,   /* not sent: the bind is not up */
    MSG_NO_SESSION   /* not sent: no session of that number */
};

/* BIND_STATE's body. */
struct msg_bind_state {
    uint32_t bind;      /* index in conf->binds */
    uint8_t up;         /* 1: bound now; 0: no longer */
    uint8_t bind_type;  /* enum session_bind_type */
    uint8_t notify;     /* 1: this worker runs on_session for it */
    char system_id[17]; /* what the upstream called itself */
    char addr[64];      /* its address */
};
void msg_put_bind_state(struct wire *w, const struct msg_bind_state *state);
/* 0, or -1 when the body is not exactly one. */
int msg_get_bind_state(struct wire *w, struct msg_bind_state *state);

#endif
