/* A bind as a whole: its connections, sending on the one with the most room, and what the workers are told of it. */
#include "bind.h"

#include <stdio.h>
#include <stdlib.h>

#include "bind_int.h"
#include "log.h"
#include "proc.h"
#include "util.h"

#define REFUSED_LOG_MS 10000 /* one line in this time about refused deliver_sm */

static unsigned share(unsigned of, unsigned among)
{
    return of == 0 ? 0 : of <= among ? 1 : of / among;
}

void bind_init(struct bind *bind, struct master *m, unsigned index)
{
    const struct conf_bind *conf = &m->conf->binds[index];
    *bind = (struct bind){.m = m, .index = index, .conf = conf};
    bind->session_conf = (struct session_conf){
        .session_init_ms = conf->response_timer_ms,
        .enquire_link_ms = conf->enquire_link_timer_ms,
        .response_ms = conf->response_timer_ms,
        .window_in = conf->deliver_window,
        .park_bytes = 0,
        .park_status = ESME_RX_T_APPN,
        .window_out = conf->window,
        .queue_out = share(conf->queue, conf->sessions),
        .max_pdu_bytes = m->conf->server.max_pdu_bytes,
        .max_per_second = share(conf->max_msg_per_sec, conf->sessions),
    };
    bind->conns = xcalloc(conf->sessions, sizeof(*bind->conns));
    for (unsigned i = 0; i < conf->sessions; i++)
        bind_conn_init(&bind->conns[i], bind, i);
}

void bind_free(struct bind *bind)
{
    for (unsigned i = 0; i < bind->conf->sessions; i++)
        bind_conn_end(&bind->conns[i]);
    free(bind->conns);
    bind->conns = NULL;
}

void bind_start(struct bind *bind)
{
    for (unsigned i = 0; i < bind->conf->sessions; i++)
        bind_conn_fsm(&bind->conns[i], BIND_EV_START);
}

void bind_stop(struct bind *bind, unsigned timeout_ms)
{
    for (unsigned i = 0; i < bind->conf->sessions; i++) {
        bind->conns[i].stop_ms = timeout_ms;
        bind_conn_fsm(&bind->conns[i], BIND_EV_STOP);
    }
}

bool binds_stopped(const struct master *m)
{
    for (size_t b = 0; b < m->conf->bind_count; b++)
        for (unsigned i = 0; i < m->binds[b].conf->sessions; i++)
            if (m->binds[b].conns[i].state != BIND_STOPPED)
                return false;
    return true;
}

static unsigned room(const struct bind *bind, const struct session *s)
{
    unsigned most = bind->session_conf.window_out + bind->session_conf.queue_out;
    unsigned used = session_unanswered(s) + session_queued(s);
    return most > used ? most - used : 0;
}

uint64_t bind_send(struct bind *bind, const uint8_t *raw, size_t len, unsigned timeout_ms, unsigned flags,
                   session_done_fn *done, void *arg, struct bind_conn **conn, enum msg_outcome *why)
{
    struct bind_conn *best = NULL;
    *why = MSG_BIND_DOWN;
    for (unsigned i = 0; i < bind->conf->sessions; i++) {
        struct bind_conn *c = &bind->conns[i];
        if (c->state != BIND_BOUND)
            continue;
        if (!session_can_send(c->session))
            *why = MSG_REFUSED;
        else if (!best || room(bind, c->session) > room(bind, best->session))
            best = c;
    }
    if (!best)
        return 0;
    enum session_outcome outcome = SESSION_REFUSED;
    uint64_t ticket = session_send(best->session, raw, len, timeout_ms, flags, done, arg, &outcome);
    *conn = best;
    *why = (enum msg_outcome)outcome;
    return ticket;
}

void bind_refused_deliver(struct bind *bind, const char *why)
{
    unsigned skipped;
    bind->refused++;
    if (quiet_may_log(&bind->refusals, REFUSED_LOG_MS, &skipped))
        log_warn(bind->conns[0].name, "request refused with ESME_RX_T_APPN: %s (%llu so far)", why,
                 (unsigned long long)bind->refused);
}

