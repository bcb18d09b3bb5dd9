/* A worker process: its loop, its channel to the master, the gateway it is to its Python side, and its end. */
#include "worker_int.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "py_host.h"
#include "util.h"

#define HEARTBEAT_SECONDS 0.25
#define DRAIN_CHECK_SECONDS 0.02
#define FIRST_WRITE 512 /* about 16 answers: some microseconds of a handler's time */

static struct worker worker;
static ev_timer heartbeat, drain_check;
static ev_async wake;
static volatile sig_atomic_t got_hup, got_term;
static double drain_until;

void worker_session_id(const struct worker *w, uint64_t number, char to[40])
{
    snprintf(to, 40, "%s-%llu", w->args->node, (unsigned long long)number);
}

void worker_count_default(struct worker *w, const char *command)
{
    static uint64_t warned_ms, since;
    uint64_t now = (uint64_t)(ev_now(w->loop) * 1000);
    stats_add(&w->stats->default_ok, 1);
    since++;
    if (warned_ms && now - warned_ms < 60000)
        return;
    log_warn(NULL, "no handler for %s is registered: %llu acknowledged with ESME_ROK and gone", command,
             (unsigned long long)since);
    warned_ms = now;
    since = 0;
}

/* ---- the gateway that the Python side sees ---- */

static uint64_t gateway_submit(unsigned bind, const uint8_t *raw, size_t len, unsigned timeout_ms, unsigned flags,
                               gateway_done_fn *done, void *arg, enum msg_outcome *why)
{
    uint8_t head[9];
    struct wire w = wire_of(head, sizeof(head));
    uint64_t id = sends_add(worker.sends, flags & SESSION_SEND_LATE, done, arg);
    wire_put_u32(&w, bind);
    wire_put_u32(&w, timeout_ms);
    wire_put_u8(&w, (uint8_t)flags);
    if (id && worker.chan && chan_data(worker.chan, MSG_SUBMIT, id, 0, head, sizeof(head), raw, len)) {
        if (pdu_raw_command_id(raw) == SMPP_submit_sm)
            stats_add(&worker.stats->submit_sm_out, 1);
        return id;
    }
    sends_drop(worker.sends, id);
    *why = MSG_WINDOW_FULL;
    return 0;
}

/* The number in "<node>-<number>", 0 when it is none of this node's. */
static uint64_t session_number(const char *session_id)
{
    size_t n = strlen(worker.args->node);
    char *end;
    if (strncmp(session_id, worker.args->node, n) != 0 || session_id[n] != '-')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(session_id + n + 1, &end, 10);
    return errno || *end || end == session_id + n + 1 ? 0 : number;
}

static void local_done(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len)
{
    uint64_t id = (uint64_t)(uintptr_t)arg;
    sends_done(worker.sends, id, (enum msg_outcome)outcome, sent, false, resp, len);
}

static uint64_t send_local(struct session *session, const uint8_t *raw, size_t len, unsigned timeout_ms,
                           gateway_done_fn *done, void *arg, enum msg_outcome *why)
{
    enum session_outcome outcome = SESSION_REFUSED;
    uint64_t id, ticket;
    if (pdu_raw_command_id(raw) == SMPP_alert_notification) {
        *why = session_send_alert(session, raw, len) ? MSG_RESPONSE : MSG_WINDOW_FULL;
        return 0;
    }
    id = sends_add(worker.sends, false, done, arg);
    *why = MSG_WINDOW_FULL;
    if (id == 0)
        return 0;
    ticket = session_send(session, raw, len, timeout_ms, 0, local_done, (void *)(uintptr_t)id, &outcome);
    if (ticket == 0) {
        sends_drop(worker.sends, id);
        *why = (enum msg_outcome)outcome;
        return 0;
    }
    sends_set_local(worker.sends, id, session, ticket);
    if (pdu_raw_command_id(raw) == SMPP_deliver_sm)
        stats_add(&worker.stats->deliver_sm_out, 1);
    return id;
}

