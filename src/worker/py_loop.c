/* asyncio on libev: what siphon/_loop.py's selector calls. select() runs the libev loop, so SMPP, Redis and the channel
 * are served inside it, and it returns when asyncio itself has something to do. */
#include "py_int.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <limits.h>

#include "util.h"

struct watch {
    ev_io io;
    int mask; /* of selectors.EVENT_READ (= EV_READ) and EVENT_WRITE (= EV_WRITE) */
};

static struct watch **watches; /* by descriptor; NULL: not watched */
static size_t watch_room;
static struct ready {
    int fd, mask;
} * ready;
static size_t ready_count, ready_room;

static PyObject *asyncio_ready;  /* loop._ready, the deque of handles to run */
static PyObject *name_scheduled; /* "_scheduled": asyncio replaces that list now and then */
static PyObject *name_stopping;
static ev_timer deadline;
static ev_idle resume; /* active while handlers are to be resumed, so that the loop does not wait */
static bool deadline_over, selecting;
static PyThreadState *released;

static void release_gil(struct ev_loop *loop)
{
    (void)loop;
    if (selecting)
        released = PyEval_SaveThread();
}

static void acquire_gil(struct ev_loop *loop)
{
    (void)loop;
    if (selecting)
        PyEval_RestoreThread(released);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)w, (void)revents;
    deadline_over = true;
}

static void on_ready(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop;
    if (ready_count == ready_room) {
        ready_room = ready_room ? 2 * ready_room : 64;
        ready = xrealloc(ready, ready_room * sizeof(*ready));
    }
    /* An error shows as readable and writable, as with every selector. */
    ready[ready_count++] = (struct ready){w->fd, revents & (EV_READ | EV_WRITE)};
}

static void on_idle(struct ev_loop *loop, ev_idle *w, int revents)
{
    (void)loop, (void)w, (void)revents;
}

void py_resume_wanted(void)
{
    ev_idle_start(py_gateway->loop, &resume);
}

/* After everything that the loop had to do has been looked at, and before what other workers want sent (forward.c). */
static void resume_handlers(struct ev_loop *loop)
{
    if (ev_is_active(&resume)) {
        ev_idle_stop(loop, &resume);
        py_resume_all();
    }
}

int py_loop_init(PyObject *loop)
{
    asyncio_ready = PyObject_GetAttrString(loop, "_ready");
    name_scheduled = PyUnicode_InternFromString("_scheduled");
    name_stopping = PyUnicode_InternFromString("_stopping");
    if (!asyncio_ready || !name_scheduled || !name_stopping)
        return -1;
    ev_timer_init(&deadline, on_deadline, 0, 0);
    ev_idle_init(&resume, on_idle);
    ev_set_loop_release_cb(py_gateway->loop, release_gil, acquire_gil);
    return 0;
}

static struct watch *watch_at(int fd)
{
    return fd >= 0 && (size_t)fd < watch_room ? watches[fd] : NULL;
}

static void watch_drop(int fd)
{
    struct watch *w = watch_at(fd);
    if (w) {
        ev_io_stop(py_gateway->loop, &w->io);
        free(w);
        watches[fd] = NULL;
    }
}