static void tell(struct proc *p, const struct msg_bind_state *state, uint64_t number)
{
    uint8_t body[128];
    struct wire w = wire_of(body, sizeof(body));
    msg_put_bind_state(&w, state);
    if (!chan_data(p->chan, MSG_BIND_STATE, 0, number, body, wire_done(&w), NULL, 0))
        proc_kill(p, "its channel is full");
}

static struct msg_bind_state state_of(const struct bind_conn *c, bool up)
{
    struct msg_bind_state state = {.bind = c->bind->index, .up = up, .bind_type = (uint8_t)c->bind->conf->bind_type};
    snprintf(state.system_id, sizeof(state.system_id), "%s", c->system_id);
    snprintf(state.addr, sizeof(state.addr), "%s", c->addr);
    return state;
}

/* Who runs on_session for it: one that keeps up, else any that is ready; the same one for all events of a number. */
static struct proc *herald(struct master *m, uint64_t number)
{
    struct proc *ready = NULL;
    for (unsigned i = 0; i < m->conf->workers; i++) {
        struct proc *p = &m->procs[(number + i) % m->conf->workers];
        if (proc_keeps_up(p))
            return p;
        if (p->state == PROC_READY && !ready)
            ready = p;
    }
    return ready;
}

/* To all that are ready. With no herald it is kept until there is one. */
static void tell_ready(struct bind_conn *c, struct msg_bind_state *state, struct proc *herald_of)
{
    struct master *m = c->bind->m;
    for (unsigned i = 0; i < m->conf->workers; i++) {
        state->notify = &m->procs[i] == herald_of;
        if (m->procs[i].state == PROC_READY || m->procs[i].state == PROC_DRAINING)
            tell(&m->procs[i], state, c->number);
    }
}

void bind_announce(struct bind_conn *c, bool up)
{
    struct msg_bind_state state = state_of(c, up);
    struct proc *p = herald(c->bind->m, c->number);
    tell_ready(c, &state, p);
    if (up) {
        c->notify_up = !p;
    } else if (c->notify_up) {
        c->notify_up = false; /* nobody heard of its beginning, nobody needs to hear of its end */
    } else if (!p) {
        c->notify_down = true;
        c->ended = state;
        c->ended_number = c->number;
    }
}

static void tell_conn(struct bind_conn *c, struct proc *p)
{
    struct msg_bind_state state = state_of(c, true);
    if (c->notify_down) {
        c->ended.notify = 1;
        tell(p, &c->ended, c->ended_number);
        c->notify_down = false;
    }
    if (c->state != BIND_BOUND)
        return;
    state.notify = c->notify_up;
    tell(p, &state, c->number);
    c->notify_up = false;
}

void binds_tell_all(struct master *m, struct proc *p)
{
    for (size_t b = 0; b < m->conf->bind_count; b++)
        for (unsigned i = 0; i < m->binds[b].conf->sessions; i++)
            tell_conn(&m->binds[b].conns[i], p);
}

struct bind *bind_conn_bind(const struct bind_conn *conn)
{
    return conn->bind;
}

struct session *bind_conn_session(const struct bind_conn *conn)
{
    return conn->session;
}

uint64_t bind_conn_number(const struct bind_conn *conn)
{
    return conn->number;
}

const char *bind_conn_name(const struct bind_conn *conn)
{
    return conn->name;
}

void bind_conn_info(const struct bind *bind, unsigned i, struct bind_conn_info *info)
{
    const struct bind_conn *c = &bind->conns[i];
    bool bound = c->state == BIND_BOUND;
    *info = (struct bind_conn_info){.state = bind_state_name(c->state),
                                    .reason = bound ? "" : c->reason,
                                    .peer_system_id = bound ? c->system_id : "",
                                    .addr = c->addr,
                                    .number = c->number,
                                    .since_ms = c->since_ms};
    if (c->session) {
        info->unanswered = session_unanswered(c->session);
        info->queued = session_queued(c->session);
        info->in_hand = session_in_hand(c->session);
    }
}

unsigned bind_up(const struct bind *bind)
{
    unsigned n = 0;
    for (unsigned i = 0; i < bind->conf->sessions; i++)
        n += bind->conns[i].state == BIND_BOUND;
    return n;
}
