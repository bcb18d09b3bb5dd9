/* One connection of an outbound bind: resolve, connect, bind, stay; and again with growing patience.
 * All that entering a state does is in change_state. */
#include "bind_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deliver.h"
#include "log.h"
#include "pick.h"
#include "util.h"

#define LASTED_MS 10000 /* a bind that held so long starts the backoff anew */

const char *bind_state_name(enum bind_state state)
{
    static const char *const names[] = {"new",     "waiting", "resolving", "connecting",
                                        "binding", "bound",   "unbinding", "stopped"};
    return names[state];
}

static struct ev_loop *loop_of(const struct bind_conn *c)
{
    return c->bind->m->loop;
}

static void set_timer(struct bind_conn *c, unsigned ms)
{
    ev_timer_stop(loop_of(c), &c->timer);
    ev_timer_set(&c->timer, ms / 1000., 0.);
    ev_timer_start(loop_of(c), &c->timer);
}

static void __attribute__((format(printf, 2, 3))) set_reason(struct bind_conn *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->reason, sizeof(c->reason), fmt, ap);
    va_end(ap);
}

/* Lets go of what the states before BINDING hold. */
static void abandon_attempt(struct bind_conn *c)
{
    resolver_cancel(&c->resolver);
    ev_io_stop(loop_of(c), &c->connecting);
    ev_timer_stop(loop_of(c), &c->timer);
    util_close(&c->fd);
}

static void on_resolved(void *arg, const struct resolver_result *result)
{
    struct bind_conn *c = arg;
    c->resolver = NULL;
    c->addresses = *result;
    c->next_address = 0;
    bind_conn_fsm(c, BIND_EV_RESOLVED);
}

static void on_connecting(EV_P_ ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct bind_conn *c = watcher->data;
    int error = 0;
    socklen_t len = sizeof(error);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error)
        set_reason(c, "connect to %s: %s", c->addr, strerror(error));
    bind_conn_fsm(c, error ? BIND_EV_CONNECT_FAILED : BIND_EV_CONNECTED);
}

static void on_timer(EV_P_ ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    bind_conn_fsm(watcher->data, BIND_EV_TIMER);
}

/* Begins to connect to the next address: 0, or -1 with the reason set. */
static int connect_next(struct bind_conn *c)
{
    const union resolver_address *to = &c->addresses.addresses[c->next_address++];
    socklen_t len = to->sa.sa_family == AF_INET6 ? sizeof(to->in6) : sizeof(to->in);
    util_addr_text(&to->sa, c->addr, sizeof(c->addr));
    c->fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd == -1 || (connect(c->fd, &to->sa, len) == -1 && errno != EINPROGRESS)) {
        set_reason(c, "connect to %s: %s", c->addr, strerror(errno));
        util_close(&c->fd);
        return -1;
    }
    ev_io_set(&c->connecting, c->fd, EV_WRITE);
    ev_io_start(loop_of(c), &c->connecting);
    return 0;
}

static void on_bind_resp(struct session *s, void *owner, const struct pdu *pdu)
{
    (void)s;
    struct bind_conn *c = owner;
    if (pdu->command_status == ESME_ROK) {
        size_t len;
        const uint8_t *system_id = pdu_str(pdu, PDU_system_id, &len);
        snprintf(c->system_id, sizeof(c->system_id), "%.*s", (int)len, (const char *)system_id);
        bind_conn_fsm(c, BIND_EV_ACCEPTED);
        return;
    }
    const char *name = smpp_status_name(pdu->command_status);
    set_reason(c, "bind as \"%s\" rejected by %s: %s (0x%08x)", c->bind->conf->system_id, c->addr,
               name ? name : "unknown status", pdu->command_status);
}

static void on_request(struct session *s, void *owner, const struct pdu *pdu)
{
    if (pdu->command_id == SMPP_deliver_sm || pdu->command_id == SMPP_data_sm ||
        pdu->command_id == SMPP_alert_notification)
        deliver_request(owner, pdu);
    else
        session_reply_status(s, pdu->command_id, ESME_RINVCMDID, pdu->sequence_number);
}

static void on_closed(struct session *s, void *owner, const char *reason)
{
    (void)s;
    struct bind_conn *c = owner;
    c->session = NULL;
    if (!c->reason[0])
        set_reason(c, "%s: %s", c->addr, reason);
    bind_conn_fsm(c, BIND_EV_CLOSED);
}

static void send_bind(struct bind_conn *c)
{
    static const struct session_ops ops = {.bind_resp = on_bind_resp, .request = on_request, .closed = on_closed};
    const struct conf_bind *conf = c->bind->conf;
    struct pdu_out out = {0};
    const struct {
        enum pdu_field field;
        const char *text;
    } texts[] = {{PDU_system_id, conf->system_id},
                 {PDU_password, conf->password},
                 {PDU_system_type, conf->system_type},
                 {PDU_address_range, conf->addr_range}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        out.v[texts[i].field].p = (const uint8_t *)texts[i].text;
        out.v[texts[i].field].n = (uint32_t)strlen(texts[i].text);
    }
    out.v[PDU_interface_version].n = SMPP_VERSION_3_4;
    int fd = c->fd;
    c->fd = -1;
    c->reason[0] = 0;
    c->number = ++c->bind->m->last_number;
    c->session = session_new(c->bind->m->io, fd, SESSION_ESME, &c->bind->session_conf, &ops, c, c->name);
    session_bind(c->session, (enum session_bind_type)conf->bind_type, &out);
}

