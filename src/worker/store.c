/* Redis on hiredis. A reconnect is a new context; every command has a deadline, since hiredis 0.14 has none. */
#include "store.h"

#include <stdlib.h>
#include <stdarg.h>
#include <string.h>
#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>
#include <hiredis/adapters/libev.h>
#include <utlist.h>

#include "log.h"
#include "store_url.h"
#include "util.h"

#define COMMANDS_MAX 100000
#define RECONNECT_MIN 0.1
#define RECONNECT_MAX 2.0
#define LATE 0.1 /* seconds by which a timer that fires late shows that the worker itself was busy */

enum state { DOWN, CONNECTING, UP };

struct command {
    struct store *store;
    store_done_fn *done; /* NULL once told */
    void *arg;
    double deadline;
    bool excused; /* has a second deadline, because this process was busy */
    struct command *prev, *next;
};

struct store {
    struct ev_loop *loop;
    struct store_url url;
    char *where;                  /* for the log: without a password */
    double timeout, backoff, due; /* due: when `deadline` is to fire */
    enum state state;
    redisAsyncContext *context;
    struct command *waiting; /* in the order of their deadlines, which is the order they were sent in */
    unsigned count;
    struct {
        char *at;
        size_t len, room;
    } text; /* of the command that is being sent */
    ev_timer deadline, reconnect;
    void (*on_connected)(void *);
    void *arg;
    bool closing;
};

/* ---- replies ---- */

static struct store_reply reply_of(const redisReply *r)
{
    struct store_reply reply = {.type = STORE_NIL};
    if (!r)
        return (struct store_reply){.type = STORE_AWAY, .str = "Redis: the connection was lost"};
    switch (r->type) {
    case REDIS_REPLY_INTEGER:
        reply.type = STORE_INT;
        reply.integer = r->integer;
        break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
        reply.type = r->type == REDIS_REPLY_ERROR ? STORE_ERROR : STORE_STRING;
        reply.str = r->str;
        reply.len = r->len;
        break;
    case REDIS_REPLY_ARRAY:
        reply.type = STORE_ARRAY;
        reply.len = r->elements;
        reply.impl = r;
        break;
    default:
        break;
    }
    return reply;
}

struct store_reply store_reply_element(const struct store_reply *array, size_t i)
{
    const redisReply *r = array->impl;
    return reply_of(r->element[i]);
}

/* ---- commands ---- */

static void tell(struct command *c, const struct store_reply *reply)
{
    store_done_fn *done = c->done;
    c->done = NULL;
    if (done)
        done(c->arg, reply);
}

/* Not the loop's time, which stands still while the script runs. */
static double now(void)
{
    return (double)util_now_ms() / 1e3;
}

static void deadline_at(struct store *s, double at)
{
    double left = at - now();
    s->due = at;
    ev_timer_stop(s->loop, &s->deadline);
    ev_timer_set(&s->deadline, left > 0 ? left : 0, 0);
    ev_timer_start(s->loop, &s->deadline);
}

static void deadline_arm(struct store *s)
{
    ev_timer_stop(s->loop, &s->deadline);
    if (s->waiting)
        deadline_at(s, s->waiting->deadline);
}

static void on_reply(redisAsyncContext *context, void *reply, void *arg)
{
    (void)context;
    struct command *c = arg;
    struct store_reply r = reply_of(reply);
    DL_DELETE(c->store->waiting, c);
    c->store->count--;
    tell(c, &r);
    free(c);
}

static void away(store_done_fn *done, void *arg, const char *text)
{
    struct store_reply reply = {.type = STORE_AWAY, .str = text};
    if (done)
        done(arg, &reply);
}

static char *text_reserve(struct store *s, size_t n)
{
    if (s->text.len + n > s->text.room) {
        s->text.room = 2 * (s->text.len + n);
        s->text.at = xrealloc(s->text.at, s->text.room);
    }
    return s->text.at + s->text.len;
}

/* "*3\r\n" and "$5\r\n" of Redis' protocol. */
static void text_put_count(struct store *s, char kind, size_t n)
{
    char digits[24], *p = digits + sizeof(digits);
    *--p = '\n';
    *--p = '\r';
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    *--p = kind;
    size_t len = (size_t)(digits + sizeof(digits) - p);
    memcpy(text_reserve(s, len), p, len);
    s->text.len += len;
}