/* To the session of that number, or with 0 to one of system_id's. */
static uint64_t send_over_master(uint64_t number, const char *system_id, const uint8_t *raw, size_t len,
                                 unsigned timeout_ms, gateway_done_fn *done, void *arg, enum msg_outcome *why)
{
    uint8_t head[4 + 1 + 255];
    struct wire w = wire_of(head, sizeof(head));
    uint64_t id = sends_add(worker.sends, false, done, arg);
    wire_put_u32(&w, timeout_ms);
    if (number == 0) {
        wire_put_u8(&w, (uint8_t)strlen(system_id));
        wire_put_octets(&w, system_id, strlen(system_id));
    }
    if (id && worker.chan && chan_data(worker.chan, MSG_SEND_TO, id, number, head, wire_done(&w), raw, len))
        return id;
    sends_drop(worker.sends, id);
    *why = MSG_WINDOW_FULL;
    return 0;
}

static uint64_t gateway_send_to(const char *session_id, const uint8_t *raw, size_t len, unsigned timeout_ms,
                                gateway_done_fn *done, void *arg, enum msg_outcome *why)
{
    uint64_t number = session_number(session_id);
    *why = MSG_NO_SESSION;
    struct session *session = number ? esme_session(worker.esmes, number, why) : NULL;
    if (session)
        return send_local(session, raw, len, timeout_ms, done, arg, why);
    if (number == 0 || *why == MSG_REFUSED)
        return 0;
    return send_over_master(number, NULL, raw, len, timeout_ms, done, arg, why);
}

/* A session of this worker when one has room, else the master looks for one. */
static uint64_t gateway_send_to_system(const char *system_id, const uint8_t *raw, size_t len, unsigned timeout_ms,
                                       gateway_done_fn *done, void *arg, enum msg_outcome *why)
{
    struct session *session = esme_session_of(worker.esmes, system_id);
    *why = MSG_NO_SESSION;
    if (session)
        return send_local(session, raw, len, timeout_ms, done, arg, why);
    return strlen(system_id) > 15 ? 0 : send_over_master(0, system_id, raw, len, timeout_ms, done, arg, why);
}

static void *gateway_cancel(uint64_t id)
{
    struct session *session = NULL;
    uint64_t ticket = 0;
    void *arg = sends_cancel(worker.sends, id, &session, &ticket);
    if (!arg)
        return NULL;
    if (session)
        session_cancel(session, ticket);
    else if (worker.chan)
        chan_data(worker.chan, MSG_CANCEL, id, 0, NULL, 0, NULL, 0);
    return arg;
}

static void gateway_redis(int argc, const char **argv, const size_t *argvlen, store_done_fn *done, void *arg)
{
    store_command(worker.store, argc, argv, argvlen, done, arg);
}

static const struct gateway_ops gateway_ops = {.submit = gateway_submit,
                                               .send_to = gateway_send_to,
                                               .send_to_system = gateway_send_to_system,
                                               .cancel = gateway_cancel,
                                               .redis = gateway_redis};

/* ---- messages of the master ---- */

static void on_adopt(void *owner, struct msg *msg)
{
    (void)owner;
    char addr[64];
    snprintf(addr, sizeof(addr), "%.*s", (int)msg->len, (const char *)msg->body);
    int fd = msg->fd;
    if (fd < 0)
        return;
    msg->fd = -1;
    if (worker.draining) {
        util_close(&fd);
        chan_data(worker.chan, MSG_SESSION_GONE, 0, msg->session, NULL, 0, NULL, 0);
        return;
    }
    esme_adopt(worker.esmes, msg->session, fd, addr);
}

/* id 0: nobody waits for an answer. */
static void reload(uint64_t id, int compiled)
{
    char *error = NULL;
    uint8_t body[2048];
    struct wire w = wire_of(body, sizeof(body));
    bool ok = py_host_load(compiled, &error) == 0;
    if (ok)
        log_info(NULL, "script %s loaded", worker.conf->script);
    else
        log_error(NULL, "the script does not load, the old one stays in force: %s", error);
    wire_put_u8(&w, ok);
    if (error)
        wire_put_octets(&w, error, strnlen(error, sizeof(body) - 1));
    if (id && worker.chan)
        chan_control(worker.chan, MSG_RELOADED, id, 0, body, wire_done(&w), -1);
    free(error);
}

static void on_reload(void *owner, struct msg *msg)
{
    (void)owner;
    reload(msg->id, msg->fd);
}

static void on_log_reopen(void *owner, struct msg *msg)
{
    (void)owner, (void)msg;
    log_reopen();
}

static void on_session_grant(void *owner, struct msg *msg)
{
    (void)owner;
    struct wire w = wire_of(msg->body, msg->len);
    uint32_t status = wire_get_u32(&w);
    esme_granted(worker.esmes, msg->session, w.error ? ESME_RSYSERR : status);
}

