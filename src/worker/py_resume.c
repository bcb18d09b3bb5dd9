/* Goes on with handlers whose Wait has ended, from the worker's own loop: asyncio has no part in it, and its idle task
 * goes on idling meanwhile. */
#include "py_carrier.h"

static Wait *first, **last = &first; /* whose handlers are to be resumed, in the order they ended */

void py_resume_soon(Wait *w)
{
    if (!first)
        py_resume_wanted();
    Py_INCREF(w);
    w->next = NULL;
    *last = w;
    last = &w->next;
}

/* The handler has ended, and its task idles still: for another handler, or, when the handler has left a trace on it,
 * it ends as well. */
static void ended(Carrier *c, PyObject *value)
{
    if (value && py_task_cancel_pending(c)) {
        Py_CLEAR(value);
        PyErr_SetNone(py_cancelled_error);
    }
    bool again = value && py_carrier_is_untouched(c) && !py_carrier_is_cancelled(c);
    c->cancelled = !value && PyErr_ExceptionMatches(py_cancelled_error);
    py_carrier_tell(c, value);
    Py_XDECREF(value);
    py_carrier_let_go(c);
    c->state = c->gate ? PARKED : FRESH;
    if (again && py_task_park(c))
        return;
    c->state = DONE;
    py_carrier_wake(c);
    Py_CLEAR(c->gate);
    Py_CLEAR(c->task);
}

static void step(Carrier *c)
{
    PyObject *value = NULL, *task = Py_NewRef(c->task);
    py_task_enter(task, c->context);
    Py_ssize_t references = Py_REFCNT(task);
    py_current_task = task;
    PySendResult r = PyIter_Send(c->coro, Py_None, &value);
    py_end_if_forked();
    py_current_task = NULL;
    c->kept += Py_REFCNT(task) - references;
    PyObject *type = NULL, *exception = NULL, *traceback = NULL;
    if (r == PYGEN_ERROR)
        PyErr_Fetch(&type, &exception, &traceback);
    py_task_leave(task, c->context);
    Py_DECREF(task);
    if (r == PYGEN_ERROR)
        PyErr_Restore(type, exception, traceback);
    if (r != PYGEN_NEXT)
        ended(c, value);
    else if (py_wait_is_open(value))
        py_carrier_await(c, value);
    else
        py_carrier_hand_over(c, value);
}

/* A task that was cancelled hears of that instead when asyncio steps it. */
static void resume(Wait *w)
{
    Carrier *c = w->carrier;
    if (!c || py_carrier_is_cancelled(c))
        return;
    w->carrier = NULL;
    Py_CLEAR(c->yielded);
    step(c);
    Py_DECREF(c);
}

void py_resume_all(void)
{
    Wait *list = first;
    first = NULL;
    last = &first;
    while (list) {
        Wait *w = list;
        list = w->next;
        resume(w);
        Py_DECREF(w);
    }
}