/* hiredis would format each argument with its printf, which costs as much as all else that a command does here. */
static void text_of_command(struct store *s, int argc, const char **argv, const size_t *argvlen)
{
    s->text.len = 0;
    text_put_count(s, '*', (size_t)argc);
    for (int i = 0; i < argc; i++) {
        text_put_count(s, '$', argvlen[i]);
        char *to = text_reserve(s, argvlen[i] + 2);
        memcpy(to, argv[i], argvlen[i]);
        memcpy(to + argvlen[i], "\r\n", 2);
        s->text.len += argvlen[i] + 2;
    }
}

void store_command(struct store *s, int argc, const char **argv, const size_t *argvlen, store_done_fn *done, void *arg)
{
    if (!s || s->state == DOWN || s->closing) { /* NULL: a script is only checked */
        away(done, arg, "Redis is away");
        return;
    }
    if (s->count >= COMMANDS_MAX) {
        away(done, arg, "Redis is too slow: too many commands wait");
        return;
    }
    struct command *c = xmalloc(sizeof(*c));
    *c = (struct command){.store = s, .done = done, .arg = arg, .deadline = now() + s->timeout};
    DL_APPEND(s->waiting, c);
    s->count++;
    text_of_command(s, argc, argv, argvlen);
    if (redisAsyncFormattedCommand(s->context, on_reply, c, s->text.at, s->text.len) != REDIS_OK) {
        DL_DELETE(s->waiting, c);
        s->count--;
        free(c);
        away(done, arg, "Redis is away");
        return;
    }
    if (!ev_is_active(&s->deadline))
        deadline_arm(s);
}

void store_call(struct store *s, store_done_fn *done, void *arg, ...)
{
    const char *argv[16];
    size_t lengths[16];
    int argc = 0;
    va_list ap;
    va_start(ap, arg);
    for (const char *a; argc < 16 && (a = va_arg(ap, const char *)); argc++) {
        argv[argc] = a;
        lengths[argc] = strlen(a);
    }
    va_end(ap);
    store_command(s, argc, argv, lengths, done, arg);
}

/* ---- the connection ---- */

static void lost(struct store *s, const char *why);

/* Whether this process did not look for a while: replies may be here already, and each command gets its time once more.
 */
static bool was_busy(struct store *s)
{
    struct command *c;
    bool excused = false;
    if (now() - s->due < LATE)
        return false;
    DL_FOREACH (s->waiting, c) {
        if (!c->excused) {
            c->excused = excused = true;
            c->deadline = now() + s->timeout;
        }
    }
    return excused;
}

/* The oldest command is over its time: it is told so. One that has waited for three times that means a dead server. */
static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    struct store *s = CONTAINER_OF(w, struct store, deadline);
    struct store_reply reply = {.type = STORE_AWAY, .str = "Redis did not answer in time"};
    if (was_busy(s)) {
        deadline_arm(s);
        return;
    }
    if (s->waiting && s->waiting->deadline + 2 * s->timeout <= now()) {
        lost(s, "no answer");
        return;
    }
    struct command *c;
    double next = 0;
    DL_FOREACH (s->waiting, c) {
        if (c->deadline > now()) {
            next = c->deadline;
            break;
        }
        tell(c, &reply);
    }
    if (!s->waiting)
        return;
    double give_up = s->waiting->deadline + 2 * s->timeout;
    if (next == 0 || give_up < next)
        next = give_up;
    deadline_at(s, next);
}

static void schedule_reconnect(struct store *s)
{
    ev_timer_stop(s->loop, &s->reconnect);
    if (s->closing)
        return;
    ev_timer_set(&s->reconnect, s->backoff, 0);
    ev_timer_start(s->loop, &s->reconnect);
    s->backoff = s->backoff * 2 < RECONNECT_MAX ? s->backoff * 2 : RECONNECT_MAX;
}

/* Ends the context; its commands are told by hiredis, which calls back each with NULL. */
static void lost(struct store *s, const char *why)
{
    redisAsyncContext *context = s->context;
    bool was_up = s->state == UP;
    s->context = NULL;
    s->state = DOWN;
    if (was_up || s->backoff < 2 * RECONNECT_MIN)
        log_warn("redis", "%s: %s; the cache fails until it is back", s->where, why);
    if (context) {
        context->data = NULL;
        redisAsyncFree(context);
    }
    deadline_arm(s);
    schedule_reconnect(s);
}

