/* What an idle task steps: the coroutine of a task that waits for a handler and then carries that handler's coroutine.
 * Included by py_carrier.c and py_task.c only. */
#ifndef SMSCD_PY_CARRIER_H
#define SMSCD_PY_CARRIER_H

#include "py_gate.h"

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

/* The task whose step runs now, borrowed; NULL outside. */
extern PyObject *py_current_task;

int py_carrier_init(PyObject *loop);
/* With a task of its own that has not had its first step. New reference, or NULL with an exception. */
Carrier *py_carrier_new(void);
/* Calls done, once. result NULL: an exception is set, and is cleared. */
void py_carrier_tell(Carrier *c, PyObject *result);
bool py_carrier_has_callbacks(PyObject *task);
/* Task.cancelling(). */
long py_carrier_cancels(PyObject *task);

/* py_task.c: the handler's coroutine has ended. */
void py_task_ended(Carrier *c);
/* py_task.c: takes the carrier among the idle ones; false when there are enough. */
bool py_task_park(Carrier *c);

#endif
