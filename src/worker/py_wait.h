/* What is awaited of smscd's own: the answer to a send, a reply of Redis, a handler to carry on with. A handler that
 * awaits one is resumed by the worker itself (py_resume.c); to any other task it is the least of a future that
 * asyncio.Task needs. Included by py_*.c only. */
#ifndef SMSCD_PY_WAIT_H
#define SMSCD_PY_WAIT_H

#include "py_int.h"

enum wait_state { WAIT_PENDING, WAIT_VALUE, WAIT_ERROR, WAIT_CANCELLED };

/* Of a send (py_send.c). */
struct wait_send {
    uint64_t ticket;
    uint32_t command_id;
    struct py_remember *remember; /* NULL: nothing is to be remembered of an accepted message */
};

struct wait {
    PyObject_HEAD
    enum wait_state state;
    bool blocking;           /* _asyncio_future_blocking: as of a future that is awaited */
    PyObject *value;         /* of WAIT_VALUE; the exception of WAIT_ERROR */
    struct carrier *carrier; /* the handler to resume, or NULL */
    PyObject *callback;      /* a task's wake-up: called once, by the loop, with `context` */
    PyObject *context;
    void (*given_up)(Wait *w); /* who awaited it will not see the outcome, which has come or not; NULL: no matter */
    struct wait_send send;
    Wait *next; /* among those whose handler is to be resumed */
};

extern PyObject *py_cancelled_error; /* asyncio.CancelledError */

int py_wait_init(PyObject *loop);
/* New reference, or NULL with an exception. */
Wait *py_wait_new(void);
/* Whether it is one that has not ended and that nobody awaits yet. */
bool py_wait_is_open(PyObject *object);
/* Ends it, unless it has ended. Steals value; NULL: with the exception that is set. */
void py_wait_end(Wait *w, PyObject *value);
/* The same with an exception of that class and text. */
void py_wait_fail(Wait *w, PyObject *exception_class, const char *text);
/* py_remember.c: from (bind, text, ttl_ms, on_late). NULL with an exception. */
struct py_remember *py_remember_new(PyObject *const *args);
/* The upstream has accepted, resp (stolen) says so: what is to be remembered goes to Redis, and then the
 * Wait ends with (resp, what was found there). */
void py_remember_start(Wait *w, PyObject *resp);
/* The answer (stolen) of an upstream that came too late for who awaits it. NULL: none will come. */
void py_remember_late(Wait *w, PyObject *resp);
void py_remember_free(struct py_remember *remember);
/* py_resume.c: the handler of one that has ended is to be resumed soon. */
void py_resume_soon(Wait *w);

#endif
