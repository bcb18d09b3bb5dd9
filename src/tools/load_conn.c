/* smppload's connections: connect, bind, bind again after --rebind-every or a loss. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util.h"

#define CONNECTING_MAX 100 /* at the same time, so that a listener's queue is not run over */
#define FAILURES_MAX 60    /* in a row, of a connection that was bound before */
#define RETRY_S 0.5

static void connect_next(struct load *load);
static void conn_open(struct load_conn *conn);

static void log_conn(const struct load_conn *conn, const char *event, uint32_t status)
{
    if (conn->load->log)
        evlog_write(conn->load->log, &(struct evlog_line){.connection = conn->number,
                                                          .event = event,
                                                          .system_id = conn->load->o.system_id,
                                                          .status = status});
}

/* Tries again in a moment, or gives up: at once when it was never bound. */
static void failed(struct load_conn *conn, const char *why)
{
    struct load *load = conn->load;
    if (load->ending)
        return;
    if (!conn->was_bound || ++conn->failures > FAILURES_MAX) {
        load_abort(load, "%s port %s: %s", load->o.host, load->o.port, why);
        return;
    }
    ev_timer_set(&conn->retry, RETRY_S, 0);
    ev_timer_start(load->loop, &conn->retry);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    conn_open(w->data);
}

static void on_bound(struct load_conn *conn)
{
    struct load *load = conn->load;
    conn->bound = true;
    conn->rebinding = false;
    conn->since_bind = conn->failures = 0;
    load->n.binds++;
    if (!conn->was_bound) {
        conn->was_bound = true;
        load->bound++;
        load->connecting--;
        connect_next(load);
    }
    if (!load->started && load->bound == load->conn_count)
        load_start(load);
    else if (load->started && load->o.rate == 0 && conn->type != SESSION_RX)
        load_fill(conn);
}

static void on_bind_resp(struct session *s, void *owner, const struct pdu *pdu)
{
    struct load_conn *conn = owner;
    (void)s;
    log_conn(conn, "bind", pdu->command_status);
    if (pdu->command_status == ESME_ROK) {
        on_bound(conn);
        return;
    }
    const char *name = smpp_status_name(pdu->command_status);
    if (!conn->was_bound)
        load_abort(conn->load, "the bind was refused: %s (0x%08x)", name ? name : "unknown status",
                   pdu->command_status);
}

static void on_request(struct session *s, void *owner, const struct pdu *pdu)
{
    if (pdu->command_id == SMPP_deliver_sm || pdu->command_id == SMPP_data_sm)
        load_delivered(owner, pdu);
    else if (pdu->command_id != SMPP_alert_notification)
        session_reply_status(s, pdu->command_id, ESME_RINVCMDID, pdu->sequence_number);
}

static void on_closed(struct session *s, void *owner, const char *reason)
{
    struct load_conn *conn = owner;
    struct load *load = conn->load;
    (void)s;
    log_conn(conn, "closed", 0);
    conn->session = NULL;
    conn->bound = false;
    load->n.disconnects += conn->was_bound && !conn->rebinding && !conn->leaving;
    if (load->ending) {
        load_check_end(load);
        return;
    }
    if (conn->rebinding) {
        conn_open(conn);
        return;
    }
    failed(conn, reason);
    load_check_end(load);
}

static void send_bind(struct load_conn *conn)
{
    const struct load_options *o = &conn->load->o;
    struct pdu_out out = {0};
    out.v[PDU_system_id].p = (const uint8_t *)o->system_id;
    out.v[PDU_system_id].n = (uint32_t)strlen(o->system_id);
    out.v[PDU_password].p = (const uint8_t *)o->password;
    out.v[PDU_password].n = (uint32_t)strlen(o->password);
    out.v[PDU_system_type].p = (const uint8_t *)o->system_type;
    out.v[PDU_system_type].n = (uint32_t)strlen(o->system_type);
    out.v[PDU_interface_version].n = SMPP_VERSION_3_4;
    session_bind(conn->session, conn->type, &out);
}

static void on_connected(struct ev_loop *loop, ev_io *w, int events)
{
    static const struct session_ops ops = {.bind_resp = on_bind_resp, .request = on_request, .closed = on_closed};
    struct load_conn *conn = w->data;
    int error = 0;
    socklen_t len = sizeof(error);
    char name[32];
    (void)events;
    ev_io_stop(loop, w);
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        util_close(&conn->fd);
        failed(conn, strerror(error));
        return;
    }
    snprintf(name, sizeof(name), "connection %u", conn->number);
    int fd = conn->fd;
    conn->fd = -1;
    conn->session = session_new(conn->load->io, fd, SESSION_ESME, &conn->load->session_conf, &ops, conn, name);
    send_bind(conn);
}

static void conn_open(struct load_conn *conn)
{
    struct load *load = conn->load;
    conn->fd = socket(load->addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (conn->fd < 0 ||
        (connect(conn->fd, (struct sockaddr *)load->addr, load->addr_len) < 0 && errno != EINPROGRESS)) {
        const char *why = strerror(errno);
        util_close(&conn->fd);
        failed(conn, why);
        return;
    }
    ev_io_init(&conn->connecting, on_connected, conn->fd, EV_WRITE);
    conn->connecting.data = conn;
    ev_io_start(load->loop, &conn->connecting);
}

static void connect_next(struct load *load)
{
    while (load->connecting < CONNECTING_MAX && load->next_conn < load->conn_count && !load->ending) {
        load->connecting++;
        conn_open(&load->conns[load->next_conn++]);
    }
}

void load_conns_open(struct load *load)
{
    static const enum session_bind_type types[] = {
        [LOAD_TRX] = SESSION_TRX, [LOAD_TX_RX] = SESSION_TX, [LOAD_TX] = SESSION_TX, [LOAD_RX] = SESSION_RX};
    unsigned each = load->o.bind_type == LOAD_TX_RX ? 2 : 1;
    load->conn_count = load->o.connections * each;
    load->conns = xcalloc(load->conn_count, sizeof(*load->conns));
    for (unsigned i = 0; i < load->conn_count; i++) {
        struct load_conn *conn = &load->conns[i];
        conn->load = load;
        conn->number = i + 1;
        conn->fd = -1;
        conn->type = each == 2 && i % 2 == 0 ? SESSION_RX : types[load->o.bind_type]; /* receivers first */
        ev_timer_init(&conn->retry, on_retry, 0, 0);
        conn->retry.data = conn;
    }
    connect_next(load);
}

void load_conns_free(struct load *load)
{
    load->ending = true;
    for (unsigned i = 0; i < load->conn_count; i++) {
        struct load_conn *conn = &load->conns[i];
        ev_timer_stop(load->loop, &conn->retry);
        if (conn->fd >= 0)
            ev_io_stop(load->loop, &conn->connecting);
        util_close(&conn->fd);
        if (conn->session)
            session_close(conn->session, "end");
    }
    free(load->conns);
}
