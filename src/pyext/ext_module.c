/* The part of the _siphon module that only tests have: siphon_sdk is built on it. */
#include "ext.h"

static PyObject *module_configure(PyObject *module, PyObject *dict)
{
    (void)module;
    if (!PyDict_Check(dict))
        return PyErr_Format(PyExc_TypeError, "a configuration is a dict, not %s", Py_TYPE(dict)->tp_name);
    struct conf *conf = ext_conf_from(dict);
    if (!conf)
        return NULL;
    struct conf *old = (struct conf *)(uintptr_t)ext_gateway.conf;
    ext_gateway.conf = conf;
    conf_free(&old);
    Py_RETURN_NONE;
}

/* start(loop, hooks): from here on everything runs on that loop, and hooks carries out what scripts ask for. */
static PyObject *module_start(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *loop, *hooks;
    if (!PyArg_ParseTuple(args, "OO", &loop, &hooks))
        return NULL;
    if (!py_runtime && !(py_runtime = PyImport_ImportModule("siphon._runtime")))
        return NULL;
    ext_gateway_reset();
    Py_XSETREF(py_asyncio_loop, Py_NewRef(loop));
    Py_XSETREF(ext_hooks, Py_NewRef(hooks));
    return py_task_init(py_asyncio_loop) < 0 ? NULL : Py_NewRef(Py_None);
}

/* stop(): the test is over; its object is let go. The loop has been emptied before. */
static PyObject *module_stop(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    ext_gateway_reset();
    Py_CLEAR(ext_hooks);
    Py_RETURN_NONE;
}

/* resume(): handlers whose sends and Redis commands have ended go on. */
static PyObject *module_resume(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    py_resume_all();
    Py_RETURN_NONE;
}

static PyMethodDef resume_method = {"resume", module_resume, METH_NOARGS, NULL};

void py_resume_wanted(void)
{
    PyObject *resume = PyCFunction_New(&resume_method, NULL);
    PyObject *handle = resume ? PyObject_CallMethod(py_asyncio_loop, "call_soon", "O", resume) : NULL;
    if (!handle)
        py_log_exception("resume");
    Py_XDECREF(handle);
    Py_XDECREF(resume);
}

static PyObject *module_statuses(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
#define X(name, ...) #name,
    static const char *const names[] = {SMPP_STATUSES(X)};
#undef X
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < sizeof(names) / sizeof(names[0]); i++) {
        PyObject *name = PyUnicode_FromString(names[i]);
        if (!name || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

/* counters() -> dict: what a worker counts. */
static PyObject *module_counters(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
#define X(name, help) #name, (unsigned long long)stats_read(&ext_gateway.stats->name),
#define F(name, help) "sK"
    return Py_BuildValue("{" STATS_COUNTERS(F) "}", STATS_COUNTERS(X) NULL);
#undef F
#undef X
}

static PyObject *module_busy(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(py_task_count());
}

static PyMethodDef methods[] = {
    {"configure", module_configure, METH_O, "configure(dict)"},
    {"start", module_start, METH_VARARGS, "start(loop, hooks)"},
    {"stop", module_stop, METH_NOARGS, "stop()"},
    {"statuses", module_statuses, METH_NOARGS, "statuses() -> list[str]"},
    {"counters", module_counters, METH_NOARGS, "counters() -> dict"},
    {"encode", ext_encode, METH_VARARGS, "encode(command, status, sequence_number, fields) -> bytes"},
    {"encode_reply", ext_encode_reply, METH_VARARGS, "encode_reply(raw, reply) -> bytes"},
    {"busy", module_busy, METH_NOARGS, "busy() -> int: handlers that have suspended and not ended"},
    {"decode", ext_decode, METH_O, "decode(raw) -> dict"},
    {"pdu", ext_pdu, METH_O, "pdu(raw) -> Pdu | AlertNotification"},
    {"resp", ext_resp, METH_VARARGS, "resp(command, raw) -> SmppResp | QueryResp"},
    {"fields", ext_fields, METH_O, "fields(command) -> tuple"},
    {"bind", ext_make_bind, METH_VARARGS, "bind(raw, client_addr) -> Bind"},
    {"session", (PyCFunction)(void (*)(void))ext_session, METH_VARARGS | METH_KEYWORDS, "session(**info) -> Session"},
    {"call_pdu", ext_call_pdu, METH_VARARGS, "call_pdu(raw, session, on_answer) -> bool"},
    {"call_bind", ext_call_bind, METH_VARARGS, "call_bind(raw, client_addr, on_answer)"},
    {"call_session", ext_call_session, METH_VARARGS, "call_session(event, session)"},
    {"outcome", ext_outcome, METH_VARARGS, "outcome(id, outcome, sent, resp)"},
    {"redis_reply", ext_redis_reply, METH_VARARGS, "redis_reply(id, value, error, away)"},
    {NULL, NULL, 0, NULL},
};

static int add_outcomes(PyObject *module)
{
    return PyModule_AddIntConstant(module, "RESPONSE", MSG_RESPONSE) < 0 ||
                   PyModule_AddIntConstant(module, "WINDOW_FULL", MSG_WINDOW_FULL) < 0 ||
                   PyModule_AddIntConstant(module, "TIMEOUT", MSG_TIMEOUT) < 0 ||
                   PyModule_AddIntConstant(module, "GONE", MSG_GONE) < 0 ||
                   PyModule_AddIntConstant(module, "REFUSED", MSG_REFUSED) < 0 ||
                   PyModule_AddIntConstant(module, "BIND_DOWN", MSG_BIND_DOWN) < 0 ||
                   PyModule_AddIntConstant(module, "NO_SESSION", MSG_NO_SESSION) < 0
               ? -1
               : 0;
}

/* What a script may ask before anything was started finds the defaults. */
static int configure_defaults(PyObject *module)
{
    PyObject *dict = Py_BuildValue("{ss}", "script", "script.py");
    PyObject *r = dict ? module_configure(module, dict) : NULL;
    Py_XDECREF(dict);
    Py_XDECREF(r);
    py_gateway = &ext_gateway;
    return r ? 0 : -1;
}

int py_module_more(PyObject *module)
{
    return PyModule_AddFunctions(module, methods) < 0 || configure_defaults(module) < 0 ? -1 : add_outcomes(module);
}
