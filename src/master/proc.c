/* Supervision of a worker process: fork without exec, first READY, heartbeat, death and replacement.
 * A worker is over when it has been reaped and its last words have been read; then its place is free again. */
#include "proc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "dispatch.h"
#include "log.h"
#include "pick.h"
#include "util.h"
#include "worker/worker.h"

#define START_MAX_MS 60000  /* from fork to READY */
#define RESTART_MIN_MS 2000 /* between starts that fail */
#define RESTART_MAX_MS 60000
#define LAST_WORDS_S 0.1 /* to read what a dead worker had written */
#define DUMP_S 0.2       /* for Python's stack to be written before SIGKILL */
#define LAG_MS 1500      /* heartbeat older: gets no new work */

const char *proc_state_name(enum proc_state state)
{
    static const char *const names[] = {"dead", "starting", "ready", "draining", "ending"};
    return names[state];
}

static const char *who(const struct proc *p)
{
    static char text[32];
    snprintf(text, sizeof(text), "worker %u", p->index);
    return text;
}

static void set_timer(struct proc *p, double seconds)
{
    ev_timer_stop(p->m->loop, &p->timer);
    ev_timer_set(&p->timer, seconds, 0.);
    ev_timer_start(p->m->loop, &p->timer);
}

static void describe_end(const struct proc *p, char *to, size_t cap)
{
    if (WIFSIGNALED(p->status))
        snprintf(to, cap, "killed by signal %d (%s)%s", WTERMSIG(p->status), strsignal(WTERMSIG(p->status)),
                 WCOREDUMP(p->status) ? ", core dumped" : "");
    else
        snprintf(to, cap, "exit status %d", WEXITSTATUS(p->status));
}

static void log_end(const struct proc *p)
{
    char end[96];
    describe_end(p, end, sizeof(end));
    uint64_t ran_ms = util_now_ms() - p->started_ms;
    bool asked = master_ending(p->m) && WIFEXITED(p->status) && WEXITSTATUS(p->status) == 0;
    log_line(asked ? LOG_INFO_ : LOG_ERROR_, who(p), "process %d has ended: %s, after %llu.%03llu s, %u sessions%s%s",
             (int)p->pid, end, (unsigned long long)ran_ms / 1000, (unsigned long long)ran_ms % 1000, p->sessions,
             p->error ? ": " : "", p->error ? p->error : "");
}

/* A worker that has run is replaced at once; one that does not even start, with patience. */
static void restart(struct proc *p)
{
    if (p->was_ready) {
        p->failed_starts = 0;
        proc_start(p);
        return;
    }
    uint32_t random;
    util_random(&random, sizeof(random));
    unsigned wait = pick_backoff(p->failed_starts++, RESTART_MIN_MS, RESTART_MAX_MS, random);
    log_error(who(p), "did not start; next try in %u ms", wait);
    set_timer(p, wait / 1000.);
}

static void finish(struct proc *p)
{
    struct master *m = p->m;
    log_end(p);
    chan_free(&p->chan);
    ev_timer_stop(m->loop, &p->timer);
    p->state = PROC_DEAD;
    if (m->state < MASTER_RUNNING && !p->was_ready) {
        char end[96];
        describe_end(p, end, sizeof(end));
        master_fail(m, "worker %u did not start: %s", p->index, p->error ? p->error : end);
    }
    p->pid = 0;
    master_worker_gone(m, p);
    if (!master_ending(m))
        restart(p);
}

/* No new work from here on. With `dump` the Python stack is asked for first. */
static void end(struct proc *p, bool dump)
{
    p->state = PROC_ENDING;
    if (p->reaped) {
        set_timer(p, p->chan ? LAST_WORDS_S : 0.);
        return;
    }
    kill(p->pid, dump ? SIGUSR2 : SIGKILL);
    if (dump)
        set_timer(p, DUMP_S);
    else
        ev_timer_stop(p->m->loop, &p->timer);
}

static void on_timer(EV_P_ ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct proc *p = watcher->data;
    if (p->state == PROC_DEAD) {
        proc_start(p);
    } else if (p->state == PROC_STARTING) {
        log_error(who(p), "process %d is not ready after %u s: its stack follows, it is replaced", (int)p->pid,
                  START_MAX_MS / 1000);
        end(p, true);
    } else if (p->reaped) {
        finish(p);
    } else {
        kill(p->pid, SIGKILL);
    }
}

static void on_exit_status(EV_P_ ev_child *watcher, int revents)
{
    (void)revents;
    struct proc *p = watcher->data;
    ev_child_stop(EV_A_ watcher);
    p->reaped = true;
    p->status = watcher->rstatus;
    if (p->chan)
        end(p, false);
    else
        finish(p);
}

void proc_on_closed(struct chan *chan, void *owner)
{
    (void)chan;
    struct proc *p = owner;
    p->chan = NULL;
    if (p->reaped) {
        finish(p); /* and perhaps its successor has been started already */
        return;
    }
    if (p->state == PROC_READY || p->state == PROC_STARTING)
        set_timer(p, LAST_WORDS_S); /* it is on its way out, or is killed then */
    if (p->state != PROC_DEAD)
        p->state = PROC_ENDING;
}

struct start {
    const struct proc *p;
    const struct chan_pair *pair;
};

