/* A worker process: forked, watched, replaced. */
#ifndef SMSCD_PROC_H
#define SMSCD_PROC_H

#include <sys/types.h>

#include "chan.h"
#include "master.h"
#include "stats.h"

struct request;
struct delivery;

enum proc_state {
    PROC_DEAD,     /* none; started again when the timer says so */
    PROC_STARTING, /* forked, has not said READY */
    PROC_READY,
    PROC_DRAINING, /* told to end */
    PROC_ENDING    /* over: being killed, or its last words are being read */
};
const char *proc_state_name(enum proc_state state);

struct proc {
    struct master *m;
    unsigned index;
    uint32_t generation;
    enum proc_state state;
    pid_t pid;         /* 0: none */
    struct chan *chan; /* NULL: none */
    struct stats_block *stats;
    uint64_t started_ms, ready_ms;
    unsigned failed_starts; /* in a row */
    bool was_ready, lagging, reaped;
    bool reloading, asked, served; /* reload: owes a RELOADED; wants a RELOAD of its own, in the run under way */
    int status;                    /* of waitpid, when reaped */
    char *error;                   /* why it did not start */
    unsigned sessions;             /* adopted and not gone: registry */
    struct request *requests;      /* it waits for: requests */
    struct request *forwards;      /* it owes an answer to: requests */
    struct delivery *deliveries;   /* it has in hand, oldest first: deliver */
    unsigned request_count, forward_count, delivery_count;
    ev_child child;
    ev_timer timer;
};

void proc_init(struct proc *p, struct master *m, unsigned index, struct stats_block *stats);
/* Forks. -1: it could not (logged, tried again later). */
int proc_start(struct proc *p);
/* Asks it to end what is in hand and to exit; kills it when it has not started yet. */
void proc_drain(struct proc *p, unsigned timeout_ms);
/* SIGKILL now; `why` for the log, NULL: not worth a line. */
void proc_kill(struct proc *p, const char *why);
/* Ready, and does what it is told in time: may be given new work. */
bool proc_keeps_up(const struct proc *p);
/* Looks at its heartbeat; called a few times a second. */
void proc_watch(struct proc *p, uint64_t now_ms);
/* Milliseconds since it last turned its loop. */
uint64_t proc_beat_age(const struct proc *p, uint64_t now_ms);
/* How many are not PROC_DEAD. */
unsigned procs_alive(const struct master *m);

/* What it says, and that it has fallen silent: for the table of dispatch.c. */
void proc_on_closed(struct chan *chan, void *owner);
void proc_on_ready(void *owner, struct msg *msg);

#endif
