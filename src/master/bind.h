/* Outbound binds: each a number of connections to one upstream, kept up, and one place to send to. */
#ifndef SMSCD_BIND_H
#define SMSCD_BIND_H

#include "master.h"
#include "msg.h"
#include "quiet.h"
#include "session.h"

struct bind_conn;

struct bind {
    struct master *m;
    unsigned index; /* in conf->binds */
    const struct conf_bind *conf;
    struct session_conf session_conf;
    struct bind_conn *conns; /* conf->sessions */
    uint64_t refused;        /* deliver_sm refused to it with ESME_RX_T_APPN */
    struct quiet refusals;
};

/* What the readouts tell of one connection. */
struct bind_conn_info {
    const char *state, *reason; /* reason: why it is not bound, "" when it is */
    const char *peer_system_id, *addr;
    uint64_t number, since_ms;
    unsigned unanswered, queued, in_hand;
};

void bind_init(struct bind *bind, struct master *m, unsigned index);
void bind_free(struct bind *bind);
void bind_start(struct bind *bind);
/* Unbinds all connections within timeout_ms; master_bind_stopped is told for each. */
void bind_stop(struct bind *bind, unsigned timeout_ms);
/* Every connection of every bind has stopped. */
bool binds_stopped(const struct master *m);

/* session_send on the connection with the most room. Returns the ticket and *conn, or 0 with *why. */
uint64_t bind_send(struct bind *bind, const uint8_t *raw, size_t len, unsigned timeout_ms, unsigned flags,
                   session_done_fn *done, void *arg, struct bind_conn **conn, enum msg_outcome *why);
/* A deliver_sm of its could not be taken: counted, and logged once in a while. */
void bind_refused_deliver(struct bind *bind, const char *why);
/* Tells a worker that has just become ready which connections are up, and what nobody was there to hear. */
void binds_tell_all(struct master *m, struct proc *p);

struct bind *bind_conn_bind(const struct bind_conn *conn);
/* NULL when there is no connection now. */
struct session *bind_conn_session(const struct bind_conn *conn);
uint64_t bind_conn_number(const struct bind_conn *conn);
/* "bind eu", or "bind eu/2" when it has several connections; for the log. */
const char *bind_conn_name(const struct bind_conn *conn);
void bind_conn_info(const struct bind *bind, unsigned i, struct bind_conn_info *info);
/* Connections that are bound now. */
unsigned bind_up(const struct bind *bind);

#endif
