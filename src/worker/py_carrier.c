/* The carrier of a handler's coroutine inside a task that was made before. */
#include "py_carrier.h"

static PyTypeObject Carrier_type;
static PyObject *loop_object, *task_class;
static PyObject *name_loop, *name_blocking, *name_callbacks, *name_throw, *name_cancel, *name_must_cancel,
    *name_cancelling;
PyObject *py_current_task;

void py_carrier_tell(Carrier *c, PyObject *result)
{
    py_task_done_fn *done = c->done;
    c->done = NULL;
    if (done)
        done(c->arg, result);
    PyErr_Clear();
}

void py_carrier_let_go(Carrier *c)
{
    py_task_ended(c);
    Py_CLEAR(c->coro);
    Py_CLEAR(c->yielded);
    Py_CLEAR(c->context);
}

static void finish(Carrier *c)
{
    py_carrier_let_go(c);
    c->state = DONE;
    Py_CLEAR(c->task);
}

static bool has_attributes(PyObject *task)
{
    PyObject **dict = _PyObject_GetDictPtr(task);
    return dict && *dict && PyDict_GET_SIZE(*dict) > 0;
}

bool py_carrier_is_marked(PyObject *task)
{
    PyObject *callbacks = PyObject_GetAttr(task, name_callbacks);
    bool any = callbacks && callbacks != Py_None;
    if (!callbacks)
        PyErr_Clear();
    Py_XDECREF(callbacks);
    return any || has_attributes(task);
}

long py_carrier_cancels(PyObject *task)
{
    PyObject *n = PyObject_CallMethodNoArgs(task, name_cancelling);
    long cancelling = n ? PyLong_AsLong(n) : 0;
    Py_XDECREF(n);
    PyErr_Clear();
    return cancelling;
}

bool py_carrier_is_untouched(const Carrier *c)
{
    return c->kept == 0 && !py_carrier_is_marked(c->task) && py_carrier_cancels(c->task) == 0;
}

/* The task of a handler that has ended waits for another one. false: there are enough, or no memory. */
static bool park_again(Carrier *c)
{
    Wait *gate = py_wait_new();
    if (!gate || !py_task_park(c)) {
        PyErr_Clear();
        Py_XDECREF((PyObject *)gate);
        return false;
    }
    py_carrier_let_go(c);
    c->gate = gate;
    c->state = PARKED;
    return true;
}

