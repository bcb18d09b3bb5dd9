/* The control socket: clients send "json COMMAND" or "text COMMAND" and a newline, get the answer and the end.
 * Every answer begins with whether it worked: {"ok":true, or a line "ok"; {"ok":false,"error":"..."}, or "error". */
#include "admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#include "admin_report.h"
#include "log.h"
#include "reload.h"
#include "util.h"

#define CLIENTS_MAX 32
#define REQUEST_MAX 256
#define REQUEST_S 10.
#define WRITE_MS 10000

struct client {
    struct admin *admin;
    struct conn *conn;
    bool json, asked;
    ev_timer timer; /* for the request to come */
    struct client *prev, *next;
};

struct admin {
    struct master *m;
    char *path;
    int fd;
    ev_io io;
    struct client *clients;
    unsigned count;
};

struct command {
    const char *name, *help;
    void (*report)(struct master *m, struct report *r);
};

static void report_help(struct master *m, struct report *r);

static const struct command commands[] = {
    {"status", "everything but the sessions", admin_report_status},
    {"workers", "the worker processes and their counters", admin_report_workers},
    {"binds", "the outbound binds", admin_report_binds},
    {"sessions", "the sessions of applications", admin_report_sessions},
    {"reload", "read the configuration again and load the script anew in every worker", NULL},
    {"stop", "end what is in hand, unbind and stop", NULL},
    {"help", "this", report_help},
};

static void report_help(struct master *m, struct report *r)
{
    (void)m;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        report_string(r, commands[i].name, commands[i].help);
}

static void begin_answer(const struct client *c, struct report *r, bool ok)
{
    report_begin(r, c->json);
    if (c->json)
        report_bool(r, "ok", ok);
    else
        fputs(ok ? "ok\n" : "error\n", r->out);
}

static void end_answer(struct client *c, struct report *r)
{
    report_end(r);
    if (!conn_write(c->conn, r->text, r->len))
        log_error("admin", "an answer of %zu octets is too long", r->len);
    free(r->text);
    conn_close_after_write(c->conn, WRITE_MS);
}

static void answer_text(struct client *c, bool ok, const char *name, const char *text)
{
    struct report r;
    begin_answer(c, &r, ok);
    report_string(&r, name, text);
    end_answer(c, &r);
}

static void on_reloaded(void *arg, bool ok, const char *text)
{
    answer_text(arg, ok, ok ? "result" : "error", text);
}

static void reload(struct client *c)
{
    if (c->admin->m->state == MASTER_RUNNING)
        reload_start(c->admin->m->reload, on_reloaded, c);
    else
        answer_text(c, false, "error", "smscd is starting or stopping");
}

static void run(struct client *c, const char *name)
{
    struct master *m = c->admin->m;
    const struct command *command = NULL;
    struct report r;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            command = &commands[i];
    if (!command) {
        answer_text(c, false, "error", "no such command; try help");
    } else if (command->report) {
        begin_answer(c, &r, true);
        command->report(m, &r);
        end_answer(c, &r);
    } else if (strcmp(name, "reload") == 0) {
        reload(c);
    } else {
        log_info("admin", "asked to stop");
        answer_text(c, true, "result", "stopping");
        master_stop(m);
    }
}

static size_t on_data(struct conn *conn, void *owner, uint8_t *data, size_t len)
{
    (void)conn;
    struct client *c = owner;
    char line[REQUEST_MAX];
    const uint8_t *end = memchr(data, '\n', len);
    if (c->asked || (!end && len < sizeof(line)))
        return c->asked ? len : 0;
    c->asked = true;
    ev_timer_stop(c->admin->m->loop, &c->timer);
    size_t n = end ? (size_t)(end - data) : len;
    snprintf(line, sizeof(line), "%.*s", (int)n, (const char *)data);
    c->json = strncmp(line, "json ", 5) == 0;
    if (n < sizeof(line) && (c->json || strncmp(line, "text ", 5) == 0))
        run(c, line + 5);
    else
        answer_text(c, false, "error", "expected \"json COMMAND\" or \"text COMMAND\"");
    return len;
}

static void drop(struct client *c)
{
    struct admin *a = c->admin;
    reload_forget(a->m->reload, c);
    ev_timer_stop(a->m->loop, &c->timer);
    if (c->conn)
        conn_close(&c->conn);
    DL_DELETE(a->clients, c);
    a->count--;
    io_defer(a->m->io, free, c);
}

static void on_closed(struct conn *conn, void *owner, int error)
{
    (void)conn;
    (void)error;
    struct client *c = owner;
    c->conn = NULL;
    drop(c);
}

static void on_timer(EV_P_ ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    drop(watcher->data);
}

static void add_client(struct admin *a, int fd)
{
    static const struct conn_ops ops = {.data = on_data, .closed = on_closed};
    static const struct conn_limits limits = {
        .high_water = 1 << 20, .low_water = 1 << 19, .max_write = 64 << 20, .max_record = REQUEST_MAX};
    struct client *c = xcalloc(1, sizeof(*c));
    c->admin = a;
    c->conn = conn_new(a->m->io, fd, &ops, c, &limits);
    ev_timer_init(&c->timer, on_timer, REQUEST_S, 0.);
    c->timer.data = c;
    ev_timer_start(a->m->loop, &c->timer);
    DL_APPEND(a->clients, c);
    a->count++;
}

static void on_readable(EV_P_ ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct admin *a = watcher->data;
    if (a->count >= CLIENTS_MAX) /* the longest without a request, if any, makes room */
        drop(a->clients);
    int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd != -1)
        add_client(a, fd);
    else if (errno == EMFILE || errno == ENFILE)
        ev_io_stop(a->m->loop, &a->io); /* until admin_resume */
}

static int listen_on(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path); /* of a master that is no more: the lock of run_dir is ours */
    if (fd != -1 && bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0 && chmod(path, 0600) == 0 &&
        listen(fd, CLIENTS_MAX) == 0)
        return fd;
    int error = errno;
    util_close(&fd);
    errno = error;
    return -1;
}

struct admin *admin_new(struct master *m, char **error)
{
    struct sockaddr_un un;
    char *path = xasprintf("%s/smscd.ctl", m->conf->run_dir);
    int fd = -1;
    if (strlen(path) >= sizeof(un.sun_path))
        *error = xasprintf("run_dir is too long: %s has %zu octets, a Unix socket's path at most %zu", path,
                           strlen(path), sizeof(un.sun_path) - 1);
    else if ((fd = listen_on(path)) == -1)
        *error = xasprintf("%s: %s", path, strerror(errno));
    if (fd == -1) {
        free(path);
        return NULL;
    }
    struct admin *a = xcalloc(1, sizeof(*a));
    a->m = m;
    a->path = path;
    a->fd = fd;
    ev_io_init(&a->io, on_readable, fd, EV_READ);
    a->io.data = a;
    ev_io_start(m->loop, &a->io);
    return a;
}

void admin_resume(struct admin *a)
{
    if (a)
        ev_io_start(a->m->loop, &a->io);
}

void admin_free(struct admin **admin)
{
    struct admin *a = *admin;
    if (!a)
        return;
    while (a->clients)
        drop(a->clients);
    ev_io_stop(a->m->loop, &a->io);
    util_close(&a->fd);
    unlink(a->path);
    free(a->path);
    free(a);
    *admin = NULL;
}