static unsigned next_delay(struct bind_conn *c)
{
    uint32_t random;
    util_random(&random, sizeof(random));
    return pick_backoff(c->attempt++, c->bind->conf->reconnect_min_ms, c->bind->conf->reconnect_max_ms, random);
}

static void enter_waiting(struct bind_conn *c, enum bind_state from, uint64_t held_ms)
{
    if (from == BIND_BOUND && held_ms >= LASTED_MS)
        c->attempt = 0;
    unsigned delay = next_delay(c);
    log_line(from == BIND_BOUND ? LOG_WARN_ : LOG_ERROR_, c->name, "down: %s; next try in %u ms", c->reason, delay);
    set_timer(c, delay);
}

static void enter_bound(struct bind_conn *c)
{
    log_info(c->name, "up: bound to %s (\"%s\") as %s", c->addr, c->system_id,
             session_bind_type_name((enum session_bind_type)c->bind->conf->bind_type));
    bind_announce(c, true);
}

static void enter_stopped(struct bind_conn *c, enum bind_state from)
{
    if (from != BIND_NEW)
        log_info(c->name, "stopped");
    master_bind_stopped(c->bind->m);
}

static void change_state(struct bind_conn *c, enum bind_state to)
{
    enum bind_state from = c->state;
    uint64_t now = util_now_ms(), held_ms = now - c->since_ms;
    abandon_attempt(c);
    c->state = to;
    c->since_ms = now;
    if (from == BIND_UNBINDING || (from == BIND_BOUND && to != BIND_UNBINDING))
        bind_announce(c, false);
    switch (to) {
    case BIND_NEW:
        break;
    case BIND_WAITING:
        enter_waiting(c, from, held_ms);
        break;
    case BIND_RESOLVING:
        set_timer(c, c->bind->conf->connect_timeout_ms);
        c->resolver = resolver_start(loop_of(c), c->bind->conf->host, c->bind->conf->port, on_resolved, c);
        break;
    case BIND_CONNECTING:
        set_timer(c, c->bind->conf->connect_timeout_ms);
        break;
    case BIND_BINDING:
        break;
    case BIND_BOUND:
        enter_bound(c);
        break;
    case BIND_UNBINDING:
        set_reason(c, "stopped");
        session_unbind(c->session, c->stop_ms);
        break;
    case BIND_STOPPED:
        enter_stopped(c, from);
        break;
    }
}

/* The next address that lets itself be tried, or the end of this attempt. */
static void try_addresses(struct bind_conn *c)
{
    while (c->next_address < c->addresses.count) {
        change_state(c, BIND_CONNECTING);
        if (connect_next(c) == 0)
            return;
        log_info(c->name, "%s", c->reason);
    }
    change_state(c, BIND_WAITING);
}

static void take_connection(struct bind_conn *c)
{
    int fd = c->fd;
    c->fd = -1; /* not abandoned with the attempt */
    change_state(c, BIND_BINDING);
    c->fd = fd;
    send_bind(c);
}

static void stop(struct bind_conn *c)
{
    if (c->state == BIND_UNBINDING || c->state == BIND_STOPPED)
        return;
    if (c->state == BIND_BOUND) {
        change_state(c, BIND_UNBINDING);
        return;
    }
    struct session *s = c->session;
    change_state(c, BIND_STOPPED);
    if (s)
        session_close(s, "stopped");
}

static void timed_out(struct bind_conn *c)
{
    if (c->state == BIND_WAITING) {
        change_state(c, BIND_RESOLVING);
    } else if (c->state == BIND_RESOLVING) {
        set_reason(c, "no answer to the question for %s", c->bind->conf->host);
        change_state(c, BIND_WAITING);
    } else if (c->state == BIND_CONNECTING) {
        set_reason(c, "connect to %s: no answer in %u ms", c->addr, c->bind->conf->connect_timeout_ms);
        try_addresses(c);
    }
}

void bind_conn_fsm(struct bind_conn *c, enum bind_event event)
{
    switch (event) {
    case BIND_EV_START:
        change_state(c, BIND_RESOLVING);
        break;
    case BIND_EV_TIMER:
        timed_out(c);
        break;
    case BIND_EV_RESOLVED:
        if (c->addresses.count == 0)
            set_reason(c, "%s: %s", c->bind->conf->host, c->addresses.error);
        try_addresses(c);
        break;
    case BIND_EV_CONNECTED:
        take_connection(c);
        break;
    case BIND_EV_CONNECT_FAILED:
        try_addresses(c);
        break;
    case BIND_EV_ACCEPTED:
        change_state(c, BIND_BOUND);
        break;
    case BIND_EV_CLOSED:
        if (c->state == BIND_UNBINDING)
            change_state(c, BIND_STOPPED);
        else if (c->state != BIND_STOPPED)
            change_state(c, BIND_WAITING);
        break;
    case BIND_EV_STOP:
        stop(c);
        break;
    }
}

void bind_conn_end(struct bind_conn *c)
{
    c->state = BIND_STOPPED;
    abandon_attempt(c);
    if (c->session)
        session_close(c->session, "stopped");
}

void bind_conn_init(struct bind_conn *c, struct bind *bind, unsigned i)
{
    *c = (struct bind_conn){.bind = bind, .fd = -1, .since_ms = util_now_ms()};
    if (bind->conf->sessions > 1)
        snprintf(c->name, sizeof(c->name), "bind %s/%u", bind->conf->name, i + 1);
    else
        snprintf(c->name, sizeof(c->name), "bind %s", bind->conf->name);
    ev_io_init(&c->connecting, on_connecting, -1, EV_WRITE);
    ev_timer_init(&c->timer, on_timer, 0., 0.);
    c->connecting.data = c->timer.data = c;
}
