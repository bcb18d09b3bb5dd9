/* The _siphon module: what pyshim/siphon is built on. */
#include "py_int.h"

#include <stdlib.h>

#include "log.h"

static PyObject *module_prefix(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyUnicode_FromString(py_gateway->conf->redis.prefix);
}

static PyObject *module_script(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyUnicode_DecodeFSDefault(py_gateway->conf->script);
}

static PyObject *module_log_fd(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromLong(log_fd());
}

/* log(level: int, text: str) */
static PyObject *module_log(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    long level = n == 2 ? PyLong_AsLong(args[0]) : -1;
    if (level < LOG_DEBUG_ || level > LOG_ERROR_ || !PyUnicode_Check(args[1])) {
        PyErr_Clear();
        PyErr_SetString(PyExc_TypeError, "log(level: 0-3, text: str)");
        return NULL;
    }
    if (!log_enabled((enum log_level)level))
        Py_RETURN_NONE;
    PyObject *octets = PyUnicode_AsEncodedString(args[1], "utf-8", "backslashreplace");
    if (!octets)
        return NULL;
    log_line((enum log_level)level, "script", "%s", PyBytes_AS_STRING(octets));
    Py_DECREF(octets);
    Py_RETURN_NONE;
}

/* count(name: str, n: int = 1) */
static PyObject *module_count(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    long by = n == 2 ? PyLong_AsLong(args[1]) : 1;
    if (n < 1 || n > 2 || !PyUnicode_Check(args[0]) || by < 0) {
        PyErr_SetString(PyExc_TypeError, "count(name: str, n: int = 1)");
        return NULL;
    }
#define X(name, help)                                                                                                  \
    if (PyUnicode_CompareWithASCIIString(args[0], #name) == 0) {                                                       \
        stats_add(&py_gateway->stats->name, (uint64_t)by);                                                             \
        Py_RETURN_NONE;                                                                                                \
    }
    STATS_COUNTERS(X)
#undef X
    return PyErr_Format(PyExc_ValueError, "no counter %R", args[0]);
}

#define FAST(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef methods[] = {
    {"register", FAST(py_register), METH_FASTCALL, "register(kind, name, handler)"},
    {"registered", py_registered, METH_O, "registered(kind) -> handler | list | None"},
    {"begin_load", py_begin_load, METH_NOARGS, "begin_load()"},
    {"end_load", py_end_load, METH_O, "end_load(ok)"},
    {"send_bind", FAST(py_send_bind), METH_FASTCALL,
     "send_bind(command, bind, fields, timeout) -> awaitable of the response"},
    {"send_session", FAST(py_send_session), METH_FASTCALL,
     "send_session(command, session_id, system_id, fields, timeout) -> awaitable of the response"},
    {"submit_remembered", FAST(py_submit_remembered), METH_FASTCALL,
     "submit_remembered(fields, timeout, bind, text, ttl_ms, on_late) -> awaitable of (response, found)"},
    {"receipt_key", FAST(py_receipt_key), METH_FASTCALL, "receipt_key(bind, message_id, of_receipt) -> str"},
    {"make_session", FAST(py_make_session), METH_VARARGS | METH_KEYWORDS, "make_session(**row) -> Session"},
    {"redis", FAST(py_redis), METH_FASTCALL, "redis(*args) -> awaitable of the reply"},
    {"redis_forget", FAST(py_redis_forget), METH_FASTCALL, "redis_forget(*args)"},
    {"config", py_config, METH_NOARGS, "config() -> dict"},
    {"prefix", module_prefix, METH_NOARGS, "prefix() -> str"},
    {"script", module_script, METH_NOARGS, "script() -> str"},
    {"log_fd", module_log_fd, METH_NOARGS, "log_fd() -> int"},
    {"log", FAST(module_log), METH_FASTCALL, "log(level, text)"},
    {"count", FAST(module_count), METH_FASTCALL, "count(name, n=1)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_siphon",  .m_doc = "smscd's own side of the siphon package. Not for scripts.",
    .m_size = -1,          .m_methods = methods,
};

PyMODINIT_FUNC PyInit__siphon(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
    if (py_exceptions_add(module) < 0 || py_types_add(module) < 0 || py_pdu_add(module) < 0 ||
        py_reply_add(module) < 0 || py_resp_add(module) < 0 || py_alert_add(module) < 0 || py_fields_init() < 0 ||
        py_module_more(module) < 0)
        Py_CLEAR(module);
    return module;
}
