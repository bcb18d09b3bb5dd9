/* What bind.c (a bind as a whole) and bind_conn.c (one connection's states) know of each other. */
#ifndef SMSCD_BIND_INT_H
#define SMSCD_BIND_INT_H

#include "bind.h"
#include "resolver.h"

enum bind_state {
    BIND_NEW,
    BIND_WAITING, /* for the next try */
    BIND_RESOLVING,
    BIND_CONNECTING,
    BIND_BINDING,
    BIND_BOUND,
    BIND_UNBINDING,
    BIND_STOPPED
};

enum bind_event {
    BIND_EV_START,
    BIND_EV_TIMER,
    BIND_EV_RESOLVED,
    BIND_EV_CONNECTED,
    BIND_EV_CONNECT_FAILED,
    BIND_EV_ACCEPTED, /* bind_resp with ESME_ROK */
    BIND_EV_CLOSED,   /* the session has ended */
    BIND_EV_STOP
};

struct bind_conn {
    struct bind *bind;
    char name[64];
    enum bind_state state;
    uint64_t since_ms; /* in this state */
    uint64_t number;   /* of this connection; a new one for each */
    struct session *session;
    struct resolver *resolver;
    struct resolver_result addresses;
    size_t next_address; /* of addresses, to be tried */
    int fd;              /* while connecting */
    ev_io connecting;
    ev_timer timer;
    unsigned attempt; /* tries since it last lasted */
    unsigned stop_ms;
    char reason[256]; /* why it is not up */
    char system_id[17], addr[64];
    bool notify_up;   /* no worker has been told to run on_session for the bound one */
    bool notify_down; /* nor for the end of one before it: `ended` */
    struct msg_bind_state ended;
    uint64_t ended_number;
};

void bind_conn_init(struct bind_conn *c, struct bind *bind, unsigned i);
/* Lets go of all it holds, whatever its state. */
void bind_conn_end(struct bind_conn *c);
void bind_conn_fsm(struct bind_conn *c, enum bind_event event);
const char *bind_state_name(enum bind_state state);
/* bind.c: it is up (or down after having been up): said to the workers. */
void bind_announce(struct bind_conn *c, bool up);

#endif
