/* Accepting: a budget per turn, a pause when there is no descriptor or no worker left, limits per address. */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "pick.h"
#include "proc.h"
#include "quiet.h"
#include "registry.h"
#include "util.h"

#define BACKLOG 4096
#define BUDGET 64
#define WORKERS_MAX 1024
#define REFUSAL_LOG_MS 1000

struct listener {
    struct master *m;
    int fd;
    ev_io io;
    bool started;
    const char *paused; /* why it accepted nothing when it last tried, or NULL */
    char address[64];
    struct quiet refusals;
};

static void pause_accepting(struct listener *l, const char *why)
{
    ev_io_stop(l->m->loop, &l->io);
    if (!l->paused || strcmp(l->paused, why) != 0)
        log_error("listener", "accepts nothing for now: %s", why);
    l->paused = why;
}

static struct proc *choose(struct master *m)
{
    bool up[WORKERS_MAX];
    unsigned load[WORKERS_MAX], n = m->conf->workers < WORKERS_MAX ? m->conf->workers : WORKERS_MAX;
    for (unsigned i = 0; i < n; i++) {
        up[i] = proc_keeps_up(&m->procs[i]);
        load[i] = m->procs[i].sessions;
    }
    int i = pick_fewest(up, load, n);
    return i == -1 ? NULL : &m->procs[i];
}

static void log_refusal(struct listener *l, const char *addr)
{
    unsigned skipped;
    if (quiet_may_log(&l->refusals, REFUSAL_LOG_MS, &skipped))
        log_warn("listener", "connection from %s refused: max_connections_per_address (%u) is reached (%u more before)",
                 addr, l->m->conf->server.max_connections_per_address, skipped);
}

/* The address without its port, an IPv4 one the same whichever socket it came through. */
static void host_text(const struct sockaddr_storage *ss, char *to, socklen_t cap)
{
    to[0] = 0;
    getnameinfo((const struct sockaddr *)ss, sizeof(*ss), to, cap, NULL, 0, NI_NUMERICHOST);
    if (strncmp(to, "::ffff:", 7) == 0 && strchr(to, '.'))
        memmove(to, to + 7, strlen(to + 7) + 1);
}

static void hand_over(struct listener *l, struct proc *p, int fd, const struct sockaddr_storage *ss)
{
    char addr[64], host[NI_MAXHOST];
    util_addr_text((const struct sockaddr *)ss, addr, sizeof(addr));
    host_text(ss, host, sizeof(host));
    struct esme *esme = registry_add(l->m, p, addr, host, l->m->conf->server.max_connections_per_address);
    if (!esme) {
        log_refusal(l, addr);
        close(fd);
        return;
    }
    log_debug("listener", "connection %llu from %s goes to worker %u", (unsigned long long)esme->number, addr,
              p->index);
    if (chan_control(p->chan, MSG_ADOPT, 0, esme->number, addr, strlen(addr), fd))
        return;
    log_error("listener", "connection from %s closed: worker %u takes no more", addr, p->index);
    registry_remove(l->m, esme);
}

/* Whether to go on. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    struct proc *p = choose(l->m);
    if (!p) {
        pause_accepting(l, "no worker is ready");
        return false;
    }
    int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd != -1) {
        if (l->paused)
            log_info("listener", "accepts again");
        l->paused = NULL;
        hand_over(l, p, fd, &ss);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause_accepting(l, strerror(errno));
    return errno == EINTR || errno == ECONNABORTED;
}

static void on_readable(EV_P_ ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    for (int i = 0; i < BUDGET && accept_one(watcher->data); i++)
        ;
}

static int open_socket(const struct addrinfo *ai)
{
    const int on = 1, off = 0;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -1)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int listen_on(const struct conf_server *server, char **error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *ai = NULL;
    char service[8];
    snprintf(service, sizeof(service), "%u", server->port);
    int status = getaddrinfo(server->bind_address, service, &hints, &ai);
    if (status != 0) {
        *error = xasprintf("cannot listen on server.bind_address \"%s\": %s; an IPv4 or IPv6 address is expected",
                           server->bind_address, gai_strerror(status));
        return -1;
    }
    int fd = open_socket(ai);
    if (fd == -1) {
        char text[64];
        util_addr_text(ai->ai_addr, text, sizeof(text));
        *error = xasprintf("cannot listen on %s: %s", text, strerror(errno));
    }
    freeaddrinfo(ai);
    return fd;
}

struct listener *listener_new(struct master *m, char **error)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    int fd = listen_on(&m->conf->server, error);
    if (fd == -1)
        return NULL;
    struct listener *l = xcalloc(1, sizeof(*l));
    l->m = m;
    l->fd = fd;
    getsockname(fd, (struct sockaddr *)&ss, &len);
    util_addr_text((struct sockaddr *)&ss, l->address, sizeof(l->address));
    ev_io_init(&l->io, on_readable, fd, EV_READ);
    l->io.data = l;
    return l;
}

void listener_free(struct listener **listener)
{
    struct listener *l = *listener;
    if (!l)
        return;
    ev_io_stop(l->m->loop, &l->io);
    util_close(&l->fd);
    free(l);
    *listener = NULL;
}

void listener_start(struct listener *l)
{
    l->started = true;
    ev_io_start(l->m->loop, &l->io);
}

void listener_resume(struct listener *l)
{
    if (l && l->started && l->paused && choose(l->m))
        ev_io_start(l->m->loop, &l->io);
}

const char *listener_address(const struct listener *l)
{
    return l->address;
}