/* loop_watch(fd, events): replaces what was watched on that descriptor. */
static PyObject *loop_watch(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    if (n != 2) {
        PyErr_SetString(PyExc_TypeError, "loop_watch(fd, events)");
        return NULL;
    }
    long number = PyLong_AsLong(args[0]);
    int fd = (int)number, mask = (int)PyLong_AsLong(args[1]);
    if (PyErr_Occurred())
        return NULL;
    if (number < 0 || number > INT_MAX || fcntl(fd, F_GETFD) == -1) {
        errno = EBADF;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    watch_drop(fd);
    if ((size_t)fd >= watch_room) {
        size_t room = (size_t)fd + 64;
        watches = xrealloc(watches, room * sizeof(*watches));
        memset(watches + watch_room, 0, (room - watch_room) * sizeof(*watches));
        watch_room = room;
    }
    struct watch *w = watches[fd] = xcalloc(1, sizeof(*w));
    ev_io_init(&w->io, on_ready, fd, mask & (EV_READ | EV_WRITE));
    ev_io_start(py_gateway->loop, &w->io);
    Py_RETURN_NONE;
}

static PyObject *loop_unwatch(PyObject *module, PyObject *fd)
{
    (void)module;
    long n = PyLong_AsLong(fd);
    if (n == -1 && PyErr_Occurred())
        return NULL;
    watch_drop((int)n);
    Py_RETURN_NONE;
}

/* The timer that asyncio would wake for first, a new reference, or NULL. */
static PyObject *first_timer(void)
{
    PyObject *scheduled = PyObject_GetAttr(py_asyncio_loop, name_scheduled);
    if (!scheduled) {
        PyErr_Clear();
        return NULL;
    }
    PyObject *first = PyList_Check(scheduled) && PyList_GET_SIZE(scheduled) > 0 ? PyList_GET_ITEM(scheduled, 0) : NULL;
    Py_XINCREF(first);
    Py_DECREF(scheduled);
    return first;
}

/* Whether a callback or handler run inside select() left something for asyncio: a handle to run, an earlier timer than
 * the one select() was called for, or stop(). */
static bool asyncio_has_work(PyObject *timer_before)
{
    if (ready_count > 0 || PyObject_Length(asyncio_ready) != 0)
        return true;
    PyObject *timer = first_timer();
    bool changed = timer != timer_before;
    Py_XDECREF(timer);
    if (changed)
        return true;
    PyObject *stopping = PyObject_GetAttr(py_asyncio_loop, name_stopping);
    bool stop = stopping == Py_True;
    Py_XDECREF(stopping);
    return stop;
}

static PyObject *ready_list(void)
{
    PyObject *list = PyList_New((Py_ssize_t)ready_count);
    if (!list)
        return NULL;
    for (size_t i = 0; i < ready_count; i++) {
        PyObject *pair = Py_BuildValue("(ii)", ready[i].fd, ready[i].mask);
        if (!pair) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
    }
    return list;
}

/* loop_select(timeout: float | None) -> [(fd, events)] */
static PyObject *loop_select(PyObject *module, PyObject *timeout)
{
    (void)module;
    double seconds = timeout == Py_None ? -1 : PyFloat_AsDouble(timeout);
    if (seconds == -1 && PyErr_Occurred())
        return NULL;
    py_end_if_forked();
    if (selecting) {
        PyErr_SetString(PyExc_RuntimeError, "the worker's loop runs in one thread, and not within itself");
        return NULL;
    }
    struct ev_loop *loop = py_gateway->loop;
    bool wait = timeout == Py_None || seconds > 0;
    ready_count = 0;
    deadline_over = false;
    if (wait && timeout != Py_None) {
        ev_now_update(loop);
        ev_timer_set(&deadline, seconds, 0);
        ev_timer_start(loop, &deadline);
    }
    PyObject *timer = first_timer();
    int failed = 0;
    selecting = true;
    do {
        ev_run(loop, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
        resume_handlers(loop);
        py_task_rest();
        failed = PyErr_CheckSignals();
    } while (wait && !failed && !deadline_over && !asyncio_has_work(timer));
    selecting = false;
    Py_XDECREF(timer);
    ev_timer_stop(loop, &deadline);
    return failed ? NULL : ready_list();
}

static PyMethodDef methods[] = {
    {"loop_watch", (PyCFunction)(void (*)(void))loop_watch, METH_FASTCALL, "loop_watch(fd, events)"},
    {"loop_unwatch", loop_unwatch, METH_O, "loop_unwatch(fd)"},
    {"loop_select", loop_select, METH_O, "loop_select(timeout) -> [(fd, events)]"},
    {NULL, NULL, 0, NULL},
};

int py_module_more(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
