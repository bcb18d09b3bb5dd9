/* Rows of sessions in Redis. */
#include "worker_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "util.h"

#define EXPIRE_SECONDS "60"
#define REFRESH_SECONDS 20.

struct presence {
    struct worker *worker;
    char *key;
    char *index; /* the set of all workers' keys, so that nobody has to scan for them */
    ev_timer refresh;
    void (*cleared)(void *);
    void *cleared_arg;
};

/* s as the inside of a JSON string: what is no printable ASCII is escaped. */
static void json_escape(const char *s, char *to, size_t cap)
{
    size_t n = 0;
    for (; *s && n + 7 < cap; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            n += (size_t)snprintf(to + n, cap - n, "\\u%04x", c);
        else
            to[n++] = (char)c;
    }
    to[n] = 0;
}

void presence_add(struct presence *p, const struct esme_row *row)
{
    struct worker *w = p->worker;
    char json[512], system_id[128];
    json_escape(row->system_id, system_id, sizeof(system_id));
    snprintf(json, sizeof(json),
             "{\"session_id\":\"%s\",\"system_id\":\"%s\",\"bind_type\":\"%s\",\"client_addr\":\"%s\","
             "\"bound_at\":%.3f,\"node\":\"%s\",\"worker\":%u}",
             row->session_id, system_id, row->bind_type, row->client_addr, row->bound_at, w->args->node,
             w->args->index);
    store_call(w->store, NULL, NULL, "HSET", p->key, row->session_id, json, NULL);
    store_call(w->store, NULL, NULL, "SADD", p->index, p->key, NULL);
    store_call(w->store, NULL, NULL, "EXPIRE", p->key, EXPIRE_SECONDS, NULL);
}

void presence_remove(struct presence *p, uint64_t number)
{
    char session_id[40];
    worker_session_id(p->worker, number, session_id);
    store_call(p->worker->store, NULL, NULL, "HDEL", p->key, session_id, NULL);
}

static void add_row(void *arg, const struct esme_row *row)
{
    presence_add(arg, row);
}

void presence_rewrite(struct presence *p)
{
    store_call(p->worker->store, NULL, NULL, "DEL", p->key, NULL);
    esme_each_bound(p->worker->esmes, add_row, p);
}

static void on_refresh(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    struct presence *p = CONTAINER_OF(w, struct presence, refresh);
    store_call(p->worker->store, NULL, NULL, "EXPIRE", p->key, EXPIRE_SECONDS, NULL);
}

static void on_cleared(void *arg, const struct store_reply *reply)
{
    (void)reply;
    struct presence *p = arg;
    p->cleared(p->cleared_arg);
}

void presence_clear(struct presence *p, void (*then)(void *), void *arg)
{
    p->cleared = then;
    p->cleared_arg = arg;
    ev_timer_stop(p->worker->loop, &p->refresh);
    store_call(p->worker->store, NULL, NULL, "SREM", p->index, p->key, NULL);
    store_call(p->worker->store, on_cleared, p, "DEL", p->key, NULL);
}

struct presence *presence_new(struct worker *worker)
{
    struct presence *p = xcalloc(1, sizeof(*p));
    p->worker = worker;
    p->key = xasprintf("%ssessions:%s:%u", worker->conf->redis.prefix, worker->args->node, worker->args->index);
    p->index = xasprintf("%ssessions", worker->conf->redis.prefix);
    ev_timer_init(&p->refresh, on_refresh, REFRESH_SECONDS, REFRESH_SECONDS);
    ev_timer_start(worker->loop, &p->refresh);
    return p;
}
