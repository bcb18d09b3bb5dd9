/* What an idle task awaits, until it gets a handler to carry on with: the least of a future that asyncio.Task needs.
 * Included by py_task.c only. */
#ifndef SMSCD_PY_GATE_H
#define SMSCD_PY_GATE_H

#include "py_int.h"

typedef struct {
    PyObject_HEAD
    PyObject *callback, *context; /* the task's wake-up; NULL once it was scheduled */
    char blocking;                /* _asyncio_future_blocking: as of a future that is awaited */
    char cancelled;
} Gate;

int py_gate_init(PyObject *loop);
/* New reference, or NULL with an exception. */
Gate *py_gate_new(void);
/* Schedules the wake-up of the task that waits, once. None (new reference), or NULL with an exception. */
PyObject *py_gate_open(Gate *gate);

#endif
