/* Runs handlers as asyncio tasks without making a task for one that does not suspend: its first step runs under an idle
 * real task; only when it suspends does it move into that task for good. */
#include "py_int.h"

#include <utlist.h>

#include "log.h"
#include "py_carrier.h"

#define PARKED_MAX 1024 /* as many as messages wait for an upstream at a time; a task takes about 1 KiB */

static PyObject *loop_object, *enter_task, *leave_task, *base_context;
static PyObject *name_time, *name_call_later, *name_cancel;
static Carrier *parked[PARKED_MAX];
static unsigned parked_count, suspended_count;
static Carrier *deadlines;  /* in the order of their ends, as the timeout is the same for all */
static bool deadline_armed; /* asyncio is to call on_deadline */
static PyObject *deadline_callback;

/* ---- the time limit of handlers ---- */

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
        py_carrier_tell(c, NULL);
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

/* ---- idle tasks ---- */

void py_task_ended(Carrier *c)
{
    deadline_remove(c);
    suspended_count--;
}

bool py_task_park(Carrier *c)
{
    if (parked_count == PARKED_MAX)
        return false;
    parked[parked_count++] = (Carrier *)Py_NewRef((PyObject *)c);
    return true;
}

static Carrier *carrier_take(void)
{
    while (parked_count > 0) {
        Carrier *c = parked[--parked_count];
        if ((c->state == FRESH || c->state == PARKED) && !py_carrier_is_cancelled(c))
            return c;
        Py_DECREF(c); /* somebody cancelled all tasks */
    }
    return py_carrier_new();
}

bool py_task_cancel_pending(Carrier *c)
{
    return c->gate && c->gate->state != WAIT_CANCELLED ? false : py_carrier_cancels(c->task) > 0;
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
    py_carrier_wake(c);
    Py_CLEAR(c->gate);
    Py_DECREF(c);
}

static void deadline_set(Carrier *c, unsigned timeout_ms)
{
    if (timeout_ms == 0)
        return;
    c->deadline = loop_time() + timeout_ms / 1e3;
    c->timed = true;
    Py_INCREF(c);
    DL_APPEND(deadlines, c);
    deadline_arm();
}

/* Takes the reference to the carrier, coro, yielded and context. */
static void carrier_hand_over(Carrier *c, PyObject *coro, PyObject *yielded, PyObject *context, unsigned timeout_ms)
{
    c->coro = coro;
    c->context = context;
    suspended_count++;
    deadline_set(c, timeout_ms);
    if (py_wait_is_open(yielded))
        py_carrier_await(c, yielded);
    else
        py_carrier_hand_over(c, yielded);
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

/* The task that is current although no step runs: the next handler mostly gets the same one. Owned. */
static PyObject *resting;

void py_task_rest(void)
{
    if (resting && task_switch(leave_task, resting) < 0)
        Py_FatalError("asyncio's current task is not what it should be");
    Py_CLEAR(resting);
}

/* A handler that is started from within another's step must not see that one's task. */
void py_task_enter(PyObject *task, PyObject *context)
{
    bool is_current = resting == task;
    if (!is_current)
        py_task_rest();
    if ((py_current_task && task_switch(leave_task, py_current_task) < 0) ||
        (!is_current && task_switch(enter_task, task) < 0) || PyContext_Enter(context) < 0)
        Py_FatalError("asyncio's current task is not what it should be");
    Py_CLEAR(resting);
}

void py_task_leave(PyObject *task, PyObject *context)
{
    PyContext_Exit(context);
    resting = Py_NewRef(task);
    if (py_current_task || !py_gateway->loop) /* a test has no loop of ours, whose turn would end it */
        py_task_rest();
    if (py_current_task && task_switch(enter_task, py_current_task) < 0)
        Py_FatalError("asyncio's current task is not what it should be");
}

/* ---- contexts ---- */

static PyObject *spare_context; /* an empty one that nobody else holds */

static PyObject *context_take(void)
{
    PyObject *context = spare_context;
    spare_context = NULL;
    return context ? context : PyContext_Copy(base_context);
}

/* Takes the reference. A context in which the handler has set nothing is as good as a new one. */
static void context_put_back(PyObject *context)
{
    if (!spare_context && Py_REFCNT(context) == 1 && PyObject_Length(context) == 0)
        spare_context = context;
    else
        Py_DECREF(context);
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
    PyObject *coro = NULL, *value = NULL, *outer = py_current_task;
    PyObject *context = context_take();
    Carrier *c = context ? carrier_take() : NULL;
    if (!c) {
        Py_XDECREF(context);
        done(arg, NULL);
        return false;
    }
    py_task_enter(c->task, context);
    Py_ssize_t references = Py_REFCNT(c->task);
    py_current_task = c->task;
    PySendResult r = first_step(callable, args, nargs, &coro, &value);
    py_end_if_forked();
    py_current_task = outer;
    Py_ssize_t kept = Py_REFCNT(c->task) - references;
    PyObject *type = NULL, *exception = NULL, *traceback = NULL;
    if (r == PYGEN_ERROR)
        PyErr_Fetch(&type, &exception, &traceback);
    py_task_leave(c->task, context);
    if (r == PYGEN_NEXT) {
        c->done = done;
        c->arg = arg;
        c->kept = kept;
        carrier_hand_over(c, coro, value, context, timeout_ms);
        return true;
    }
    context_put_back(context);
    if (r == PYGEN_RETURN && py_task_cancel_pending(c)) {
        Py_CLEAR(value);
        PyErr_SetNone(py_cancelled_error);
    } else if (r == PYGEN_ERROR) {
        PyErr_Restore(type, exception, traceback);
    }
    bool touched = kept != 0 || (c->gate && c->gate->state == WAIT_CANCELLED) || py_carrier_is_marked(c->task);
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
    if (!asyncio || !tasks || py_carrier_init(loop) < 0)
        return -1;
    enter_task = PyObject_GetAttrString(tasks, "_enter_task");
    leave_task = PyObject_GetAttrString(tasks, "_leave_task");
    base_context = PyContext_New();
    name_cancel = PyUnicode_InternFromString("cancel");
    name_time = PyUnicode_InternFromString("time");
    name_call_later = PyUnicode_InternFromString("call_later");
    deadline_callback = PyCFunction_New(&deadline_method, NULL);
    Py_DECREF(asyncio);
    Py_DECREF(tasks);
    return PyErr_Occurred() ? -1 : 0;
}
