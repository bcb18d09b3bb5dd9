/* The master as its parts see it: what they share, and what they tell it. One per process, one libev loop. */
#ifndef SMSCD_MASTER_H
#define SMSCD_MASTER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "conn.h"

struct proc;
struct bind;
struct registry;
struct requests;
struct deliveries;
struct listener;
struct redis_server;
struct admin;
struct reload;

/* In this order, each entered once; DRAINING, UNBINDING and STOPPING may be reached from any before. */
enum master_state {
    MASTER_NEW,
    MASTER_REDIS,     /* waiting for the embedded Redis */
    MASTER_WORKERS,   /* waiting for the first READY of each worker */
    MASTER_RUNNING,   /* accepts, binds */
    MASTER_DRAINING,  /* workers end what is in hand */
    MASTER_UNBINDING, /* outbound binds end */
    MASTER_STOPPING,  /* the embedded Redis ends */
    MASTER_DONE
};

struct master {
    struct ev_loop *loop;
    struct io *io;
    struct conf *conf;
    enum master_state state;
    int exit_status;
    bool quick; /* a second SIGTERM: no waiting */
    char node[9];
    char *redis_url; /* for the workers */
    uint64_t started_ms;
    uint64_t last_number; /* of an ESME session or a connection of a bind */
    struct proc *procs;   /* conf->workers */
    struct bind *binds;   /* conf->bind_count */
    struct registry *registry;
    struct requests *requests;
    struct deliveries *deliveries;
    struct listener *listener;
    struct redis_server *redis; /* NULL: a configured one is used */
    struct admin *admin;
    struct reload *reload;
    uint64_t ticked_ms, lenient_ms; /* no worker is judged late before lenient_ms */
    ev_timer tick, deadline;
    ev_signal signals[5];
};

/* Runs until the end; conf is taken. Returns the exit status. */
int master_run(struct conf *conf);

/* Told by proc. */
void master_worker_ready(struct master *m, struct proc *p);
void master_worker_gone(struct master *m, struct proc *p); /* before it is started again */
/* Told by redis_server. */
void master_redis_up(struct master *m);
void master_redis_ended(struct master *m);
/* Told by bind: a connection has come to its end in MASTER_UNBINDING. */
void master_bind_stopped(struct master *m);

/* What cannot be survived while starting: said in the log and on standard error; everything started is stopped, exit
 * status 1. */
void master_fail(struct master *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* SIGTERM; the second time at once. */
void master_stop(struct master *m);

static inline bool master_ending(const struct master *m)
{
    return m->state >= MASTER_DRAINING;
}

#endif
