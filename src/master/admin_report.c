/* The readouts of the control socket. */
#include "admin_report.h"

#include "bind.h"
#include "config.h"
#include "deliver.h"
#include "listener.h"
#include "proc.h"
#include "redis_server.h"
#include "registry.h"
#include "request.h"
#include "util.h"

static const char *master_state_name(enum master_state state)
{
    static const char *const names[] = {"new",      "starting redis", "starting workers", "running",
                                        "draining", "unbinding",      "stopping",         "stopped"};
    return names[state];
}

static long long seconds_since(uint64_t ms)
{
    return (long long)((util_now_ms() - ms) / 1000);
}

static void report_worker(struct report *r, const struct proc *p)
{
    bool lives = p->state != PROC_DEAD;
    report_row(r);
    report_number(r, "worker", p->index);
    report_string(r, "state", proc_state_name(p->state));
    report_number(r, "pid", lives ? p->pid : 0);
    report_number(r, "generation", p->generation);
    report_number(r, "uptime_s", lives ? seconds_since(p->started_ms) : 0);
    report_number(r, "heartbeat_age_ms", p->state == PROC_READY ? (long long)proc_beat_age(p, util_now_ms()) : -1);
    report_bool(r, "keeps_up", proc_keeps_up(p));
    report_number(r, "sessions", p->sessions);
    report_number(r, "requests_waiting", p->request_count);
    report_number(r, "deliveries_in_hand", p->delivery_count);
#define X(name, help) report_number(r, #name, (long long)stats_read(&p->stats->name));
    STATS_COUNTERS(X)
#undef X
    report_row_end(r);
}

void admin_report_workers(struct master *m, struct report *r)
{
    report_list(r, "workers");
    for (unsigned i = 0; i < m->conf->workers; i++)
        report_worker(r, &m->procs[i]);
    report_list_end(r);
}

static void report_conn(struct report *r, const struct bind *bind, unsigned i)
{
    struct bind_conn_info info;
    bind_conn_info(bind, i, &info);
    report_row(r);
    report_string(r, "bind", bind->conf->name);
    report_number(r, "connection", i + 1);
    report_string(r, "state", info.state);
    report_number(r, "since_s", seconds_since(info.since_ms));
    report_string(r, "host", bind->conf->host);
    report_number(r, "port", bind->conf->port);
    report_string(r, "bind_type", session_bind_type_name((enum session_bind_type)bind->conf->bind_type));
    report_string(r, "system_id", bind->conf->system_id);
    report_string(r, "peer_system_id", info.peer_system_id);
    report_string(r, "peer_addr", info.addr);
    report_number(r, "window", bind->conf->window);
    report_number(r, "unanswered", info.unanswered);
    report_number(r, "queued", info.queued);
    report_number(r, "in_hand", info.in_hand);
    report_number(r, "refused", (long long)bind->refused);
    report_string(r, "reason", info.reason);
    report_row_end(r);
}

void admin_report_binds(struct master *m, struct report *r)
{
    report_list(r, "binds");
    for (size_t b = 0; b < m->conf->bind_count; b++)
        for (unsigned i = 0; i < m->binds[b].conf->sessions; i++)
            report_conn(r, &m->binds[b], i);
    report_list_end(r);
}

struct sessions_arg {
    struct master *m;
    struct report *r;
};

static void report_session(void *arg, const struct esme *esme)
{
    const struct sessions_arg *to = arg;
    char session_id[40];
    snprintf(session_id, sizeof(session_id), "%s-%llu", to->m->node, (unsigned long long)esme->number);
    report_row(to->r);
    report_string(to->r, "session_id", session_id);
    report_string(to->r, "system_id", esme->bound ? esme->by_system_id->name : "");
    report_string(to->r, "bind_type", esme->bound ? session_bind_type_name(esme->bind_type) : "");
    report_bool(to->r, "bound", esme->bound);
    report_string(to->r, "client_addr", esme->addr);
    report_number(to->r, "worker", esme->proc->index);
    report_number(to->r, "since_s", seconds_since(esme->since_ms));
    report_row_end(to->r);
}

void admin_report_sessions(struct master *m, struct report *r)
{
    struct sessions_arg arg = {m, r};
    report_list(r, "sessions");
    registry_each(m->registry, report_session, &arg);
    report_list_end(r);
}

static void report_redis(struct master *m, struct report *r)
{
    int pid = 0;
    report_string(r, "redis", m->redis ? redis_server_state(m->redis, &pid) : "configured");
    report_number(r, "redis_pid", pid);
}

void admin_report_status(struct master *m, struct report *r)
{
    report_string(r, "version", PACKAGE_VERSION);
    report_string(r, "state", master_state_name(m->state));
    report_string(r, "node", m->node);
    report_number(r, "pid", getpid());
    report_number(r, "uptime_s", seconds_since(m->started_ms));
    report_string(r, "listening", m->listener ? listener_address(m->listener) : "");
    report_string(r, "script", m->conf->script);
    report_redis(m, r);
    report_number(r, "connections", registry_connected(m->registry));
    report_number(r, "sessions_bound", registry_bound(m->registry));
    report_number(r, "requests_waiting", requests_count(m->requests));
    report_number(r, "deliveries_in_hand", deliveries_count(m->deliveries));
    admin_report_workers(m, r);
    admin_report_binds(m, r);
}
