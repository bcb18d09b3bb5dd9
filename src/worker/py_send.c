/* Sends by scripts: submit_sm to an upstream, deliver_sm to an ESME; each is a Wait. */
#include "py_int.h"

#include "py_wait.h"
#include "session.h"
#include "util.h"

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

/* The reference that the send has held is let go, unless a late outcome is to come. */
static void told(Wait *w, enum msg_outcome outcome, bool sent, const uint8_t *resp, size_t len, bool upstream)
{
    bool late_comes = outcome == MSG_TIMEOUT && w->send.remember;
    w->given_up = NULL;
    if (outcome == MSG_RESPONSE) {
        PyObject *value = py_resp_new(w->send.command_id, resp, len);
        if (value && w->send.remember)
            py_remember_start(w, value);
        else
            py_wait_end(w, value);
    } else {
        py_wait_fail(w, fail_class(outcome, sent, upstream), outcome_text(outcome, sent));
    }
    if (!late_comes)
        Py_DECREF(w);
}

static void submit_done(void *arg, enum msg_outcome outcome, bool sent, bool late, const uint8_t *resp, size_t len)
{
    Wait *w = arg;
    if (!late) {
        told(w, outcome, sent, resp, len, true);
        return;
    }
    if (outcome == MSG_RESPONSE)
        py_remember_late(w, py_resp_new(w->send.command_id, resp, len));
    Py_DECREF(w);
}

static void deliver_done(void *arg, enum msg_outcome outcome, bool sent, bool late, const uint8_t *resp, size_t len)
{
    (void)late;
    told(arg, outcome, sent, resp, len, false);
}

/* Nobody awaits it any longer: one that is queued is taken back. */
static void take_back(Wait *w)
{
    if (py_gateway->ops->cancel(w->send.ticket) && !w->send.remember)
        Py_DECREF(w);
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

/* Made before its PDU is encoded: a collection that an allocation starts may run code that sends, too, and the encoder
 * has one buffer. Takes `remember`, also when it fails. */
static Wait *send_new(uint32_t command_id, struct py_remember *remember)
{
    Wait *w = py_wait_new();
    if (!w) {
        py_remember_free(remember);
        return NULL;
    }
    w->send.command_id = command_id;
    w->send.remember = remember;
    w->given_up = take_back;
    return w;
}

/* Takes the reference that send_new has made, and gives one to the caller. What was not taken has failed already; an
 * alert_notification that is on its way has ended, as nothing answers it. */
static PyObject *sent(Wait *w, uint64_t id, enum msg_outcome why, bool upstream)
{
    uint8_t written[SMPP_HEADER_SIZE];
    w->send.ticket = id;
    if (id)
        return Py_NewRef((PyObject *)w); /* the other one is the send's */
    w->given_up = NULL;
    if (why == MSG_RESPONSE) {
        pdu_put_header(written, w->send.command_id, ESME_ROK, 0);
        py_wait_end(w, py_resp_new(w->send.command_id, written, sizeof(written)));
    } else {
        py_wait_fail(w, fail_class(why, false, upstream), outcome_text(why, false));
    }
    return (PyObject *)w;
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

static bool are_fields(PyObject *fields)
{
    return PyTuple_Check(fields) || PyDict_Check(fields);
}

/* remember NULL: nothing is to be remembered; else it is taken. */
static PyObject *send_over_bind(uint32_t command, PyObject *bind_name, PyObject *fields, PyObject *timeout_seconds,
                                struct py_remember *remember)
{
    Wait *w = send_new(command, remember);
    if (!w)
        return NULL;
    const char *name = PyUnicode_AsUTF8(bind_name);
    int bind = name ? conf_bind_index(py_gateway->conf, name) : -1;
    long timeout = name ? timeout_ms(timeout_seconds) : -1;
    const uint8_t *raw;
    if (timeout >= 0 && bind < 0)
        PyErr_Format(py_UnknownBind, "no bind %R is configured", bind_name);
    size_t len = timeout >= 0 && bind >= 0 ? py_fields_encode(command, fields, &raw) : 0;
    if (len == 0) {
        Py_DECREF(w);
        return NULL;
    }
    enum msg_outcome why = MSG_BIND_DOWN;
    uint64_t id = py_gateway->ops->submit((unsigned)bind, raw, len, (unsigned)timeout, remember ? SESSION_SEND_LATE : 0,
                                          submit_done, w, &why);
    return sent(w, id, why, true);
}

/* send_bind(command, bind: str, fields: tuple | dict, timeout: float | None) -> awaitable of the response */
PyObject *py_send_bind(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    if (n != 4 || !PyUnicode_Check(args[1]) || !are_fields(args[2]))
        return PyErr_Format(PyExc_TypeError, "send_bind(command, bind: str, fields, timeout)");
    uint32_t command = command_of(args[0]);
    return command ? send_over_bind(command, args[1], args[2], args[3], NULL) : NULL;
}

/* submit_remembered(fields: tuple | dict, timeout: float | None, bind: str, text: str, ttl_ms: int, on_late) ->
 * awaitable of (response, what was found in Redis): a submit_sm; see py_remember.c. */
PyObject *py_submit_remembered(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    if (n != 6 || !are_fields(args[0]) || !PyUnicode_Check(args[2]))
        return PyErr_Format(PyExc_TypeError, "bind is a str, not %s", n == 6 ? Py_TYPE(args[2])->tp_name : "nothing");
    struct py_remember *remember = py_remember_new(args + 2);
    return remember ? send_over_bind(SMPP_submit_sm, args[2], args[0], args[1], remember) : NULL;
}

/* send_session(command, session_id: str | None, system_id: str | None, fields: dict, timeout: float | None) ->
 * awaitable of the response; one of the two names the target. */
PyObject *py_send_session(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    bool by_session = n == 5 && args[1] != Py_None;
    if (n != 5 || !PyUnicode_Check(args[by_session ? 1 : 2]) || !are_fields(args[3]))
        return PyErr_Format(PyExc_TypeError, "session_id is a str, or else system_id is");
    uint32_t command = command_of(args[0]);
    Wait *w = command ? send_new(command, NULL) : NULL;
    if (!w)
        return NULL;
    PyObject *name = PyUnicode_AsLatin1String(args[by_session ? 1 : 2]); /* as system_ids are decoded */
    char *target = NULL;
    if (name && PyBytes_AsStringAndSize(name, &target, NULL) < 0) /* a NUL is in it */
        Py_CLEAR(name);
    long timeout = name ? timeout_ms(args[4]) : -1;
    const uint8_t *raw;
    size_t len = timeout < 0 ? 0 : py_fields_encode(command, args[3], &raw);
    if (len == 0) {
        Py_XDECREF(name);
        Py_DECREF(w);
        return NULL;
    }
    enum msg_outcome why = MSG_NO_SESSION;
    uint64_t id = by_session
                      ? py_gateway->ops->send_to(target, raw, len, (unsigned)timeout, deliver_done, w, &why)
                      : py_gateway->ops->send_to_system(target, raw, len, (unsigned)timeout, deliver_done, w, &why);
    Py_DECREF(name);
    return sent(w, id, why, false);
}
