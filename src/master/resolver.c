/* One c-ares channel per question: it reads resolv.conf as it is now, and its end is the end of all it held. */
#include "resolver.h"

#include <ares.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "util.h"

struct watch {
    struct resolver *resolver;
    ev_io io;
    struct watch *next;
};

struct resolver {
    struct ev_loop *loop;
    ares_channel channel; /* NULL: could not be had */
    struct watch *watches;
    ev_timer timer; /* c-ares' timeouts; once `finished`, the delivery */
    bool finished;
    struct resolver_result result;
    resolver_done_fn *done;
    void *arg;
};

static void arm(struct resolver *r)
{
    struct timeval tv, *next = r->finished ? NULL : ares_timeout(r->channel, NULL, &tv);
    ev_timer_stop(r->loop, &r->timer);
    if (!r->finished && !next)
        return;
    ev_timer_set(&r->timer, next ? (double)next->tv_sec + next->tv_usec / 1e6 : 0., 0.);
    ev_timer_start(r->loop, &r->timer);
}

static void on_socket_event(EV_P_ ev_io *watcher, int revents)
{
    (void)loop;
    struct watch *watch = watcher->data;
    struct resolver *r = watch->resolver;
    ares_process_fd(r->channel, revents & EV_READ ? watcher->fd : ARES_SOCKET_BAD,
                    revents & EV_WRITE ? watcher->fd : ARES_SOCKET_BAD);
    arm(r);
}

static void drop(struct resolver *r, struct watch *watch)
{
    ev_io_stop(r->loop, &watch->io);
    LL_DELETE(r->watches, watch);
    free(watch);
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = arg;
    struct watch *watch;
    LL_SEARCH_SCALAR(r->watches, watch, io.fd, fd);
    if (!readable && !writable) {
        if (watch)
            drop(r, watch);
        return;
    }
    if (!watch) {
        watch = xcalloc(1, sizeof(*watch));
        watch->resolver = r;
        ev_io_init(&watch->io, on_socket_event, fd, 0);
        watch->io.data = watch;
        LL_PREPEND(r->watches, watch);
    }
    ev_io_stop(r->loop, &watch->io);
    ev_io_set(&watch->io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    ev_io_start(r->loop, &watch->io);
}

static void take_addresses(struct resolver_result *result, const struct ares_addrinfo *info)
{
    for (const struct ares_addrinfo_node *n = info->nodes; n && result->count < RESOLVER_ADDRESSES_MAX;
         n = n->ai_next) {
        union resolver_address *to = &result->addresses[result->count];
        if ((n->ai_family != AF_INET && n->ai_family != AF_INET6) || n->ai_addrlen > sizeof(*to))
            continue;
        memcpy(to, n->ai_addr, n->ai_addrlen);
        result->count++;
    }
}

/* May come from within ares_getaddrinfo or ares_process_fd: the answer is told from the timer. */
static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    (void)timeouts;
    struct resolver *r = arg;
    if (status == ARES_EDESTRUCTION)
        return;
    if (status == ARES_SUCCESS && info)
        take_addresses(&r->result, info);
    if (info)
        ares_freeaddrinfo(info);
    r->result.error = r->result.count ? NULL : status == ARES_SUCCESS ? "no address" : ares_strerror(status);
    r->finished = true;
}

static void on_timer(EV_P_ ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct resolver *r = watcher->data;
    if (!r->finished) {
        ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        arm(r);
        return;
    }
    resolver_done_fn *done = r->done;
    void *arg = r->arg;
    struct resolver_result result = r->result;
    resolver_cancel(&r);
    done(arg, &result);
}

static void ask(struct resolver *r, const char *host, unsigned port)
{
    struct ares_options options = {.sock_state_cb = on_socket_state, .sock_state_cb_data = r};
    struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NUMERICSERV};
    char service[8];
    int status = ares_init_options(&r->channel, &options, ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
        r->channel = NULL;
        r->finished = true;
        r->result.error = ares_strerror(status);
        return;
    }
    snprintf(service, sizeof(service), "%u", port);
    ares_getaddrinfo(r->channel, host, service, &hints, on_answer, r);
}

struct resolver *resolver_start(struct ev_loop *loop, const char *host, unsigned port, resolver_done_fn *done,
                                void *arg)
{
    struct resolver *r = xcalloc(1, sizeof(*r));
    r->loop = loop;
    r->done = done;
    r->arg = arg;
    ev_timer_init(&r->timer, on_timer, 0., 0.);
    r->timer.data = r;
    ask(r, host, port);
    arm(r);
    return r;
}

void resolver_cancel(struct resolver **resolver)
{
    struct resolver *r = *resolver;
    if (!r)
        return;
    *resolver = NULL;
    ev_timer_stop(r->loop, &r->timer);
    if (r->channel)
        ares_destroy(r->channel);
    while (r->watches)
        drop(r, r->watches);
    free(r);
}
