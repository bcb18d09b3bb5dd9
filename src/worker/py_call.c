/* The calls from the C side into the script's handlers, in a worker and in a test of a script. */
#include "py_call.h"

#include <unistd.h>

#include "log.h"
#include "util.h"

struct gateway *py_gateway;
PyObject *py_asyncio_loop, *py_runtime;

/* A handler's call under way. Pooled: one is taken for every message. */
struct active {
    struct py_call call;
    struct active *next_free;
};

static struct active *free_actives;

static struct active *active_take(const struct py_call *call)
{
    struct active *a = free_actives;
    if (a)
        free_actives = a->next_free;
    else
        a = xmalloc(sizeof(*a));
    a->call = *call;
    return a;
}

static void active_put(struct active *a)
{
    a->next_free = free_actives;
    free_actives = a;
}

/* ---- a child that the script has forked ---- */

static bool forked;

void py_host_forked(void)
{
    forked = true;
}

void py_end_if_forked(void)
{
    if (!forked)
        return;
    log_error("script", "process %d, forked by the script, has left its function without os._exit(): it is ended here",
              (int)getpid());
    _exit(1);
}

/* ---- errors ---- */

PyObject *py_describe_exception(const char *function)
{
    PyObject *type, *value, *traceback, *text = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback)
        PyException_SetTraceback(value, traceback);
    if (py_runtime && value)
        text = PyObject_CallMethod(py_runtime, function, "O", value);
    if (!text && value) {
        PyErr_Clear();
        text = PyObject_Str(value);
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    PyErr_Clear();
    return text;
}

void py_log_exception(const char *who)
{
    PyObject *lines = py_describe_exception("traceback_lines");
    if (!lines || !PyList_Check(lines))
        log_error(who, "an exception that cannot be shown");
    for (Py_ssize_t i = 0; lines && PyList_Check(lines) && i < PyList_GET_SIZE(lines); i++) {
        const char *line = PyUnicode_AsUTF8(PyList_GET_ITEM(lines, i));
        log_error(who, "%s", line ? line : "?");
    }
    Py_XDECREF(lines);
    PyErr_Clear();
}

/* ---- calls ---- */

static void handler_failed(const struct py_call *call, const char *what)
{
    struct py_answer answer = {.status = call->fail_status};
    stats_add(&py_gateway->stats->handler_errors, 1);
    py_log_exception(what);
    call->answer(call, &answer);
}

static void pdu_done(void *arg, PyObject *result)
{
    struct active *a = arg;
    struct py_answer answer;
    if (result && py_reply_read(result, a->call.command_id, &answer) == 0) {
        a->call.answer(&a->call, &answer);
    } else {
        char what[64];
        snprintf(what, sizeof(what), "handler %s", py_command_slot_name(py_command_slot(a->call.command_id)));
        handler_failed(&a->call, what);
    }
    active_put(a);
}

bool py_host_has_handler(uint32_t command_id)
{
    int slot = py_command_slot(command_id);
    return slot >= 0 && py_handlers->on_pdu[slot];
}

/* An alert_notification is not answered, whatever the handler returns. */
static void alert_done(void *arg, PyObject *result)
{
    struct active *a = arg;
    if (!result) {
        stats_add(&py_gateway->stats->handler_errors, 1);
        py_log_exception("handler alert_notification");
    }
    active_put(a);
}

static void host_alert(const struct py_call *call, PyObject *handler, const struct pdu *pdu, struct py_session *session)
{
    PyObject *alert = py_alert_new(pdu);
    PyObject *args[] = {alert, py_session_object(session)};
    if (!alert) {
        py_log_exception("alert_notification");
        return;
    }
    py_task_run(handler, args, 2, py_gateway->conf->handler_timeout_ms, alert_done, active_take(call));
    Py_DECREF(alert);
}

void py_host_pdu(const struct py_call *call, const struct pdu *pdu, struct py_session *session)
{
    PyObject *handler = Py_NewRef(py_handlers->on_pdu[py_command_slot(pdu->command_id)]);
    if (pdu->command_id == SMPP_alert_notification) {
        host_alert(call, handler, pdu, session);
        Py_DECREF(handler);
        return;
    }
    PyObject *object = py_pdu_borrow(pdu);
    PyObject *args[] = {object, py_session_object(session)};
    struct active *a = active_take(call);
    bool suspended = py_task_run(handler, args, 2, py_gateway->conf->handler_timeout_ms, pdu_done, a);
    py_pdu_release(object, suspended);
    Py_DECREF(handler);
}

static void bind_done(void *arg, PyObject *result)
{
    struct active *a = arg;
    struct py_answer answer;
    if (result && py_bind_result_read(result, &answer) == 0)
        a->call.answer(&a->call, &answer);
    else
        handler_failed(&a->call, "handler on_bind");
    active_put(a);
}

void py_host_bind(const struct py_call *call, const struct pdu *pdu, const char *client_addr)
{
    PyObject *handler = py_handlers->on_bind;
    PyObject *bind = handler ? py_bind_new(pdu, client_addr) : NULL;
    if (!bind) {
        struct py_answer answer = {.status = ESME_RBINDFAIL, .reason = "no on_bind handler"};
        PyErr_Clear();
        call->answer(call, &answer);
        return;
    }
    Py_INCREF(handler);
    py_task_run(handler, &bind, 1, py_gateway->conf->handler_timeout_ms, bind_done, active_take(call));
    Py_DECREF(bind);
    Py_DECREF(handler);
}

void py_host_session_event(const char *event, struct py_session *session)
{
    int which = strcmp(event, "bound") == 0 ? 0 : 1;
    if (!py_handlers->on_session[which])
        return;
    py_task_rest();
    PyObject *r = PyObject_CallMethod(py_runtime, "session_event", "sO", event, py_session_object(session));
    if (!r)
        py_log_exception("on_session");
    Py_XDECREF(r);
}
