/* Runs handlers as asyncio tasks without making a task for one that does not suspend: its first step runs under an idle
 * real task; only when it suspends does it move into that task for good. */
#include "py_int.h"

#include <utlist.h>

#include "log.h"
#include "py_gate.h"

#define PARKED_MAX 32

enum carrier_state {
    FRESH,  /* its task has not had its first step yet */
    PARKED, /* its task waits for the gate */
    HANDED, /* has a coroutine and what that yielded; its task has not woken yet */
    RUNNING,
    DONE
};

/* The coroutine of an idle task, which becomes the carrier of a handler's coroutine. */
typedef struct carrier {
    PyObject_HEAD
    enum carrier_state state;
    PyObject *task;
    Gate *gate;
    PyObject *coro, *yielded, *context;
    py_task_done_fn *done; /* NULL once called */
    void *arg;
    double deadline;
    Py_ssize_t kept; /* references to the task that the handler's steps took and did not give back */
    bool timed;      /* is in the list of deadlines */
    struct carrier *prev, *next;
} Carrier;

static PyTypeObject Carrier_type;

static PyObject *loop_object, *task_class, *enter_task, *leave_task, *cancelled_error, *base_context;
static PyObject *name_loop, *name_blocking, *name_callbacks, *name_throw, *name_cancel, *name_must_cancel,
    *name_cancelling, *name_time, *name_call_later;
static Carrier *parked[PARKED_MAX];
static unsigned parked_count, suspended_count;
static PyObject *current;   /* the task whose step runs now, borrowed; NULL outside */
static Carrier *deadlines;  /* in the order of their ends, as the timeout is the same for all */
static bool deadline_armed; /* asyncio is to call on_deadline */
static PyObject *deadline_callback;

/* ---- the end of a handler ---- */

static double loop_time(void)
{
    PyObject *now = PyObject_CallMethodNoArgs(loop_object, name_time);
    double seconds = now ? PyFloat_AsDouble(now) : 0;
    Py_XDECREF(now);
    return seconds;
}

/* One timer of asyncio's for the first deadline, whatever the number of handlers. */
static void deadline_arm(void)
{
    if (!deadlines || deadline_armed)
        return;
    double left = deadlines->deadline - loop_time();
    PyObject *seconds = PyFloat_FromDouble(left > 0 ? left : 0);
    PyObject *handle =
        seconds ? PyObject_CallMethodObjArgs(loop_object, name_call_later, seconds, deadline_callback, NULL) : NULL;
    deadline_armed = handle != NULL;
    if (!handle)
        py_log_exception("handler timeout");
    Py_XDECREF(handle);
    Py_XDECREF(seconds);
}

static void deadline_remove(Carrier *c)
{
    if (c->timed) {
        c->timed = false;
        DL_DELETE(deadlines, c);
        Py_DECREF(c);
    }
}

/* Tells the owner, once. result NULL: an exception is set, and is cleared by this. */
static void tell(Carrier *c, PyObject *result)
{
    py_task_done_fn *done = c->done;
    c->done = NULL;
    if (done)
        done(c->arg, result);
    PyErr_Clear();
}

static void finish(Carrier *c)
{
    deadline_remove(c);
    suspended_count--;
    c->state = DONE;
    Py_CLEAR(c->coro);
    Py_CLEAR(c->yielded);
    Py_CLEAR(c->context);
    Py_CLEAR(c->task);
}

/* Those that are over their time: their owner is told now, and the coroutine gets a cancel. */
static PyObject *on_deadline(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    double now = loop_time();
    deadline_armed = false;
    while (deadlines && deadlines->deadline <= now) {
        Carrier *c = (Carrier *)Py_NewRef((PyObject *)deadlines);
        deadline_remove(c);
        PyErr_SetString(PyExc_TimeoutError, "the handler did not end within handler_timeout_ms");
        tell(c, NULL);
        PyObject *r = c->task ? PyObject_CallMethodNoArgs(c->task, name_cancel) : Py_NewRef(Py_None);
        if (!r)
            py_log_exception("handler timeout");
        Py_XDECREF(r);
        Py_DECREF(c);
    }
    deadline_arm();
    Py_RETURN_NONE;
}