/* The coroutine returned (value, stolen) or raised (value NULL, exception set). */
static PySendResult carrier_ended(Carrier *c, PyObject *value, PyObject **result)
{
    bool cancelled = !value && PyErr_ExceptionMatches(py_cancelled_error);
    bool again = value && py_carrier_is_untouched(c);
    py_carrier_tell(c, value);
    Py_XDECREF(value);
    if (again && park_again(c)) {
        *result = Py_NewRef((PyObject *)c->gate);
        return PYGEN_NEXT;
    }
    finish(c);
    if (cancelled) {
        PyErr_SetNone(py_cancelled_error);
        return PYGEN_ERROR;
    }
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

bool py_carrier_must_cancel(PyObject *task)
{
    PyObject *flag = task ? PyObject_GetAttr(task, name_must_cancel) : NULL;
    bool set = flag == Py_True;
    Py_XDECREF(flag);
    PyErr_Clear();
    return set;
}

bool py_carrier_is_cancelled(const Carrier *c)
{
    return c->gate ? c->gate->state == WAIT_CANCELLED : py_carrier_must_cancel(c->task);
}

void py_carrier_wake(Carrier *c)
{
    if (c->gate)
        py_wait_end(c->gate, Py_NewRef(Py_None));
}

void py_carrier_await(Carrier *c, PyObject *wait)
{
    Wait *w = (Wait *)wait;
    c->state = WAITING;
    c->yielded = wait;
    w->carrier = (Carrier *)Py_NewRef((PyObject *)c);
}

/* What its task is to await for what the coroutine has yielded (stolen): that, or idle again until a Wait has ended. */
static PyObject *awaited(Carrier *c, PyObject *value)
{
    Wait *gate = py_wait_is_open(value) ? py_wait_new() : NULL;
    if (!gate) {
        PyErr_Clear();
        return value;
    }
    c->gate = gate;
    py_carrier_await(c, value);
    return Py_NewRef((PyObject *)gate);
}

/* The result of a task that was cancelled during its last step does not count. */
static void drop_if_cancelled(Carrier *c, PyObject **value)
{
    if (py_carrier_must_cancel(c->task)) {
        Py_CLEAR(*value);
        PyErr_SetNone(py_cancelled_error);
    }
}

static PySendResult carrier_resume(Carrier *c, PyObject *arg, PyObject **result)
{
    PyObject *value = NULL, *before = py_current_task;
    if (PyContext_Enter(c->context) < 0)
        return PYGEN_ERROR;
    py_current_task = c->task;
    Py_ssize_t references = Py_REFCNT(c->task);
    PySendResult r = PyIter_Send(c->coro, arg, &value);
    c->kept += Py_REFCNT(c->task) - references;
    py_end_if_forked();
    py_current_task = before;
    PyContext_Exit(c->context);
    if (r == PYGEN_NEXT) {
        *result = awaited(c, value);
        return PYGEN_NEXT;
    }
    if (r == PYGEN_RETURN)
        drop_if_cancelled(c, &value);
    return carrier_ended(c, value, result);
}

/* The first step of its task, perhaps with a handler already. */
static PySendResult idle(Carrier *c, PyObject **result)
{
    c->state = c->state == FRESH ? PARKED : c->state;
    c->gate = py_wait_new();
    *result = Py_XNewRef((PyObject *)c->gate);
    return c->gate ? PYGEN_NEXT : PYGEN_ERROR;
}

/* A future says that it is awaited until the task has taken it, and nobody else can await it so long. False when it is
 * none. */
static bool set_awaited(PyObject *yielded, PyObject *whether)
{
    PyObject *blocking = PyObject_GetAttr(yielded, name_blocking);
    bool is_future = blocking && PyBool_Check(blocking) && PyObject_SetAttr(yielded, name_blocking, whether) == 0;
    PyErr_Clear();
    Py_XDECREF(blocking);
    return is_future;
}

void py_carrier_hand_over(Carrier *c, PyObject *value)
{
    set_awaited(value, Py_False);
    c->yielded = value;
    c->state = HANDED;
    py_carrier_wake(c);
}

static PySendResult carrier_send(Carrier *c, PyObject *arg, PyObject **result)
{
    switch (c->state) {
    case FRESH:
    case WAITING:
        return idle(c, result);
    case HANDED:
        c->state = RUNNING;
        Py_CLEAR(c->gate);
        *result = c->yielded;
        c->yielded = NULL;
        set_awaited(*result, Py_True);
        return PYGEN_NEXT;
    case RUNNING:
        return carrier_resume(c, arg, result);
    case PARKED:
    case DONE:
        break;
    }
    if (c->cancelled) {
        PyErr_SetNone(py_cancelled_error);
        return PYGEN_ERROR;
    }
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

/* What an asyncio.Task's own cancel does to the future it waits for: true when that took it, so that the task is to go
 * on waiting. */
static int cancel_yielded(PyObject *yielded)
{
    if (!set_awaited(yielded, Py_True))
        return 0;
    PyObject *r = PyObject_CallMethodNoArgs(yielded, name_cancel);
    int taken = r ? PyObject_IsTrue(r) : -1;
    Py_XDECREF(r);
    if (taken == 0 && PyObject_SetAttr(yielded, name_blocking, Py_False) < 0)
        return -1;
    return taken;
}

static PyObject *stop_iteration_value(void)
{
    PyObject *type, *value, *traceback, *result;
    if (!PyErr_ExceptionMatches(PyExc_StopIteration))
        return NULL;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    result = PyObject_GetAttrString(value, "value");
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return result;
}

static PyObject *throw_into_coro(Carrier *c, PyObject *args)
{
    PyObject *before = py_current_task, *method = PyObject_GetAttr(c->coro, name_throw);
    if (!method || PyContext_Enter(c->context) < 0) {
        Py_XDECREF(method);
        return NULL;
    }
    py_current_task = c->task;
    Py_ssize_t references = Py_REFCNT(c->task);
    PyObject *value = PyObject_CallObject(method, args);
    c->kept += Py_REFCNT(c->task) - references;
    py_end_if_forked();
    py_current_task = before;
    PyContext_Exit(c->context);
    Py_DECREF(method);
    if (value)
        return awaited(c, value); /* it goes on waiting, for this */
    PyObject *returned = stop_iteration_value(), *result = NULL;
    if (returned)
        drop_if_cancelled(c, &returned);
    PySendResult r = carrier_ended(c, returned, &result);
    if (r == PYGEN_NEXT)
        return result; /* it waits for another handler */
    if (r == PYGEN_RETURN) {
        Py_DECREF(result);
        PyErr_SetNone(PyExc_StopIteration);
    }
    return NULL;
}

static PyObject *carrier_throw(Carrier *c, PyObject *args)
{
    if (c->state == HANDED) {
        c->state = RUNNING;
        Py_CLEAR(c->gate);
        PyObject *yielded = c->yielded;
        c->yielded = NULL;
        int taken = cancel_yielded(yielded);
        if (taken > 0)
            return yielded;
        Py_DECREF(yielded);
        if (taken < 0)
            return NULL;
    }
    if (c->state == WAITING) {
        c->state = RUNNING;
        Py_CLEAR(c->gate);
        Py_CLEAR(((Wait *)c->yielded)->carrier); /* its outcome finds nobody; the await itself gives it up */
        Py_CLEAR(c->yielded);
    }
    if (c->state == RUNNING)
        return throw_into_coro(c, args);
    c->state = DONE;
    PyErr_SetNone(py_cancelled_error); /* an idle task that was cancelled */
    return NULL;
}

static PyObject *carrier_send_method(PyObject *self, PyObject *arg)
{
    PyObject *result = NULL;
    PySendResult r = carrier_send((Carrier *)self, arg, &result);
    if (r == PYGEN_NEXT)
        return result;
    if (r == PYGEN_RETURN) {
        Py_XDECREF(result);
        PyErr_SetNone(PyExc_StopIteration);
    }
    return NULL;
}

static PyObject *carrier_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    Carrier *c = (Carrier *)self;
    return c->coro ? PyObject_CallMethod(c->coro, "close", NULL) : Py_NewRef(Py_None);
}

static PyObject *carrier_self(PyObject *self)
{
    return Py_NewRef(self);
}

static PyObject *carrier_await(PyObject *self, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(self);
}

/* cr_frame, cr_code, cr_await, cr_running: those of the handler, for whoever prints a task. */
static PyObject *carrier_attribute(PyObject *self, void *name)
{
    Carrier *c = (Carrier *)self;
    return c->coro ? PyObject_GetAttrString(c->coro, name) : Py_NewRef(Py_None);
}

static int carrier_traverse(Carrier *c, visitproc visit, void *arg)
{
    Py_VISIT(c->task);
    Py_VISIT(c->gate);
    Py_VISIT(c->coro);
    Py_VISIT(c->yielded);
    Py_VISIT(c->context);
    return 0;
}

static int carrier_clear(Carrier *c)
{
    Py_CLEAR(c->task);
    Py_CLEAR(c->gate);
    Py_CLEAR(c->coro);
    Py_CLEAR(c->yielded);
    Py_CLEAR(c->context);
    return 0;
}

/* A handler that waits for what nobody holds is collected with it: it has not ended, but will not go on. */
static void carrier_dealloc(Carrier *c)
{
    PyObject_GC_UnTrack(c);
    if (c->state == WAITING || c->state == HANDED || c->state == RUNNING)
        py_task_ended(c);
    carrier_clear(c);
    PyObject_GC_Del(c);
}

static PyMethodDef carrier_methods[] = {
    {"send", carrier_send_method, METH_O, NULL},
    {"throw", (PyCFunction)carrier_throw, METH_VARARGS, NULL},
    {"close", carrier_close, METH_NOARGS, NULL},
    {"__await__", carrier_await, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef carrier_getset[] = {
    {"cr_frame", carrier_attribute, NULL, NULL, "cr_frame"},
    {"cr_code", carrier_attribute, NULL, NULL, "cr_code"},
    {"cr_await", carrier_attribute, NULL, NULL, "cr_await"},
    {"cr_running", carrier_attribute, NULL, NULL, "cr_running"},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyAsyncMethods carrier_async = {.am_await = carrier_self, .am_send = (sendfunc)carrier_send};

static PyTypeObject Carrier_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_siphon.Handler",
    .tp_basicsize = sizeof(Carrier),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_dealloc = (destructor)carrier_dealloc,
    .tp_traverse = (traverseproc)carrier_traverse,
    .tp_clear = (inquiry)carrier_clear,
    .tp_as_async = &carrier_async,
    .tp_methods = carrier_methods,
    .tp_getset = carrier_getset,
};

Carrier *py_carrier_new(void)
{
    Carrier *c = PyObject_GC_New(Carrier, &Carrier_type);
    if (!c)
        return NULL;
    memset((char *)c + sizeof(PyObject), 0, sizeof(*c) - sizeof(PyObject));
    PyObject_GC_Track(c);
    PyObject *args[] = {(PyObject *)c, loop_object};
    PyObject *names = PyTuple_Pack(1, name_loop);
    c->task = names ? PyObject_Vectorcall(task_class, args, 1, names) : NULL;
    Py_XDECREF(names);
    if (!c->task)
        Py_CLEAR(c);
    return c;
}

int py_carrier_init(PyObject *loop)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    if (!asyncio || py_wait_init(loop) < 0 || PyType_Ready(&Carrier_type) < 0)
        return -1;
    loop_object = loop;
    task_class = PyObject_GetAttrString(asyncio, "Task");
    name_loop = PyUnicode_InternFromString("loop");
    name_blocking = PyUnicode_InternFromString("_asyncio_future_blocking");
    name_callbacks = PyUnicode_InternFromString("_callbacks");
    name_throw = PyUnicode_InternFromString("throw");
    name_cancel = PyUnicode_InternFromString("cancel");
    name_must_cancel = PyUnicode_InternFromString("_must_cancel");
    name_cancelling = PyUnicode_InternFromString("cancelling");
    Py_DECREF(asyncio);
    return PyErr_Occurred() ? -1 : 0;
}
