/* The interpreter in a worker: start and load, and the calls from the C side into the script's handlers. */
#include "py_int.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#ifndef SMSCD_PYTHON
#define SMSCD_PYTHON "/usr/bin/python3"
#endif

struct gateway *py_gateway;
PyObject *py_asyncio_loop;

static PyObject *runtime; /* siphon._runtime */

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

/* ---- errors ---- */

/* Calls runtime.<function>(exception) with the current exception, which is cleared. New reference or NULL. */
static PyObject *describe_exception(const char *function)
{
    PyObject *type, *value, *traceback, *text = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback)
        PyException_SetTraceback(value, traceback);
    if (runtime && value)
        text = PyObject_CallMethod(runtime, function, "O", value);
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
    PyObject *lines = describe_exception("traceback_lines");
    for (Py_ssize_t i = 0; lines && PyList_Check(lines) && i < PyList_GET_SIZE(lines); i++) {
        const char *line = PyUnicode_AsUTF8(PyList_GET_ITEM(lines, i));
        log_error(who, "%s", line ? line : "?");
    }
    Py_XDECREF(lines);
    PyErr_Clear();
}

static void take_error(char **error)
{
    PyObject *text = describe_exception("describe");
    const char *s = text ? PyUnicode_AsUTF8(text) : NULL;
    *error = xstrdup(s ? s : "unknown error");
    Py_XDECREF(text);
    PyErr_Clear();
}

/* ---- start ---- */

/* From a build folder the source tree's package, else the installed one. */
static void package_directory(char *to, size_t cap)
{
    char marker[PATH_MAX];
    snprintf(marker, sizeof(marker), "%s/config.status", util_exe_dir());
    snprintf(to, cap, "%s", access(marker, F_OK) == 0 ? SMSCD_SRCDIR "/pyshim" : SMSCD_PKGDATADIR "/python");
}

static PyStatus initialize(void)
{
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    config.parse_argv = 0;
    config.use_environment = 0;
    config.buffered_stdio = 0;
    PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, SMSCD_PYTHON);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

static PyObject *string_list(char **strings, size_t n)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *s = PyUnicode_DecodeFSDefault(strings[i]);
        if (!s || PyList_Append(list, s) < 0)
            Py_CLEAR(list);
        Py_XDECREF(s);
    }
    return list;
}

static int start_runtime(void)
{
    const struct conf *conf = py_gateway->conf;
    char directory[PATH_MAX];
    package_directory(directory, sizeof(directory));
    PyObject *path = PySys_GetObject("path"), *item = PyUnicode_DecodeFSDefault(directory);
    if (!path || !item || PyList_Insert(path, 0, item) < 0)
        return -1;
    Py_DECREF(item);
    runtime = PyImport_ImportModule("siphon._runtime");
    PyObject *paths = string_list(conf->python_path, conf->python_path_count);
    if (!runtime || !paths)
        return -1;
    py_asyncio_loop = PyObject_CallMethod(runtime, "start", "Os", paths, conf->venv ? conf->venv : "");
    Py_DECREF(paths);
    if (!py_asyncio_loop)
        return -1;
    return py_loop_init(py_asyncio_loop) < 0 || py_task_init(py_asyncio_loop) < 0 ? -1 : 0;
}

int py_host_start(struct gateway *gateway, char **error)
{
    py_gateway = gateway;
    if (PyImport_AppendInittab("_siphon", PyInit__siphon) < 0) {
        *error = xstrdup("no memory for the interpreter");
        return -1;
    }
    PyStatus status = initialize();
    if (PyStatus_Exception(status)) {
        *error = xasprintf("Python does not start: %s", status.err_msg ? status.err_msg : "?");
        return -1;
    }
    if (start_runtime() < 0) {
        take_error(error);
        return -1;
    }
    return 0;
}

int py_host_load(char **error)
{
    PyObject *r = PyObject_CallMethod(runtime, "load", NULL);
    if (!r) {
        take_error(error);
        return -1;
    }
    Py_DECREF(r);
    return 0;
}

void py_host_run(void)
{
    PyObject *r = PyObject_CallMethod(py_asyncio_loop, "run_forever", NULL);
    if (!r)
        py_log_exception("asyncio");
    Py_XDECREF(r);
    r = PyObject_CallMethod(runtime, "finish", NULL);
    if (!r)
        py_log_exception("asyncio");
    Py_XDECREF(r);
}

void py_host_stop(void)
{
    Py_XDECREF(PyObject_CallMethod(py_asyncio_loop, "stop", NULL));
    PyErr_Clear();
}

unsigned py_host_busy(void)
{
    PyObject *n = PyObject_CallMethod(runtime, "busy", NULL);
    long count = n ? PyLong_AsLong(n) : 0;
    Py_XDECREF(n);
    PyErr_Clear();
    return py_task_count() + (count > 0 ? (unsigned)count : 0);
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
    PyObject *r = PyObject_CallMethod(runtime, "session_event", "sO", event, py_session_object(session));
    if (!r)
        py_log_exception("on_session");
    Py_XDECREF(r);
}