static void __attribute__((noreturn)) run_child(const void *arg)
{
    const struct start *start = arg;
    const struct proc *p = start->p;
    log_set_process(who(p));
    struct worker_args args = {.conf = p->m->conf,
                               .index = p->index,
                               .generation = p->generation,
                               .node = p->m->node,
                               .control_fd = start->pair->control[1],
                               .data_fd = start->pair->data[1],
                               .stats = p->stats,
                               .redis_url = p->m->redis_url};
    worker_main(&args);
}

static pid_t fork_child(const struct proc *p, const struct chan_pair *pair)
{
    char name[32];
    const struct start start = {p, pair};
    const int keep[] = {pair->control[1], pair->data[1]};
    snprintf(name, sizeof(name), p->index < 10 ? "smscd: worker %u" : "smscd:worker%u", p->index); /* 15 octets */
    return child_fork(name, keep, ARRAY_LEN(keep), run_child, &start);
}

static int start_failed(struct proc *p, const char *what)
{
    log_error(who(p), "cannot be started: %s: %s", what, strerror(errno));
    p->was_ready = false;
    restart(p);
    return -1;
}

int proc_start(struct proc *p)
{
    struct chan_pair pair;
    p->state = PROC_DEAD;
    if (chan_pair_open(&pair) == -1)
        return start_failed(p, "socketpair");
    p->generation++;
    p->started_ms = util_now_ms();
    __atomic_store_n(&p->stats->heartbeat_ms, p->started_ms, __ATOMIC_RELAXED);
    pid_t pid = fork_child(p, &pair);
    util_close(&pair.control[1]);
    util_close(&pair.data[1]);
    if (pid == -1) {
        int error = errno;
        util_close(&pair.control[0]);
        util_close(&pair.data[0]);
        errno = error;
        return start_failed(p, "fork");
    }
    p->pid = pid;
    p->reaped = p->was_ready = p->lagging = p->asked = p->served = false;
    free(p->error);
    p->error = NULL;
    p->chan = chan_new(p->m->io, pair.control[0], pair.data[0], &dispatch_ops, p);
    ev_child_set(&p->child, pid, 0);
    ev_child_start(p->m->loop, &p->child);
    p->state = PROC_STARTING;
    set_timer(p, START_MAX_MS / 1000.);
    log_debug(who(p), "process %d started", (int)pid);
    return 0;
}

void proc_init(struct proc *p, struct master *m, unsigned index, struct stats_block *stats)
{
    *p = (struct proc){.m = m, .index = index, .stats = stats};
    ev_timer_init(&p->timer, on_timer, 0., 0.);
    ev_child_init(&p->child, on_exit_status, 0, 0);
    p->timer.data = p->child.data = p;
}

void proc_on_ready(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    struct wire w = wire_of(msg->body, msg->len);
    bool ok = wire_get_u8(&w) == 1;
    if (!ok && !p->error && !p->was_ready)
        p->error = xasprintf("%.*s", (int)wire_left(&w), (const char *)w.p);
    if (p->state != PROC_STARTING)
        return;
    if (!ok) {
        p->state = PROC_ENDING; /* it exits by itself, or is killed then */
        set_timer(p, DUMP_S);
        return;
    }
    p->state = PROC_READY;
    p->was_ready = true;
    p->failed_starts = 0;
    p->ready_ms = util_now_ms();
    ev_timer_stop(p->m->loop, &p->timer);
    log_info(who(p), "process %d is ready after %llu ms", (int)p->pid,
             (unsigned long long)(p->ready_ms - p->started_ms));
    master_worker_ready(p->m, p);
}

void proc_drain(struct proc *p, unsigned timeout_ms)
{
    uint8_t body[4];
    wire_u32_set(body, timeout_ms);
    if (p->state == PROC_DEAD)
        ev_timer_stop(p->m->loop, &p->timer);
    else if (p->state == PROC_STARTING)
        end(p, false);
    else if (p->state == PROC_READY) {
        p->state = PROC_DRAINING;
        if (!chan_control(p->chan, MSG_DRAIN, 0, 0, body, sizeof(body), -1))
            proc_kill(p, "cannot be told to end");
    }
}

void proc_kill(struct proc *p, const char *why)
{
    if (p->state == PROC_DEAD || p->reaped)
        return;
    if (why)
        log_error(who(p), "process %d is killed: %s", (int)p->pid, why);
    end(p, false);
}

bool proc_keeps_up(const struct proc *p)
{
    return p->state == PROC_READY && !p->lagging && !chan_congested(p->chan);
}

uint64_t proc_beat_age(const struct proc *p, uint64_t now_ms)
{
    uint64_t beat = stats_read(&p->stats->heartbeat_ms);
    if (beat < p->ready_ms)
        beat = p->ready_ms;
    return now_ms > beat ? now_ms - beat : 0;
}

void proc_watch(struct proc *p, uint64_t now_ms)
{
    if (p->state != PROC_READY && p->state != PROC_DRAINING)
        return;
    uint64_t age = proc_beat_age(p, now_ms);
    bool lagging = age > LAG_MS;
    if (lagging != p->lagging)
        log_warn(who(p), lagging ? "stands still for %llu ms: gets no new work" : "moves again (%llu ms)",
                 (unsigned long long)age);
    p->lagging = lagging;
    if (age > p->m->conf->stall_timeout_ms && now_ms >= p->m->lenient_ms) {
        log_error(who(p), "process %d has stood still for %llu ms: its stack follows, it is replaced", (int)p->pid,
                  (unsigned long long)age);
        end(p, true);
    }
}

unsigned procs_alive(const struct master *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->conf->workers; i++)
        n += m->procs[i].state != PROC_DEAD;
    return n;
}