static void on_deliver(void *owner, struct msg *msg)
{
    (void)owner;
    upstream_deliver(worker.upstreams, msg);
}

static void on_bind_state(void *owner, struct msg *msg)
{
    (void)owner;
    upstream_state(worker.upstreams, msg);
}

static void on_result(void *owner, struct msg *msg)
{
    (void)owner;
    struct wire w = wire_of(msg->body, msg->len);
    uint8_t outcome = wire_get_u8(&w), sent = wire_get_u8(&w), late = wire_get_u8(&w);
    if (w.error || outcome > MSG_NO_SESSION || (outcome == MSG_RESPONSE && wire_left(&w) < SMPP_HEADER_SIZE)) {
        log_alert("channel", "RESULT that is none, %zu octets", msg->len);
        return;
    }
    sends_done(worker.sends, msg->id, (enum msg_outcome)outcome, sent, late, w.p, wire_left(&w));
}

static void on_send_to(void *owner, struct msg *msg)
{
    (void)owner;
    forwards_add(worker.forwards, msg);
}

static void on_cancel(void *owner, struct msg *msg)
{
    (void)owner;
    forwards_cancel(worker.forwards, msg->id);
}

/* ---- the end ---- */

static void stop(void *arg)
{
    (void)arg;
    py_host_stop();
}

static void on_drain_check(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    bool over = ev_now(loop) >= drain_until;
    if (over && esme_count(worker.esmes) > 0)
        esme_close_all(worker.esmes, "the time to drain is over");
    if (!over && (esme_count(worker.esmes) > 0 || py_host_busy() > 0))
        return;
    ev_timer_stop(loop, w);
    presence_clear(worker.presence, stop, NULL);
}

static void drain(unsigned timeout_ms)
{
    if (worker.draining)
        return;
    worker.draining = true;
    log_info(NULL, "draining: %u sessions", esme_count(worker.esmes));
    drain_until = ev_now(worker.loop) + timeout_ms / 1e3;
    esme_unbind_all(worker.esmes, timeout_ms);
    ev_timer_init(&drain_check, on_drain_check, 0., DRAIN_CHECK_SECONDS);
    ev_timer_start(worker.loop, &drain_check);
}

static void on_drain(void *owner, struct msg *msg)
{
    (void)owner;
    struct wire w = wire_of(msg->body, msg->len);
    drain(wire_get_u32(&w));
}

static void on_chan_closed(struct chan *chan, void *owner)
{
    (void)chan, (void)owner;
    worker.chan = NULL;
    if (!worker.draining)
        log_error(NULL, "the master is gone");
    drain(1000);
}

static const struct chan_ops chan_ops = {
    .handlers =
        {
            [MSG_ADOPT] = on_adopt,
            [MSG_RELOAD] = on_reload,
            [MSG_DRAIN] = on_drain,
            [MSG_LOG_REOPEN] = on_log_reopen,
            [MSG_SESSION_GRANT] = on_session_grant,
            [MSG_DELIVER] = on_deliver,
            [MSG_BIND_STATE] = on_bind_state,
            [MSG_RESULT] = on_result,
            [MSG_SEND_TO] = on_send_to,
            [MSG_CANCEL] = on_cancel,
        },
    .closed = on_chan_closed,
};

/* ---- signals ---- */

static void on_signal(int number)
{
    if (number == SIGHUP)
        got_hup = 1;
    if (number == SIGTERM)
        got_term = 1;
    ev_async_send(worker.loop, &wake);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
    (void)loop, (void)w, (void)revents;
    if (got_hup) {
        got_hup = 0;
        if (!chan_control(worker.chan, MSG_COMPILE, 0, 0, NULL, 0, -1))
            reload(0, -1);
    }
    if (got_term) {
        got_term = 0;
        drain(worker.conf->drain_timeout_ms);
    }
}

static const int handled_signals[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1};

static sigset_t before_fork;

/* No signal may reach a child while it still has our handlers. */
static void on_fork(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_fork);
}

static void on_fork_parent(void)
{
    pthread_sigmask(SIG_SETMASK, &before_fork, NULL);
}

/* A child that the script forks can be ended as any other. */
static void on_fork_child(void)
{
    for (size_t i = 0; i < ARRAY_LEN(handled_signals); i++)
        signal(handled_signals[i], SIG_DFL);
    py_host_forked();
    pthread_sigmask(SIG_SETMASK, &before_fork, NULL);
}

