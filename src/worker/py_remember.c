/* Remembers an accepted message in Redis for its receipt, before the script goes on: siphon/receipts.py says what is
 * written there. Whatever is not the plain case, nothing known under that id yet, is left to that module. */
#include "py_wait.h"

#include "receipt_id.h"
#include "util.h"

#define KEY_MAX 1024

struct py_remember {
    PyObject *bind, *text; /* the bind's name, and the value to write */
    PyObject *on_late;     /* called with (response | None, bind, text, ttl_ms) when nobody awaits the outcome */
    PyObject *resp;        /* once the upstream has accepted */
    long long ttl_ms;
    bool over; /* nobody awaits it any longer */
};

void py_remember_free(struct py_remember *r)
{
    if (!r)
        return;
    Py_XDECREF(r->bind);
    Py_XDECREF(r->text);
    Py_XDECREF(r->on_late);
    Py_XDECREF(r->resp);
    free(r);
}

/* ---- keys ---- */

static enum receipt_id_base base_of(int bind, bool of_receipt)
{
    enum conf_id_match match = bind < 0 ? CONF_ID_EXACT : py_gateway->conf->binds[bind].id_match;
    if (match == CONF_ID_EXACT)
        return RECEIPT_ID_TEXT;
    return (match == CONF_ID_DEC_TO_HEX) == of_receipt ? RECEIPT_ID_HEX : RECEIPT_ID_DECIMAL;
}

static void put(struct wire *w, const char *text)
{
    wire_put_octets(w, text, strlen(text));
}

/* Writes the key. Returns its length, or 0 with ValueError. */
static size_t key_of(PyObject *bind, PyObject *message_id, bool of_receipt, char key[KEY_MAX])
{
    char canonical[RECEIPT_ID_MAX];
    Py_ssize_t id_len;
    const char *name = PyUnicode_AsUTF8(bind), *id = name ? PyUnicode_AsUTF8AndSize(message_id, &id_len) : NULL;
    if (!id)
        return 0;
    enum receipt_id_base base = base_of(conf_bind_index(py_gateway->conf, name), of_receipt);
    size_t len = receipt_id_canonical(id, (size_t)id_len, base, canonical);
    struct wire w = wire_of(key, KEY_MAX);
    put(&w, py_gateway->conf->redis.prefix);
    put(&w, "receipt:");
    put(&w, name);
    wire_put_u8(&w, ':');
    wire_put_octets(&w, canonical, len);
    if (len > 0 && !w.error)
        return wire_done(&w);
    PyErr_Format(PyExc_ValueError, "bind %R, message_id %R: too long", bind, message_id);
    return 0;
}

/* receipt_key(bind, message_id, of_receipt): under which Redis has what is known of a message, by the id of the
 * upstream's response or of its receipt. */
PyObject *py_receipt_key(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    char key[KEY_MAX];
    if (n != 3 || !PyUnicode_Check(args[0]) || !PyUnicode_Check(args[1]))
        return PyErr_Format(PyExc_TypeError, "receipt_key(bind: str, message_id: str, of_receipt: bool)");
    size_t len = key_of(args[0], args[1], PyObject_IsTrue(args[2]), key);
    return len ? PyUnicode_DecodeUTF8(key, (Py_ssize_t)len, NULL) : NULL;
}

/* ---- an accepted message ---- */

static void call_late(struct py_remember *r, PyObject *resp)
{
    PyObject *done = PyObject_CallFunction(r->on_late, "OOOL", resp ? resp : Py_None, r->bind, r->text, r->ttl_ms);
    if (!done)
        py_log_exception("late answer");
    Py_XDECREF(done);
}

void py_remember_late(Wait *w, PyObject *resp)
{
    if (resp)
        call_late(w->send.remember, resp);
    else
        py_log_exception("late answer");
    Py_XDECREF(resp);
}

/* The handler was cancelled between the upstream's answer and Redis', which on_reply looks at when it comes; or after
 * that. */
static void given_up(Wait *w)
{
    struct py_remember *r = w->send.remember;
    r->over = true;
    if (w->state == WAIT_VALUE && PyTuple_GET_ITEM(w->value, 1) != Py_None)
        call_late(r, r->resp);
}

/* What was there: None when the message is remembered now, a str, or a CacheError. */
static PyObject *found(struct py_remember *r, const struct store_reply *reply)
{
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(r->text, &len);
    switch (reply->type) {
    case STORE_NIL:
        return Py_NewRef(Py_None);
    case STORE_STRING:
        if (text && (size_t)len == reply->len && memcmp(text, reply->str, reply->len) == 0)
            return Py_NewRef(Py_None);
        return PyUnicode_DecodeUTF8(reply->str, (Py_ssize_t)reply->len, "surrogateescape");
    default:
        return PyObject_CallFunction(py_CacheError, "s", reply->str ? reply->str : "unexpected reply");
    }
}

static void on_reply(void *arg, const struct store_reply *reply)
{
    Wait *w = arg;
    struct py_remember *r = w->send.remember;
    PyObject *what = found(r, reply);
    if (r->over && what != Py_None)
        call_late(r, r->resp);
    py_wait_end(w, what ? PyTuple_Pack(2, r->resp, what) : NULL);
    Py_XDECREF(what);
    Py_DECREF(w);
}

static void write_to_redis(Wait *w, const char *key, size_t key_len)
{
    struct py_remember *r = w->send.remember;
    char ttl[24];
    Py_ssize_t text_len;
    const char *text = PyUnicode_AsUTF8AndSize(r->text, &text_len);
    if (!text) {
        py_wait_end(w, NULL);
        return;
    }
    int ttl_len = snprintf(ttl, sizeof(ttl), "%lld", r->ttl_ms);
    const char *argv[] = {"SET", key, text, "NX", "GET", "PX", ttl};
    const size_t lengths[] = {3, key_len, (size_t)text_len, 2, 3, 2, (size_t)ttl_len};
    Py_INCREF(w);
    w->given_up = given_up;
    py_gateway->ops->redis(7, argv, lengths, on_reply, w);
}

void py_remember_start(Wait *w, PyObject *resp)
{
    char key[KEY_MAX];
    PyObject *message_id = py_resp_accepted(resp);
    struct py_remember *r = w->send.remember;
    r->resp = resp;
    if (!message_id || PyUnicode_GET_LENGTH(message_id) == 0) {
        py_wait_end(w, PyTuple_Pack(2, resp, Py_None)); /* refused; or never to be known again */
        return;
    }
    size_t len = key_of(r->bind, message_id, false, key);
    if (len)
        write_to_redis(w, key, len);
    else
        py_wait_end(w, NULL);
}

struct py_remember *py_remember_new(PyObject *const *args)
{
    long long ttl_ms = PyLong_AsLongLong(args[2]);
    if (PyErr_Occurred() || !PyUnicode_Check(args[0]) || !PyUnicode_Check(args[1]) || ttl_ms <= 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "bind: str, text: str, ttl_ms: int, on_late");
        return NULL;
    }
    struct py_remember *r = xcalloc(1, sizeof(*r));
    r->bind = Py_NewRef(args[0]);
    r->text = Py_NewRef(args[1]);
    r->ttl_ms = ttl_ms;
    r->on_late = Py_NewRef(args[3]);
    return r;
}