static PyMethodDef deadline_method = {"on_deadline", on_deadline, METH_NOARGS, NULL};

/* ---- Carrier: what the task steps ---- */

static bool has_callbacks(PyObject *task)
{
    PyObject *callbacks = PyObject_GetAttr(task, name_callbacks);
    bool any = callbacks && callbacks != Py_None;
    if (!callbacks)
        PyErr_Clear();
    Py_XDECREF(callbacks);
    return any;
}

static long cancels_asked(PyObject *task)
{
    PyObject *n = PyObject_CallMethodNoArgs(task, name_cancelling);
    long cancelling = n ? PyLong_AsLong(n) : 0;
    Py_XDECREF(n);
    PyErr_Clear();
    return cancelling;
}

/* Whether the task is as it was before the handler: nobody has kept it, awaits it, or has cancelled it. */
static bool is_untouched(const Carrier *c)
{
    return c->kept == 0 && !has_callbacks(c->task) && cancels_asked(c->task) == 0;
}

/* The task of a handler that has ended waits for another one. false: there are enough, or no memory. */
static bool park_again(Carrier *c)
{
    Gate *gate = parked_count < PARKED_MAX ? py_gate_new() : NULL;
    if (!gate) {
        PyErr_Clear();
        return false;
    }
    deadline_remove(c);
    suspended_count--;
    Py_CLEAR(c->coro);
    Py_CLEAR(c->yielded);
    Py_CLEAR(c->context);
    c->gate = gate;
    c->state = PARKED;
    parked[parked_count++] = (Carrier *)Py_NewRef((PyObject *)c);
    return true;
}

