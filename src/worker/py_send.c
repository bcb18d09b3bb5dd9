/* Sends by scripts: submit_sm to an upstream, deliver_sm to an ESME; each ends in an asyncio future. */
#include "py_int.h"

#include "session.h"
#include "util.h"

/* One send. Freed when it has had its outcome, and with on_late the late one as well. */
struct send {
    PyObject *future;  /* NULL once it was told or given up */
    PyObject *on_late; /* NULL: nobody asks */
};

static PyObject *name_create_future, *name_set_result, *name_set_exception, *name_done;

PyObject *py_future_new(void)
{
    if (!name_create_future) {
        name_create_future = PyUnicode_InternFromString("create_future");
        name_set_result = PyUnicode_InternFromString("set_result");
        name_set_exception = PyUnicode_InternFromString("set_exception");
        name_done = PyUnicode_InternFromString("done");
    }
    return PyObject_CallMethodNoArgs(py_asyncio_loop, name_create_future);
}

static bool future_done(PyObject *future)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, name_done);
    bool is = done == Py_True;
    Py_XDECREF(done);
    return is;
}

void py_future_result(PyObject *future, PyObject *result)
{
    if (result && !future_done(future))
        Py_XDECREF(PyObject_CallMethodOneArg(future, name_set_result, result));
    Py_XDECREF(result);
    if (PyErr_Occurred())
        py_log_exception("future");
}

void py_future_fail(PyObject *future, PyObject *exception_class, const char *text)
{
    if (future_done(future))
        return;
    PyObject *exception = PyObject_CallFunction(exception_class, "s", text);
    if (exception)
        Py_XDECREF(PyObject_CallMethodOneArg(future, name_set_exception, exception));
    Py_XDECREF(exception);
    if (PyErr_Occurred())
        py_log_exception("future");
}

static void send_free(struct send *s)
{
    Py_XDECREF(s->future);
    Py_XDECREF(s->on_late);
    free(s);
}

/* ---- outcomes ---- */

static PyObject *outcome_class(enum msg_outcome outcome)
{
    switch (outcome) {
    case MSG_WINDOW_FULL:
        return py_WindowFull;
    case MSG_TIMEOUT:
        return py_ResponseTimeout;
    case MSG_BIND_DOWN:
        return py_BindDown;
    default:
        return py_SessionGone;
    }
}

static const char *outcome_text(enum msg_outcome outcome, bool sent)
{
    switch (outcome) {
    case MSG_WINDOW_FULL:
        return "no place in the window or its queue in time; it was not sent";
    case MSG_TIMEOUT:
        return "no answer in time; the outcome is unknown";
    case MSG_GONE:
        return sent ? "the connection ended before the answer; the outcome is unknown"
                    : "the connection ended; it was not sent";
    case MSG_REFUSED:
        return "the session is not bound in this direction; it was not sent";
    case MSG_BIND_DOWN:
        return "the bind is not up; it was not sent";
    case MSG_NO_SESSION:
        return "no such session; it was not sent";
    case MSG_RESPONSE:
        break;
    }
    return "unexpected outcome";
}

/* GONE while the answer to something that was sent is still open is a ResponseTimeout to whom an unknown outcome is
 * one. */
static PyObject *fail_class(enum msg_outcome outcome, bool sent, bool upstream)
{
    if (outcome == MSG_GONE && upstream)
        return sent ? py_ResponseTimeout : py_BindDown;
    if (outcome == MSG_REFUSED && upstream)
        return py_BindDown;
    return outcome_class(outcome);
}

static void tell_late(struct send *s, const uint8_t *resp, size_t len)
{
    PyObject *value = resp ? py_smpp_resp_new(resp, len) : Py_NewRef(Py_None);
    PyObject *r = value ? PyObject_CallOneArg(s->on_late, value) : NULL;
    if (!r)
        py_log_exception("late answer");
    Py_XDECREF(r);
    Py_XDECREF(value);
    send_free(s);
}

static void told(struct send *s, enum msg_outcome outcome, bool sent, const uint8_t *resp, size_t len, bool upstream)
{
    if (outcome == MSG_RESPONSE)
        py_future_result(s->future, py_smpp_resp_new(resp, len));
    else
        py_future_fail(s->future, fail_class(outcome, sent, upstream), outcome_text(outcome, sent));
    Py_CLEAR(s->future);
    if (!s->on_late || outcome != MSG_TIMEOUT)
        send_free(s);
}

static void submit_done(void *arg, enum msg_outcome outcome, bool sent, bool late, const uint8_t *resp, size_t len)
{
    if (late)
        tell_late(arg, outcome == MSG_RESPONSE ? resp : NULL, len);
    else
        told(arg, outcome, sent, resp, len, true);
}

