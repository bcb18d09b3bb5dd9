/* Redis for the Python layer: one command, one Wait. */
#include "py_wait.h"

#include "log.h"
#include "util.h"

#define REDIS_ARGS_MAX 64

static PyObject *reply_value(const struct store_reply *reply)
{
    switch (reply->type) {
    case STORE_INT:
        return PyLong_FromLongLong(reply->integer);
    case STORE_STRING:
        return PyUnicode_DecodeUTF8(reply->str, (Py_ssize_t)reply->len, "surrogateescape");
    case STORE_ARRAY: {
        PyObject *list = PyList_New((Py_ssize_t)reply->len);
        for (size_t i = 0; list && i < reply->len; i++) {
            struct store_reply element = store_reply_element(reply, i);
            PyObject *value = reply_value(&element);
            if (!value)
                Py_CLEAR(list);
            else
                PyList_SET_ITEM(list, (Py_ssize_t)i, value);
        }
        return list;
    }
    default:
        return Py_NewRef(Py_None);
    }
}

static void on_reply(void *arg, const struct store_reply *reply)
{
    Wait *w = arg;
    if (reply->type == STORE_ERROR || reply->type == STORE_AWAY)
        py_wait_fail(w, py_CacheError, reply->str);
    else
        py_wait_end(w, w->state == WAIT_PENDING ? reply_value(reply) : Py_NewRef(Py_None));
    Py_DECREF(w);
}

/* The octets of an argument; ints are written into number. NULL with TypeError. */
static const char *argument(PyObject *value, size_t *len, PyObject **keep)
{
    Py_ssize_t n;
    const char *p;
    if (PyBytes_Check(value)) {
        *len = (size_t)PyBytes_GET_SIZE(value);
        return PyBytes_AS_STRING(value);
    }
    if (PyUnicode_Check(value)) {
        p = PyUnicode_AsUTF8AndSize(value, &n);
        if (p) {
            *len = (size_t)n;
            return p;
        }
        PyErr_Clear(); /* surrogates: what get() gave back goes in again as the octets it was */
        *keep = PyUnicode_AsEncodedString(value, "utf-8", "surrogateescape");
    } else if (PyLong_Check(value) && !PyBool_Check(value)) {
        PyObject *text = PyObject_Str(value);
        *keep = text ? PyUnicode_AsASCIIString(text) : NULL;
        Py_XDECREF(text);
    } else {
        PyErr_Format(PyExc_TypeError, "the cache takes str, bytes and int, not %s", Py_TYPE(value)->tp_name);
    }
    if (!*keep)
        return NULL;
    *len = (size_t)PyBytes_GET_SIZE(*keep);
    return PyBytes_AS_STRING(*keep);
}

/* Sends one command; arg is done's. 0, or -1 with TypeError and done not called. */
static int command(PyObject *const *args, Py_ssize_t n, store_done_fn *done, void *arg)
{
    const char *argv[REDIS_ARGS_MAX];
    size_t lengths[REDIS_ARGS_MAX];
    PyObject *keep[REDIS_ARGS_MAX] = {0};
    if (n < 1 || n > REDIS_ARGS_MAX) {
        PyErr_Format(PyExc_TypeError, "redis() takes 1 to %d arguments, not %zd", REDIS_ARGS_MAX, n);
        return -1;
    }
    bool ok = true;
    for (Py_ssize_t i = 0; i < n && ok; i++)
        ok = (argv[i] = argument(args[i], &lengths[i], &keep[i])) != NULL;
    if (ok)
        py_gateway->ops->redis((int)n, argv, lengths, done, arg);
    for (Py_ssize_t i = 0; i < n; i++)
        Py_XDECREF(keep[i]);
    return ok ? 0 : -1;
}

/* redis(*args) -> awaitable of the reply */
PyObject *py_redis(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    Wait *w = py_wait_new();
    if (!w)
        return NULL;
    if (command(args, n, on_reply, Py_NewRef((PyObject *)w)) < 0) {
        Py_DECREF(w); /* on_reply's */
        Py_CLEAR(w);
    }
    return (PyObject *)w;
}

static void on_forgotten(void *arg, const struct store_reply *reply)
{
    (void)arg;
    if (reply->type == STORE_ERROR)
        log_warn("redis", "%s", reply->str);
}

/* redis_forget(*args): nobody waits for the answer. */
PyObject *py_redis_forget(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    return command(args, n, on_forgotten, NULL) < 0 ? NULL : Py_NewRef(Py_None);
}
