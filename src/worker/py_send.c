/* Sends by scripts: submit_sm to an upstream, deliver_sm to an ESME; each ends in an asyncio future. */
#include "py_int.h"

#include "session.h"
#include "util.h"

/* One send. Freed when it has had its outcome, and with on_late the late one as well. */
struct send {
    PyObject *future;  /* NULL once it was told or given up */
    PyObject *on_late; /* NULL: nobody asks */
    uint32_t command_id;
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

/* Ends it with the exception that is set, which is cleared. */
static void future_raise(PyObject *future)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && !future_done(future))
        Py_XDECREF(PyObject_CallMethodOneArg(future, name_set_exception, value));
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

void py_future_result(PyObject *future, PyObject *result)
{
    if (!result)
        future_raise(future);
    else if (!future_done(future))
        Py_XDECREF(PyObject_CallMethodOneArg(future, name_set_result, result));
    Py_XDECREF(result);
    if (PyErr_Occurred())
        py_log_exception("future");
}

void py_future_fail(PyObject *future, PyObject *exception_class, const char *text)
{
    if (future_done(future))
        return;
    PyObject *shown = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "backslashreplace");
    PyObject *exception = shown ? PyObject_CallOneArg(exception_class, shown) : NULL;
    Py_XDECREF(shown);
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
    PyObject *value = resp ? py_resp_new(s->command_id, resp, len) : Py_NewRef(Py_None);
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
        py_future_result(s->future, py_resp_new(s->command_id, resp, len));
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

static struct send *send_new(uint32_t command_id, PyObject *on_late)
{
    PyObject *future = py_future_new();
    if (!future)
        return NULL;
    struct send *s = xmalloc(sizeof(*s));
    s->future = future;
    s->command_id = command_id;
    s->on_late = on_late && on_late != Py_None ? Py_NewRef(on_late) : NULL;
    return s;
}

/* (future, ticket). What was not taken has a future that has failed already and the ticket 0; so has an
 * alert_notification that is on its way, with a future that is done, as nothing answers it. */
static PyObject *sent(struct send *s, uint64_t id, enum msg_outcome why, bool upstream)
{
    uint8_t written[SMPP_HEADER_SIZE];
    PyObject *future = Py_NewRef(s->future);
    if (id == 0 && why == MSG_RESPONSE) {
        pdu_put_header(written, s->command_id, ESME_ROK, 0);
        py_future_result(future, py_resp_new(s->command_id, written, sizeof(written)));
    } else if (id == 0) {
        py_future_fail(future, fail_class(why, false, upstream), outcome_text(why, false));
    }
    if (id == 0)
        send_free(s);
    return Py_BuildValue("(NK)", future, (unsigned long long)id);
}

/* The command of a send helper, by the standard's name. 0 with ValueError. */
static uint32_t command_of(PyObject *name)
{
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    uint32_t id = text ? smpp_command_by_name(text) : 0;
    if (id == 0 || id & SMPP_RESPONSE_BIT)
        PyErr_Format(PyExc_ValueError, "no request is called %R", name);
    return id & SMPP_RESPONSE_BIT ? 0 : id;
}

/* send_bind(command, bind: str, fields: dict, timeout: float | None, on_late) -> (future, ticket) */
PyObject *py_send_bind(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    if (n != 5 || !PyUnicode_Check(args[1]) || !PyDict_Check(args[2]))
        return PyErr_Format(PyExc_TypeError, "send_bind(command, bind: str, fields: dict, timeout, on_late)");
    uint32_t command = command_of(args[0]);
    const char *name = PyUnicode_AsUTF8(args[1]);
    int bind = name ? conf_bind_index(py_gateway->conf, name) : -1;
    long timeout = command ? timeout_ms(args[3]) : -1;
    const uint8_t *raw;
    if (!name || timeout < 0)
        return NULL;
    if (bind < 0)
        return PyErr_Format(py_UnknownBind, "no bind %R is configured", args[1]);
    size_t len = py_fields_encode(command, args[2], &raw);
    struct send *s = len ? send_new(command, args[4]) : NULL;
    if (!s)
        return NULL;
    enum msg_outcome why = MSG_BIND_DOWN;
    uint64_t id = py_gateway->ops->submit((unsigned)bind, raw, len, (unsigned)timeout,
                                          s->on_late ? SESSION_SEND_LATE : 0, submit_done, s, &why);
    return sent(s, id, why, true);
}

/* send_session(command, session_id: str | None, system_id: str | None, fields: dict, timeout: float | None) -> (future,
 * ticket); one of the two names the target. */
PyObject *py_send_session(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    bool by_session = n == 5 && args[1] != Py_None;
    if (n != 5 || !PyUnicode_Check(args[by_session ? 1 : 2]) || !PyDict_Check(args[3]))
        return PyErr_Format(PyExc_TypeError, "session_id is a str, or else system_id is");
    uint32_t command = command_of(args[0]);
    PyObject *name = PyUnicode_AsLatin1String(args[by_session ? 1 : 2]); /* as system_ids are decoded */
    char *target = NULL;
    if (name && PyBytes_AsStringAndSize(name, &target, NULL) < 0) /* a NUL is in it */
        Py_CLEAR(name);
    long timeout = command && name ? timeout_ms(args[4]) : -1;
    const uint8_t *raw;
    size_t len = timeout < 0 ? 0 : py_fields_encode(command, args[3], &raw);
    struct send *s = len ? send_new(command, NULL) : NULL;
    if (!s) {
        Py_XDECREF(name);
        return NULL;
    }
    enum msg_outcome why = MSG_NO_SESSION;
    uint64_t id = by_session
                      ? py_gateway->ops->send_to(target, raw, len, (unsigned)timeout, deliver_done, s, &why)
                      : py_gateway->ops->send_to_system(target, raw, len, (unsigned)timeout, deliver_done, s, &why);
    Py_DECREF(name);
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