/* The coroutine returned (value, stolen) or raised (value NULL, exception set). */
static PySendResult carrier_ended(Carrier *c, PyObject *value, PyObject **result)
{
    bool cancelled = !value && PyErr_ExceptionMatches(cancelled_error);
    bool again = value && is_untouched(c);
    tell(c, value);
    Py_XDECREF(value);
    if (again && park_again(c)) {
        *result = Py_NewRef((PyObject *)c->gate);
        return PYGEN_NEXT;
    }
    finish(c);
    if (cancelled) {
        PyErr_SetNone(cancelled_error);
        return PYGEN_ERROR;
    }
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

static bool must_cancel(PyObject *task)
{
    PyObject *flag = task ? PyObject_GetAttr(task, name_must_cancel) : NULL;
    bool set = flag == Py_True;
    Py_XDECREF(flag);
    PyErr_Clear();
    return set;
}

static PySendResult carrier_resume(Carrier *c, PyObject *arg, PyObject **result)
{
    PyObject *value = NULL, *before = current;
    if (PyContext_Enter(c->context) < 0)
        return PYGEN_ERROR;
    current = c->task;
    Py_ssize_t references = Py_REFCNT(c->task);
    PySendResult r = PyIter_Send(c->coro, arg, &value);
    c->kept += Py_REFCNT(c->task) - references;
    py_end_if_forked();
    current = before;
    PyContext_Exit(c->context);
    if (r == PYGEN_NEXT) {
        *result = value;
        return PYGEN_NEXT;
    }
    if (r == PYGEN_RETURN && must_cancel(c->task)) {
        Py_CLEAR(value); /* as a task that was cancelled during its last step */
        PyErr_SetNone(cancelled_error);
    }
    return carrier_ended(c, value, result);
}

static PySendResult carrier_send(Carrier *c, PyObject *arg, PyObject **result)
{
    switch (c->state) {
    case FRESH:
        c->state = PARKED;
        c->gate = py_gate_new();
        *result = Py_XNewRef((PyObject *)c->gate);
        return c->gate ? PYGEN_NEXT : PYGEN_ERROR;
    case HANDED:
        c->state = RUNNING;
        Py_CLEAR(c->gate);
        *result = c->yielded;
        c->yielded = NULL;
        return PYGEN_NEXT;
    case RUNNING:
        return carrier_resume(c, arg, result);
    case PARKED:
    case DONE:
        break;
    }
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

/* What an asyncio.Task's own cancel does to the future it waits for: true when that took it, so that the task is to go
 * on waiting. */
static int cancel_yielded(PyObject *yielded)
{
    PyObject *blocking = PyObject_GetAttr(yielded, name_blocking);
    if (!blocking) {
        PyErr_Clear();
        return 0;
    }
    int waits = blocking == Py_True;
    Py_DECREF(blocking);
    if (!waits)
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
    PyObject *before = current, *method = PyObject_GetAttr(c->coro, name_throw);
    if (!method || PyContext_Enter(c->context) < 0) {
        Py_XDECREF(method);
        return NULL;
    }
    current = c->task;
    Py_ssize_t references = Py_REFCNT(c->task);
    PyObject *value = PyObject_CallObject(method, args);
    c->kept += Py_REFCNT(c->task) - references;
    py_end_if_forked();
    current = before;
    PyContext_Exit(c->context);
    Py_DECREF(method);
    if (value)
        return value; /* it goes on waiting, for this */
    PyObject *returned = stop_iteration_value(), *result = NULL;
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
    if (c->state == RUNNING)
        return throw_into_coro(c, args);
    c->state = DONE;
    PyErr_SetNone(cancelled_error); /* an idle task that was cancelled */
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
    if (c->state == HANDED || c->state == RUNNING)
        suspended_count--;
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

/* ---- idle tasks ---- */

static Carrier *carrier_new(void)
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

static Carrier *carrier_take(void)
{
    while (parked_count > 0) {
        Carrier *c = parked[--parked_count];
        if ((c->state == FRESH || c->state == PARKED) && !(c->gate && c->gate->cancelled))
            return c;
        Py_DECREF(c); /* somebody cancelled all tasks */
    }
    return carrier_new();
}

/* A cancel() that the handler sent to itself and that no await has taken. */
static bool cancel_pending(Carrier *c)
{
    if (c->gate ? !c->gate->cancelled : c->state != FRESH)
        return false;
    return cancels_asked(c->task) > 0;
}

/* After a handler that did not suspend: the task goes back, or, when the handler left a trace on it, ends like one that
 * ran the handler. Takes the reference. */
static void carrier_put_back(Carrier *c, bool touched)
{
    if (!touched && parked_count < PARKED_MAX) {
        parked[parked_count++] = c;
        return;
    }
    c->state = DONE;
    Py_CLEAR(c->task);
    PyObject *r = c->gate ? py_gate_open(c->gate) : NULL;
    if (!r && PyErr_Occurred())
        py_log_exception("task");
    Py_XDECREF(r);
    Py_CLEAR(c->gate);
    Py_DECREF(c);
}

static void carrier_hand_over(Carrier *c, PyObject *coro, PyObject *yielded, PyObject *context, unsigned timeout_ms)
{
    bool wake = c->state == PARKED;
    c->coro = coro;
    c->yielded = yielded;
    c->context = context;
    c->state = HANDED;
    suspended_count++;
    if (timeout_ms) {
        c->deadline = loop_time() + timeout_ms / 1e3;
        c->timed = true;
        Py_INCREF(c);
        DL_APPEND(deadlines, c);
        deadline_arm();
    }
    PyObject *r = wake && c->gate ? py_gate_open(c->gate) : Py_NewRef(Py_None);
    if (!r)
        py_log_exception("task");
    Py_XDECREF(r);
    Py_DECREF(c); /* its task holds it now */
}

/* ---- running ---- */

static int task_switch(PyObject *function, PyObject *task)
{
    PyObject *args[] = {loop_object, task};
    PyObject *r = PyObject_Vectorcall(function, args, 2, NULL);
    Py_XDECREF(r);
    return r ? 0 : -1;
}

/* The call and the first step. PYGEN_NEXT: *coro goes on (owned), with *value what it waits for. */
static PySendResult first_step(PyObject *callable, PyObject *const *args, size_t nargs, PyObject **coro,
                               PyObject **value)
{
    PyObject *made = PyObject_Vectorcall(callable, args, nargs, NULL);
    if (!made)
        return PYGEN_ERROR;
    if (!PyCoro_CheckExact(made)) {
        PyAsyncMethods *am = Py_TYPE(made)->tp_as_async;
        if (!am || !am->am_await) {
            *value = made; /* a plain def */
            return PYGEN_RETURN;
        }
        PyObject *iterator = am->am_await(made);
        Py_DECREF(made);
        made = iterator;
        if (!made)
            return PYGEN_ERROR;
    }
    PySendResult r = PyIter_Send(made, Py_None, value);
    if (r == PYGEN_NEXT)
        *coro = made;
    else
        Py_DECREF(made);
    return r;
}

bool py_task_run(PyObject *callable, PyObject *const *args, size_t nargs, unsigned timeout_ms, py_task_done_fn *done,
                 void *arg)
{
    PyObject *coro = NULL, *value = NULL, *outer = current;
    PyObject *context = PyContext_Copy(base_context);
    Carrier *c = context ? carrier_take() : NULL;
    if (!c) {
        Py_XDECREF(context);
        done(arg, NULL);
        return false;
    }
    Py_ssize_t references = Py_REFCNT(c->task);
    /* A handler that is started from within another's step must not see that one's task. */
    if ((outer && task_switch(leave_task, outer) < 0) || task_switch(enter_task, c->task) < 0 ||
        PyContext_Enter(context) < 0)
        Py_FatalError("asyncio's current task is not what it should be");
    current = c->task;
    PySendResult r = first_step(callable, args, nargs, &coro, &value);
    py_end_if_forked();
    current = outer;
    PyObject *type = NULL, *exception = NULL, *traceback = NULL;
    if (r == PYGEN_ERROR)
        PyErr_Fetch(&type, &exception, &traceback);
    PyContext_Exit(context);
    if (task_switch(leave_task, c->task) < 0 || (outer && task_switch(enter_task, outer) < 0))
        Py_FatalError("asyncio's current task is not what it should be");
    if (r == PYGEN_NEXT) {
        c->done = done;
        c->arg = arg;
        c->kept = Py_REFCNT(c->task) - references;
        carrier_hand_over(c, coro, value, context, timeout_ms);
        return true;
    }
    Py_DECREF(context);
    if (r == PYGEN_RETURN && cancel_pending(c)) {
        Py_CLEAR(value);
        PyErr_SetNone(cancelled_error);
    } else if (r == PYGEN_ERROR) {
        PyErr_Restore(type, exception, traceback);
    }
    bool touched = Py_REFCNT(c->task) != references || (c->gate && c->gate->cancelled) || has_callbacks(c->task);
    done(arg, value);
    PyErr_Clear();
    Py_XDECREF(value);
    carrier_put_back(c, touched);
    return false;
}

unsigned py_task_count(void)
{
    return suspended_count;
}

int py_task_init(PyObject *loop)
{
    loop_object = loop;
    deadline_armed = false; /* an earlier loop's timer is gone with it */
    PyObject *asyncio = PyImport_ImportModule("asyncio"), *tasks = PyImport_ImportModule("asyncio.tasks");
    if (!asyncio || !tasks || py_gate_init(loop) < 0 || PyType_Ready(&Carrier_type) < 0)
        return -1;
    task_class = PyObject_GetAttrString(asyncio, "Task");
    cancelled_error = PyObject_GetAttrString(asyncio, "CancelledError");
    enter_task = PyObject_GetAttrString(tasks, "_enter_task");
    leave_task = PyObject_GetAttrString(tasks, "_leave_task");
    base_context = PyContext_New();
    name_loop = PyUnicode_InternFromString("loop");
    name_blocking = PyUnicode_InternFromString("_asyncio_future_blocking");
    name_callbacks = PyUnicode_InternFromString("_callbacks");
    name_throw = PyUnicode_InternFromString("throw");
    name_cancel = PyUnicode_InternFromString("cancel");
    name_must_cancel = PyUnicode_InternFromString("_must_cancel");
    name_cancelling = PyUnicode_InternFromString("cancelling");
    name_time = PyUnicode_InternFromString("time");
    name_call_later = PyUnicode_InternFromString("call_later");
    deadline_callback = PyCFunction_New(&deadline_method, NULL);
    Py_DECREF(asyncio);
    Py_DECREF(tasks);
    return PyErr_Occurred() ? -1 : 0;
}
