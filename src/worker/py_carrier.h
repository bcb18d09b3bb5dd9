/* What an idle task steps: the coroutine of a task that waits for a handler and then carries that handler's coroutine.
 * Included by py_carrier.c, py_resume.c, py_task.c and py_wait.c only. */
#ifndef SMSCD_PY_CARRIER_H
#define SMSCD_PY_CARRIER_H

#include "py_wait.h"

enum carrier_state {
    FRESH,   /* its task has not had its first step yet */
    PARKED,  /* its task waits for the gate */
    WAITING, /* has a coroutine that awaits a Wait, `yielded`; its task idles as if it were FRESH or PARKED */
    HANDED,  /* has a coroutine and what else that yielded; its task has not woken yet */
    RUNNING, /* its task steps the coroutine */
    DONE
};

/* The coroutine of an idle task, which becomes the carrier of a handler's coroutine. */
struct carrier {
    PyObject_HEAD
    enum carrier_state state;
    PyObject *task;
    Wait *gate; /* what its task awaits while it idles; NULL before its first step, and while it runs */
    PyObject *coro, *yielded, *context;
    py_task_done_fn *done; /* NULL once called */
    void *arg;
    double deadline;
    Py_ssize_t kept; /* references to the task that the handler's steps took and did not give back */
    bool timed;      /* is in the list of deadlines */
    struct carrier *prev, *next;
    bool cancelled; /* DONE: its task is to end as cancelled */
};

/* The task whose step runs now, borrowed; NULL outside. */
extern PyObject *py_current_task;

int py_carrier_init(PyObject *loop);
/* With a task of its own that has not had its first step. New reference, or NULL with an exception. */
Carrier *py_carrier_new(void);
/* Calls done, once. result NULL: an exception is set, and is cleared. */
void py_carrier_tell(Carrier *c, PyObject *result);
/* Whether the task has callbacks, or attributes of the script's own. */
bool py_carrier_is_marked(PyObject *task);
/* Task.cancelling(). */
long py_carrier_cancels(PyObject *task);
/* Whether the task has a cancel that its next step is to raise. */
bool py_carrier_must_cancel(PyObject *task);
/* Whether the task is as it was before the handler: nobody has kept it, awaits it, or has cancelled it. */
bool py_carrier_is_untouched(const Carrier *c);
/* Somebody has cancelled the idle task; it will be told when asyncio steps it. */
bool py_carrier_is_cancelled(const Carrier *c);
/* It goes on when what its coroutine has yielded, `wait`, has ended. Steals the reference. */
void py_carrier_await(Carrier *c, PyObject *wait);
/* Its coroutine has yielded something else than a Wait (stolen): its task wakes to await that. */
void py_carrier_hand_over(Carrier *c, PyObject *value);
/* Its coroutine is over; the carrier may wait for another. */
void py_carrier_let_go(Carrier *c);
/* Lets the task that idles at the gate step. */
void py_carrier_wake(Carrier *c);

/* py_task.c: makes the task and the context current, around a step that is not asyncio's own; the one that was current
 * stands back meanwhile, and is current again after py_task_leave. */
void py_task_enter(PyObject *task, PyObject *context);
void py_task_leave(PyObject *task, PyObject *context);
/* py_task.c: a cancel() that the handler sent to itself and that no await has taken. */
bool py_task_cancel_pending(Carrier *c);
/* py_task.c: the handler's coroutine has ended. */
void py_task_ended(Carrier *c);
/* py_task.c: takes the carrier among the idle ones; false when there are enough. */
bool py_task_park(Carrier *c);

#endif
