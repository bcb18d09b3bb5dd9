/* What a worker's channel, sessions and Redis are to scripts, as calls of the test's object. */
#include "ext.h"

#include <stdlib.h>

#include "session.h"
#include "util.h"

/* A send or a Redis command that has not had its outcome. */
struct open {
    uint64_t id;
    gateway_done_fn *done;
    store_done_fn *replied;
    void *arg;
    bool late; /* wants the answer that comes after MSG_TIMEOUT or a cancel, too */
    bool over; /* has had that, or the cancel */
    struct open *next;
};

PyObject *ext_hooks;
static struct open *opens;
static uint64_t last_id;
static struct stats_block stats;

static struct open *open_new(void)
{
    struct open *o = xcalloc(1, sizeof(*o));
    o->id = ++last_id;
    o->next = opens;
    opens = o;
    return o;
}

static struct open **open_at(uint64_t id)
{
    struct open **at = &opens;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static void open_free(struct open **at)
{
    struct open *o = *at;
    *at = o->next;
    free(o);
}

void ext_gateway_reset(void)
{
    while (opens)
        open_free(&opens);
    memset(&stats, 0, sizeof(stats));
}

/* ---- sends ---- */

/* hooks.send(id, helper's side, target, raw, timeout_ms) returns None when it took it, else a reason of msg.h. */
static uint64_t start(const char *side, const char *target, const uint8_t *raw, size_t len, unsigned timeout_ms,
                      unsigned flags, gateway_done_fn *done, void *arg, enum msg_outcome *why)
{
    struct open *o = open_new();
    uint64_t id = o->id;
    o->done = done;
    o->arg = arg;
    o->late = flags & SESSION_SEND_LATE;
    const char *charset = strcmp(side, "bind") == 0 ? "utf-8" : "latin-1"; /* as Pdu and Session decode octets */
    PyObject *name = PyUnicode_Decode(target, (Py_ssize_t)strlen(target), charset, NULL);
    PyObject *r = PyObject_CallMethod(ext_hooks, "send", "KsNy#I", (unsigned long long)id, side, name,
                                      (const char *)raw, (Py_ssize_t)len, timeout_ms);
    if (r == Py_None) {
        Py_DECREF(r);
        return id;
    }
    long reason = r ? PyLong_AsLong(r) : -1;
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(ext_hooks);
    Py_XDECREF(r);
    *why = reason >= 0 && reason <= MSG_NO_SESSION ? (enum msg_outcome)reason : MSG_GONE;
    open_free(open_at(id));
    return 0;
}

static uint64_t submit(unsigned bind, const uint8_t *raw, size_t len, unsigned timeout_ms, unsigned flags,
                       gateway_done_fn *done, void *arg, enum msg_outcome *why)
{
    return start("bind", ext_gateway.conf->binds[bind].name, raw, len, timeout_ms, flags, done, arg, why);
}

static uint64_t send_to(const char *session_id, const uint8_t *raw, size_t len, unsigned timeout_ms,
                        gateway_done_fn *done, void *arg, enum msg_outcome *why)
{
    return start("session_id", session_id, raw, len, timeout_ms, 0, done, arg, why);
}

static uint64_t send_to_system(const char *system_id, const uint8_t *raw, size_t len, unsigned timeout_ms,
                               gateway_done_fn *done, void *arg, enum msg_outcome *why)
{
    return start("system_id", system_id, raw, len, timeout_ms, 0, done, arg, why);
}

static void *cancel(uint64_t id)
{
    struct open **at = open_at(id);
    if (!*at || (*at)->over)
        return NULL;
    void *arg = (*at)->arg;
    (*at)->over = true;
    if (!(*at)->late)
        open_free(at);
    return arg;
}

/* outcome(id, outcome, sent, resp | None): what became of a send; again after a timeout or a cancel, for the late one.
 * What nobody waits for any longer is ignored. */
PyObject *ext_outcome(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long id;
    int outcome, sent;
    const char *resp;
    Py_ssize_t len;
    if (!PyArg_ParseTuple(args, "Kipz#", &id, &outcome, &sent, &resp, &len))
        return NULL;
    struct open **at = open_at(id);
    if (!*at || ((*at)->over && outcome == MSG_TIMEOUT))
        Py_RETURN_NONE;
    struct open o = **at;
    if (o.late && !o.over && outcome == MSG_TIMEOUT)
        (*at)->over = true;
    else
        open_free(at);
    o.done(o.arg, (enum msg_outcome)outcome, sent, o.over, (const uint8_t *)resp, (size_t)len);
    Py_RETURN_NONE;
}

/* ---- Redis ---- */

/* hooks.redis(id, [bytes, ...]); redis_reply() follows. */
static void redis(int argc, const char **argv, const size_t *argvlen, store_done_fn *done, void *arg)
{
    struct open *o = open_new();
    o->replied = done;
    o->arg = arg;
    PyObject *list = PyList_New(argc);
    for (int i = 0; list && i < argc; i++)
        PyList_SET_ITEM(list, i, PyBytes_FromStringAndSize(argv[i], (Py_ssize_t)argvlen[i]));
    PyObject *r = list ? PyObject_CallMethod(ext_hooks, "redis", "KO", (unsigned long long)o->id, list) : NULL;
    if (!r)
        PyErr_WriteUnraisable(ext_hooks);
    Py_XDECREF(r);
    Py_XDECREF(list);
}

static struct store_reply reply_of(PyObject *value)
{
    struct store_reply reply = {.type = STORE_NIL};
    if (PyLong_Check(value)) {
        reply.type = STORE_INT;
        reply.integer = PyLong_AsLongLong(value);
    } else if (PyBytes_Check(value)) {
        reply.type = STORE_STRING;
        reply.str = PyBytes_AS_STRING(value);
        reply.len = (size_t)PyBytes_GET_SIZE(value);
    } else if (PyList_Check(value)) {
        reply.type = STORE_ARRAY;
        reply.len = (size_t)PyList_GET_SIZE(value);
        reply.impl = value;
    }
    return reply;
}

struct store_reply store_reply_element(const struct store_reply *array, size_t i)
{
    return reply_of(PyList_GET_ITEM((PyObject *)(uintptr_t)array->impl, (Py_ssize_t)i));
}

/* redis_reply(id, value, error, away): value is None, an int, bytes or a list of such; error, a str, comes before it.
 */
PyObject *ext_redis_reply(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long id;
    PyObject *value;
    const char *error;
    int away;
    if (!PyArg_ParseTuple(args, "KOzp", &id, &value, &error, &away))
        return NULL;
    struct open **at = open_at(id);
    if (!*at || !(*at)->replied)
        Py_RETURN_NONE;
    struct open o = **at;
    open_free(at);
    struct store_reply reply =
        error ? (struct store_reply){.type = away ? STORE_AWAY : STORE_ERROR, .str = error} : reply_of(value);
    o.replied(o.arg, &reply);
    Py_RETURN_NONE;
}

static const struct gateway_ops ops = {submit, send_to, send_to_system, cancel, redis};
struct gateway ext_gateway = {.ops = &ops, .node = "test", .generation = 1, .stats = &stats};
