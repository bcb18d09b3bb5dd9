/* The master's own states: start in order (listen, Redis, workers, ready), run, and end in the opposite order. */
#include "master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "bind.h"
#include "deliver.h"
#include "listener.h"
#include "log.h"
#include "notify.h"
#include "proc.h"
#include "redis_server.h"
#include "registry.h"
#include "reload.h"
#include "request.h"
#include "util.h"

#define TICK_S 0.25
#define GIVE_UP_MS 2000     /* how long a deliver_sm stays in the hand of a worker that stands still */
#define DRAIN_SLACK_MS 1000 /* beyond drain_timeout_ms, before what is left is killed */
#define UNBIND_MS 3000
#define LENIENT_MS 3000

static void change_state(struct master *m, enum master_state to);

static void set_deadline(struct master *m, unsigned ms)
{
    ev_timer_stop(m->loop, &m->deadline);
    ev_timer_set(&m->deadline, ms / 1000., 0.);
    ev_timer_start(m->loop, &m->deadline);
}

static void kill_workers(struct master *m, const char *why)
{
    for (unsigned i = 0; i < m->conf->workers; i++)
        proc_kill(&m->procs[i], why);
}

static void enter_running(struct master *m)
{
    for (size_t i = 0; i < m->conf->bind_count; i++)
        bind_start(&m->binds[i]);
    listener_start(m->listener);
    log_info(NULL, "ready: %s, %u workers, %zu binds, node %s", listener_address(m->listener), m->conf->workers,
             m->conf->bind_count, m->node);
    notify_systemd("READY=1");
}

static void enter_draining(struct master *m)
{
    unsigned timeout = m->quick ? 0 : m->conf->drain_timeout_ms;
    notify_systemd("STOPPING=1");
    listener_free(&m->listener);
    if (m->exit_status == 0)
        log_info(NULL, "stopping: %u sessions, at most %u ms for what is in hand", registry_connected(m->registry),
                 timeout);
    for (unsigned i = 0; i < m->conf->workers; i++) {
        if (m->quick)
            proc_kill(&m->procs[i], NULL);
        proc_drain(&m->procs[i], timeout);
    }
    set_deadline(m, timeout + DRAIN_SLACK_MS);
    if (procs_alive(m) == 0)
        change_state(m, MASTER_UNBINDING);
}

static void enter_unbinding(struct master *m)
{
    set_deadline(m, m->quick ? 0 : UNBIND_MS + DRAIN_SLACK_MS);
    for (size_t i = 0; i < m->conf->bind_count; i++)
        bind_stop(&m->binds[i], m->quick ? 0 : UNBIND_MS);
    if (m->state == MASTER_UNBINDING && binds_stopped(m))
        change_state(m, MASTER_STOPPING);
}

static void change_state(struct master *m, enum master_state to)
{
    m->state = to;
    ev_timer_stop(m->loop, &m->deadline);
    switch (to) {
    case MASTER_NEW:
        break;
    case MASTER_REDIS:
        redis_server_start(m->redis);
        break;
    case MASTER_WORKERS:
        for (unsigned i = 0; i < m->conf->workers; i++)
            proc_start(&m->procs[i]);
        break;
    case MASTER_RUNNING:
        enter_running(m);
        break;
    case MASTER_DRAINING:
        enter_draining(m);
        break;
    case MASTER_UNBINDING:
        enter_unbinding(m);
        break;
    case MASTER_STOPPING:
        if (m->redis)
            redis_server_stop(m->redis);
        else
            change_state(m, MASTER_DONE);
        break;
    case MASTER_DONE:
        ev_break(m->loop, EVBREAK_ALL);
        break;
    }
}

void master_stop(struct master *m)
{
    if (!master_ending(m)) {
        change_state(m, MASTER_DRAINING);
        return;
    }
    if (m->quick)
        return;
    log_warn(NULL, "stopping at once");
    m->quick = true;
    if (m->state == MASTER_DRAINING)
        kill_workers(m, NULL);
    else if (m->state == MASTER_UNBINDING)
        change_state(m, MASTER_STOPPING);
}

void master_fail(struct master *m, const char *fmt, ...)
{
    va_list ap;
    char text[8192];
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (m->exit_status)
        return; /* one reason is enough */
    log_error(NULL, "%s", text);
    if (log_fd() != STDERR_FILENO)
        fprintf(stderr, "smscd: %s\n", text);
    m->exit_status = 1;
    m->quick = true;
    if (!master_ending(m))
        change_state(m, MASTER_DRAINING);
}

void master_worker_ready(struct master *m, struct proc *p)
{
    binds_tell_all(m, p);
    listener_resume(m->listener);
    for (unsigned i = 0; i < m->conf->workers; i++)
        if (m->procs[i].state != PROC_READY)
            return;
    if (m->state == MASTER_WORKERS)
        change_state(m, MASTER_RUNNING);
}

void master_worker_gone(struct master *m, struct proc *p)
{
    registry_worker_gone(m, p);
    requests_worker_gone(m, p);
    deliver_give_up(p, UINT64_MAX);
    reload_worker_gone(m->reload, p);
    if (m->state == MASTER_DRAINING && procs_alive(m) == 0)
        change_state(m, MASTER_UNBINDING);
}

void master_redis_up(struct master *m)
{
    if (m->state == MASTER_REDIS)
        change_state(m, MASTER_WORKERS);
}