static void deliver_done(void *arg, enum msg_outcome outcome, bool sent, bool late, const uint8_t *resp, size_t len)
{
    (void)late;
    told(arg, outcome, sent, resp, len, false);
}

/* ---- calls ---- */

/* Seconds or None → milliseconds, 0 for None. -1 with ValueError. */
static long timeout_ms(PyObject *timeout)
{
    if (timeout == Py_None)
        return 0;
    double seconds = PyFloat_AsDouble(timeout);
    if (PyErr_Occurred())
        return -1;
    if (!(seconds > 0 && seconds <= 86400)) {
        PyErr_Format(PyExc_ValueError, "timeout is in seconds, above 0 and at most 86400, not %R", timeout);
        return -1;
    }
    long ms = (long)(seconds * 1000);
    return ms > 0 ? ms : 1;
}

static struct send *send_new(PyObject *on_late)
{
    PyObject *future = py_future_new();
    if (!future)
        return NULL;
    struct send *s = xmalloc(sizeof(*s));
    s->future = future;
    s->on_late = on_late && on_late != Py_None ? Py_NewRef(on_late) : NULL;
    return s;
}

/* (future, ticket). A send that was not taken has a future that has failed already and the ticket 0. */
static PyObject *sent(struct send *s, uint64_t id, enum msg_outcome why, bool upstream)
{
    PyObject *future = Py_NewRef(s->future);
    if (id == 0) {
        py_future_fail(future, fail_class(why, false, upstream), outcome_text(why, false));
        send_free(s);
    }
    return Py_BuildValue("(NK)", future, (unsigned long long)id);
}

static int check_args(const char *usage, PyObject *const *args, Py_ssize_t n, Py_ssize_t want)
{
    if (n == want && PyUnicode_Check(args[0]) && PyDict_Check(args[1]))
        return 0;
    PyErr_SetString(PyExc_TypeError, usage);
    return -1;
}

/* submit(bind: str, fields: dict, timeout: float | None, on_late) -> (future, ticket) */
PyObject *py_submit(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    if (check_args("submit(bind: str, fields: dict, timeout, on_late)", args, n, 4) < 0)
        return NULL;
    const char *name = PyUnicode_AsUTF8(args[0]);
    int bind = name ? conf_bind_index(py_gateway->conf, name) : -1;
    long timeout = timeout_ms(args[2]);
    const uint8_t *raw;
    if (!name || timeout < 0)
        return NULL;
    if (bind < 0)
        return PyErr_Format(py_UnknownBind, "no bind %R is configured", args[0]);
    size_t len = py_fields_encode(SMPP_submit_sm, args[1], &raw);
    struct send *s = len ? send_new(args[3]) : NULL;
    if (!s)
        return NULL;
    enum msg_outcome why = MSG_BIND_DOWN;
    uint64_t id = py_gateway->ops->submit((unsigned)bind, raw, len, (unsigned)timeout,
                                          s->on_late ? SESSION_SEND_LATE : 0, submit_done, s, &why);
    return sent(s, id, why, true);
}

/* deliver(session_id: str | None, system_id: str | None, fields: dict, timeout: float | None) -> (future, ticket); one
 * of the two names the target. */
PyObject *py_deliver(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    bool by_session = n == 4 && args[0] != Py_None;
    if (n != 4 || !PyUnicode_Check(args[by_session ? 0 : 1]) || !PyDict_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError,
                        "deliver(session_id: str | None, system_id: str | None, fields: dict, timeout)");
        return NULL;
    }
    const char *target = PyUnicode_AsUTF8(args[by_session ? 0 : 1]);
    long timeout = timeout_ms(args[3]);
    const uint8_t *raw;
    if (!target || timeout < 0)
        return NULL;
    size_t len = py_fields_encode(SMPP_deliver_sm, args[2], &raw);
    struct send *s = len ? send_new(NULL) : NULL;
    if (!s)
        return NULL;
    enum msg_outcome why = MSG_NO_SESSION;
    uint64_t id = by_session
                      ? py_gateway->ops->send_to(target, raw, len, (unsigned)timeout, deliver_done, s, &why)
                      : py_gateway->ops->send_to_system(target, raw, len, (unsigned)timeout, deliver_done, s, &why);
    return sent(s, id, why, false);
}

/* cancel(ticket): nobody awaits it any longer. */
PyObject *py_cancel(PyObject *module, PyObject *ticket)
{
    (void)module;
    unsigned long long id = PyLong_AsUnsignedLongLong(ticket);
    if (PyErr_Occurred())
        return NULL;
    struct send *s = id ? py_gateway->ops->cancel(id) : NULL;
    if (s) {
        Py_CLEAR(s->future);
        if (!s->on_late)
            send_free(s);
    }
    Py_RETURN_NONE;
}