/* SIGINT and SIGUSR1 reach the whole group or are the master's to pass on: a handler, not SIG_IGN, which programs that
 * a script starts would inherit. */
static void set_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t none;
    ev_async_init(&wake, on_wake);
    ev_async_start(worker.loop, &wake);
    for (size_t i = 0; i < ARRAY_LEN(handled_signals); i++)
        sigaction(handled_signals[i], &action, NULL);
    pthread_atfork(on_fork, on_fork_parent, on_fork_child);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- start ---- */

static void on_heartbeat(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)w, (void)revents;
    __atomic_store_n(&worker.stats->heartbeat_ms, util_now_ms(), __ATOMIC_RELAXED);
}

static void on_store_connected(void *arg)
{
    (void)arg;
    presence_rewrite(worker.presence);
}

static struct session_conf session_conf_of(const struct conf_server *s)
{
    return (struct session_conf){
        .session_init_ms = s->session_init_timer_ms,
        .enquire_link_ms = s->enquire_link_timer_ms,
        .inactivity_ms = s->inactivity_timer_ms,
        .response_ms = s->response_timer_ms,
        .window_in = s->window,
        .park_bytes = s->park_bytes,
        .park_status = ESME_RTHROTTLED,
        .window_out = s->deliver_window,
        .queue_out = s->deliver_queue,
        .max_pdu_bytes = s->max_pdu_bytes,
        .first_write = FIRST_WRITE,
    };
}

static void gateway_init(struct worker *w)
{
    w->gateway = (struct gateway){
        .ops = &gateway_ops,
        .conf = w->conf,
        .node = w->args->node,
        .worker = w->args->index,
        .generation = w->args->generation,
        .stats = w->stats,
        .loop = w->loop,
    };
}

static void worker_init(const struct worker_args *args)
{
    worker = (struct worker){.args = args, .conf = args->conf, .stats = args->stats};
    worker.loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (!worker.loop) {
        log_alert(NULL, "no event loop");
        _exit(1);
    }
    set_signals();
    worker.io = io_new(worker.loop);
    worker.session_conf = session_conf_of(&args->conf->server);
    worker.sends = sends_new();
    worker.esmes = esmes_new(&worker);
    worker.upstreams = upstreams_new(&worker);
    worker.forwards = forwards_new(&worker);
    gateway_init(&worker);
}

/* What can fail: Redis' url, the interpreter, the script. */
static int worker_load(char **error)
{
    worker.presence = presence_new(&worker);
    worker.store =
        store_open(worker.loop, worker.args->redis_url, worker.conf->redis.timeout_ms, on_store_connected, NULL, error);
    if (!worker.store || py_host_start(&worker.gateway, error) < 0)
        return -1;
    return py_host_load(-1, error);
}

static void tell_ready(const char *error)
{
    uint8_t body[2048];
    struct wire w = wire_of(body, sizeof(body));
    wire_put_u8(&w, error == NULL);
    if (error)
        wire_put_octets(&w, error, strnlen(error, sizeof(body) - 1));
    chan_control(worker.chan, MSG_READY, 0, 0, body, wire_done(&w), -1);
    io_flush(worker.io);
}

void worker_main(const struct worker_args *args)
{
    char *error = NULL;
    worker_init(args);
    worker.chan = chan_new(worker.io, args->control_fd, args->data_fd, &chan_ops, NULL);
    if (worker_load(&error) < 0) {
        tell_ready(error);
        _exit(1);
    }
    on_heartbeat(worker.loop, &heartbeat, 0);
    ev_timer_init(&heartbeat, on_heartbeat, HEARTBEAT_SECONDS, HEARTBEAT_SECONDS);
    ev_timer_start(worker.loop, &heartbeat);
    tell_ready(NULL);
    py_host_run();
    io_flush(worker.io);
    log_info(NULL, "stopped");
    _exit(0);
}

int worker_check_script(const struct conf *conf, char **error)
{
    static struct stats_block stats;
    struct worker_args args = {.conf = conf, .node = "00000000", .control_fd = -1, .data_fd = -1, .stats = &stats};
    worker_init(&args);
    return py_host_start(&worker.gateway, error) < 0 ? -1 : py_host_load(-1, error);
}

int worker_compile_script(const struct conf *conf, int to, char **error)
{
    return py_host_compile(conf, to, error);
}