void master_redis_ended(struct master *m)
{
    if (m->state == MASTER_STOPPING)
        change_state(m, MASTER_DONE);
}

void master_bind_stopped(struct master *m)
{
    if (m->state == MASTER_UNBINDING && binds_stopped(m))
        change_state(m, MASTER_STOPPING);
}

static void on_deadline(EV_P_ ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct master *m = watcher->data;
    if (m->state == MASTER_DRAINING)
        kill_workers(m, "it has not ended in time");
    else if (m->state == MASTER_UNBINDING)
        change_state(m, MASTER_STOPPING);
}

/* A master that was itself stopped for a while finds every heartbeat old, and judges none by it. */
static void on_tick(EV_P_ ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct master *m = watcher->data;
    uint64_t now = util_now_ms();
    if (m->ticked_ms && now - m->ticked_ms > 4 * (uint64_t)(TICK_S * 1000))
        m->lenient_ms = now + LENIENT_MS;
    m->ticked_ms = now;
    for (unsigned i = 0; i < m->conf->workers; i++) {
        struct proc *p = &m->procs[i];
        proc_watch(p, now);
        if (p->delivery_count && !proc_keeps_up(p) && now > GIVE_UP_MS)
            deliver_give_up(p, now - GIVE_UP_MS);
    }
    listener_resume(m->listener);
    admin_resume(m->admin);
}

static void reopen_logs(struct master *m)
{
    log_reopen();
    for (unsigned i = 0; i < m->conf->workers; i++)
        if (m->procs[i].chan)
            chan_control(m->procs[i].chan, MSG_LOG_REOPEN, 0, 0, NULL, 0, -1);
}

static void on_signal(EV_P_ ev_signal *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct master *m = watcher->data;
    log_info(NULL, "signal %d (%s)", watcher->signum, strsignal(watcher->signum));
    if (watcher->signum == SIGHUP && m->state == MASTER_RUNNING)
        reload_start(m->reload, NULL, NULL);
    else if (watcher->signum == SIGUSR1)
        reopen_logs(m);
    else if (watcher->signum == SIGTERM || watcher->signum == SIGINT)
        master_stop(m);
}

static void watch_signals(struct master *m)
{
    const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        ev_signal_init(&m->signals[i], on_signal, numbers[i]);
        m->signals[i].data = m;
        ev_signal_start(m->loop, &m->signals[i]);
    }
    ev_timer_init(&m->tick, on_tick, TICK_S, TICK_S);
    ev_timer_init(&m->deadline, on_deadline, 0., 0.);
    m->tick.data = m->deadline.data = m;
    ev_timer_start(m->loop, &m->tick);
}

static void make_parts(struct master *m)
{
    const struct conf *conf = m->conf;
    uint8_t node[4];
    util_random(node, sizeof(node));
    snprintf(m->node, sizeof(m->node), "%08x", wire_u32_at(node));
    m->started_ms = util_now_ms();
    m->registry = registry_new();
    m->requests = requests_new();
    m->deliveries = deliveries_new();
    m->reload = reload_new(m);
    struct stats_block *stats = stats_map(conf->workers);
    m->procs = xcalloc(conf->workers, sizeof(*m->procs));
    for (unsigned i = 0; i < conf->workers; i++)
        proc_init(&m->procs[i], m, i, &stats[i]);
    m->binds = xcalloc(conf->bind_count ? conf->bind_count : 1, sizeof(*m->binds));
    for (unsigned i = 0; i < conf->bind_count; i++)
        bind_init(&m->binds[i], m, i);
}

/* What may fail at once: the sockets, and whether there is a redis-server. */
static int open_all(struct master *m)
{
    char *error = NULL;
    m->listener = listener_new(m, &error);
    if (m->listener)
        m->admin = admin_new(m, &error);
    if (m->admin && !m->conf->redis.url[0])
        m->redis = redis_server_new(m, &error);
    if (error) {
        master_fail(m, "%s", error);
        free(error);
        return -1;
    }
    m->redis_url = xstrdup(m->redis ? redis_server_url(m->redis) : m->conf->redis.url);
    return 0;
}

static void free_all(struct master *m)
{
    for (size_t i = 0; i < m->conf->bind_count; i++)
        bind_free(&m->binds[i]);
    free(m->binds);
    admin_free(&m->admin);
    listener_free(&m->listener);
    redis_server_free(&m->redis);
    reload_free(&m->reload);
    requests_free(&m->requests);
    deliveries_free(&m->deliveries);
    registry_free(&m->registry);
    for (unsigned i = 0; i < m->conf->workers; i++)
        free(m->procs[i].error);
    free(m->procs);
    free(m->redis_url);
    io_free(&m->io);
    conf_free(&m->conf);
}

int master_run(struct conf *conf)
{
    static struct master m;
    m.conf = conf;
    m.loop = ev_default_loop(EVFLAG_AUTO);
    m.io = io_new(m.loop);
    make_parts(&m);
    watch_signals(&m);
    if (open_all(&m) == 0)
        change_state(&m, m.redis ? MASTER_REDIS : MASTER_WORKERS);
    if (m.state != MASTER_DONE)
        ev_run(m.loop, 0);
    io_flush(m.io);
    if (m.exit_status == 0)
        log_info(NULL, "stopped");
    free_all(&m);
    return m.exit_status;
}