static void on_policy(void *arg, const struct store_reply *reply)
{
    struct store *s = arg;
    if (reply->type != STORE_ARRAY || reply->len < 2)
        return;
    struct store_reply policy = store_reply_element(reply, 1);
    if (policy.type == STORE_STRING && strcmp(policy.str, "noeviction") != 0)
        log_error("redis", "%s: maxmemory-policy is %s: what is kept there can be LOST; set it to noeviction", s->where,
                  policy.str);
}

static void on_auth(void *arg, const struct store_reply *reply)
{
    struct store *s = arg;
    if (reply->type == STORE_ERROR)
        log_error("redis", "%s: %s", s->where, reply->str);
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct store *s = context->data;
    if (!s)
        return;
    if (status != REDIS_OK) {
        /* hiredis frees the context by itself after this. */
        s->context = NULL;
        lost(s, context->errstr);
        return;
    }
    s->state = UP;
    s->backoff = RECONNECT_MIN;
    log_info("redis", "connected to %s", s->where);
    store_call(s, on_policy, s, "CONFIG", "GET", "maxmemory-policy", NULL);
    s->on_connected(s->arg);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct store *s = context->data;
    if (!s)
        return;
    s->context = NULL; /* freed by hiredis */
    lost(s, status == REDIS_OK ? "disconnected" : context->errstr);
}

static redisAsyncContext *context_new(struct store *s)
{
    if (s->url.path)
        return redisAsyncConnectUnix(s->url.path);
    const char *host = strcmp(s->url.host, "localhost") == 0 ? "127.0.0.1" : s->url.host;
    return redisAsyncConnect(host, (int)s->url.port);
}

static void introduce(struct store *s)
{
    char database[16];
    if (s->url.password && s->url.user)
        store_call(s, on_auth, s, "AUTH", s->url.user, s->url.password, NULL);
    else if (s->url.password)
        store_call(s, on_auth, s, "AUTH", s->url.password, NULL);
    snprintf(database, sizeof(database), "%u", s->url.database);
    if (s->url.database)
        store_call(s, on_auth, s, "SELECT", database, NULL);
}

static void store_connect(struct store *s)
{
    s->context = context_new(s);
    if (!s->context || s->context->err) {
        char why[128];
        snprintf(why, sizeof(why), "%s", s->context ? s->context->errstr : "no memory");
        lost(s, why);
        return;
    }
    s->state = CONNECTING;
    s->context->data = s;
    redisLibevAttach(s->loop, s->context);
    redisAsyncSetConnectCallback(s->context, on_connect);
    redisAsyncSetDisconnectCallback(s->context, on_disconnect);
    introduce(s);
}

static void on_reconnect(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    store_connect(CONTAINER_OF(w, struct store, reconnect));
}

struct store *store_open(struct ev_loop *loop, const char *url, unsigned timeout_ms, void (*on_connected)(void *),
                         void *arg, char **error)
{
    struct store *s = xcalloc(1, sizeof(*s));
    struct in6_addr address;
    s->loop = loop;
    s->timeout = timeout_ms / 1e3;
    s->backoff = RECONNECT_MIN;
    s->on_connected = on_connected;
    s->arg = arg;
    ev_timer_init(&s->deadline, on_deadline, 0, 0);
    ev_timer_init(&s->reconnect, on_reconnect, 0, 0);
    int r = store_url_parse(url, &s->url, error);
    if (r == 0 && s->url.host && strcmp(s->url.host, "localhost") != 0 &&
        inet_pton(AF_INET, s->url.host, &address) != 1 && inet_pton(AF_INET6, s->url.host, &address) != 1) {
        *error = xasprintf("redis.url: host \"%s\": names are not built yet, give an address", s->url.host);
        r = -1;
    }
    if (r < 0) {
        store_url_free(&s->url);
        free(s);
        return NULL;
    }
    s->where = s->url.path ? xstrdup(s->url.path) : xasprintf("%s:%u", s->url.host, s->url.port);
    store_connect(s);
    return s;
}

void store_close(struct store **store)
{
    struct store *s = *store;
    if (!s)
        return;
    *store = NULL;
    s->closing = true;
    s->state = DOWN;
    if (s->context) {
        s->context->data = NULL;
        redisAsyncFree(s->context);
    }
    ev_timer_stop(s->loop, &s->deadline);
    ev_timer_stop(s->loop, &s->reconnect);
    store_url_free(&s->url);
    free(s->where);
    free(s->text.at);
    free(s);
}
