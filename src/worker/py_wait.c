/* The awaitable of sends and Redis commands, and what idle tasks wait for. */
#include "py_wait.h"

#include "py_carrier.h"

static PyTypeObject Wait_type;
static PyObject *loop_object, *name_call_soon, *names_context;
PyObject *py_cancelled_error;

/* ---- the outcome ---- */

/* The task's wake-up, once: it runs when the loop comes to it. 0, or -1 with an exception. */
static int wake_task(Wait *w)
{
    if (!w->callback)
        return 0;
    PyObject *args[] = {loop_object, w->callback, (PyObject *)w, w->context};
    PyObject *handle = PyObject_VectorcallMethod(name_call_soon, args, 3, names_context);
    Py_XDECREF(handle);
    Py_CLEAR(w->callback);
    Py_CLEAR(w->context);
    return handle ? 0 : -1;
}

static void ended(Wait *w, enum wait_state state, PyObject *value)
{
    w->state = state;
    w->value = value;
    if (w->carrier)
        py_resume_soon(w);
    else if (wake_task(w) < 0)
        py_log_exception("task");
}

/* The exception that is set, with its instance made. New reference. */
static PyObject *take_exception(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

void py_wait_end(Wait *w, PyObject *value)
{
    bool is_error = value == NULL;
    if (is_error)
        value = take_exception();
    if (w->state == WAIT_PENDING)
        ended(w, is_error ? WAIT_ERROR : WAIT_VALUE, value);
    else
        Py_XDECREF(value);
}

void py_wait_fail(Wait *w, PyObject *exception_class, const char *text)
{
    if (w->state != WAIT_PENDING)
        return;
    PyObject *shown = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "backslashreplace");
    PyObject *exception = shown ? PyObject_CallOneArg(exception_class, shown) : NULL;
    Py_XDECREF(shown);
    ended(w, WAIT_ERROR, exception ? exception : take_exception());
}

/* Nobody will see its outcome. The hook may look at the state that it has. */
static void give_up(Wait *w)
{
    void (*given_up)(Wait *) = w->given_up;
    w->given_up = NULL;
    if (given_up)
        given_up(w);
    if (w->state == WAIT_PENDING)
        w->state = WAIT_CANCELLED;
}

/* What awaiting it gives once it has ended: a new reference, or NULL with an exception. */
static PyObject *outcome(Wait *w)
{
    if (w->state == WAIT_VALUE)
        return Py_NewRef(w->value);
    if (w->state == WAIT_ERROR)
        PyErr_SetObject((PyObject *)Py_TYPE(w->value), w->value);
    else
        PyErr_SetNone(py_cancelled_error);
    return NULL;
}

bool py_wait_is_open(PyObject *object)
{
    Wait *w = (Wait *)object;
    return Py_TYPE(object) == &Wait_type && w->state == WAIT_PENDING && !w->carrier && !w->callback;
}

/* ---- awaited: an iterator that gives itself once ---- */

static PySendResult wait_send(Wait *w, PyObject *arg, PyObject **result)
{
    (void)arg;
    if (w->state == WAIT_PENDING) {
        if (w->carrier || w->callback) {
            PyErr_SetString(PyExc_RuntimeError, "it is awaited already");
            *result = NULL;
            return PYGEN_ERROR;
        }
        w->blocking = true;
        *result = Py_NewRef((PyObject *)w);
        return PYGEN_NEXT;
    }
    w->given_up = NULL; /* it is seen */
    *result = outcome(w);
    return *result ? PYGEN_RETURN : PYGEN_ERROR;
}

static PyObject *wait_next(Wait *w)
{
    PyObject *result;
    PySendResult r = wait_send(w, Py_None, &result);
    if (r != PYGEN_RETURN)
        return result;
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
    Py_DECREF(result);
    if (stop)
        PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
    return NULL;
}

static PyObject *wait_send_method(Wait *w, PyObject *arg)
{
    (void)arg;
    return wait_next(w);
}

static PyObject *wait_self(PyObject *self)
{
    return Py_NewRef(self);
}

static PyObject *wait_await(Wait *w, PyObject *unused)
{
    (void)unused;
    return Py_NewRef((PyObject *)w);
}

/* throw(exception) or throw(class, instance | None, traceback | None): raised where it is awaited. */
static PyObject *wait_throw(Wait *w, PyObject *args)
{
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback))
        return NULL;
    give_up(w);
    if (PyExceptionInstance_Check(type)) {
        value = type;
        type = (PyObject *)Py_TYPE(value);
    }
    value = value == Py_None ? NULL : value;
    traceback = traceback == Py_None ? NULL : traceback;
    PyErr_Restore(Py_NewRef(type), Py_XNewRef(value), Py_XNewRef(traceback));
    return NULL;
}

static PyObject *wait_close(Wait *w, PyObject *unused)
{
    (void)unused;
    give_up(w);
    Py_RETURN_NONE;
}

/* ---- what asyncio.Task asks of a future ---- */

static PyObject *wait_add_done_callback(Wait *w, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", "context", NULL};
    PyObject *callback, *context = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$O", names, &callback, &context))
        return NULL;
    Py_INCREF(callback);
    Py_XSETREF(w->callback, callback);
    context = context && context != Py_None ? Py_NewRef(context) : PyContext_CopyCurrent();
    Py_XSETREF(w->context, context);
    if (!context || (w->state != WAIT_PENDING && wake_task(w) < 0))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *wait_cancel(Wait *w, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    if (w->state != WAIT_PENDING)
        Py_RETURN_FALSE;
    give_up(w);
    if (wake_task(w) < 0)
        return NULL;
    Py_RETURN_TRUE;
}

/* Looked at by a task before it goes on: what it awaits gives the same once more. */
static PyObject *wait_result(Wait *w, PyObject *unused)
{
    (void)unused;
    if (w->state == WAIT_CANCELLED)
        return outcome(w);
    Py_RETURN_NONE;
}

static PyObject *wait_get_loop(Wait *w, PyObject *unused)
{
    (void)w, (void)unused;
    return Py_NewRef(loop_object);
}

static PyObject *wait_get_blocking(Wait *w, void *unused)
{
    (void)unused;
    return PyBool_FromLong(w->blocking);
}

static int wait_set_blocking(Wait *w, PyObject *value, void *unused)
{
    (void)unused;
    w->blocking = value == Py_True;
    return 0;
}

/* ---- the type ---- */

static int wait_traverse(Wait *w, visitproc visit, void *arg)
{
    Py_VISIT(w->value);
    Py_VISIT(w->carrier);
    Py_VISIT(w->callback);
    Py_VISIT(w->context);
    return 0;
}

static int wait_clear(Wait *w)
{
    Py_CLEAR(w->value);
    Py_CLEAR(w->carrier);
    Py_CLEAR(w->callback);
    Py_CLEAR(w->context);
    return 0;
}

static void wait_dealloc(Wait *w)
{
    PyObject_GC_UnTrack(w);
    wait_clear(w);
    py_remember_free(w->send.remember);
    PyObject_GC_Del(w);
}

static PyMethodDef wait_methods[] = {
    {"send", (PyCFunction)wait_send_method, METH_O, NULL},
    {"throw", (PyCFunction)wait_throw, METH_VARARGS, NULL},
    {"close", (PyCFunction)wait_close, METH_NOARGS, NULL},
    {"__await__", (PyCFunction)wait_await, METH_NOARGS, NULL},
    {"add_done_callback", (PyCFunction)(void (*)(void))wait_add_done_callback, METH_VARARGS | METH_KEYWORDS, NULL},
    {"cancel", (PyCFunction)(void (*)(void))wait_cancel, METH_VARARGS | METH_KEYWORDS, NULL},
    {"result", (PyCFunction)wait_result, METH_NOARGS, NULL},
    {"get_loop", (PyCFunction)wait_get_loop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef wait_getset[] = {
    {"_asyncio_future_blocking", (getter)wait_get_blocking, (setter)wait_set_blocking, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyAsyncMethods wait_async = {.am_await = wait_self, .am_send = (sendfunc)wait_send};

static PyTypeObject Wait_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_siphon.Wait",
    .tp_basicsize = sizeof(Wait),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)wait_dealloc,
    .tp_traverse = (traverseproc)wait_traverse,
    .tp_clear = (inquiry)wait_clear,
    .tp_iter = wait_self,
    .tp_iternext = (iternextfunc)wait_next,
    .tp_as_async = &wait_async,
    .tp_methods = wait_methods,
    .tp_getset = wait_getset,
};

Wait *py_wait_new(void)
{
    if (!loop_object) { /* imported by tests, and nothing runs yet */
        PyErr_SetString(PyExc_RuntimeError, "no SmppTestHarness is open: nothing can be sent and no cache asked");
        return NULL;
    }
    Wait *w = PyObject_GC_New(Wait, &Wait_type);
    if (!w)
        return NULL;
    memset((char *)w + sizeof(PyObject), 0, sizeof(*w) - sizeof(PyObject));
    w->blocking = true;
    PyObject_GC_Track(w);
    return w;
}

int py_wait_init(PyObject *loop)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    if (!asyncio || PyType_Ready(&Wait_type) < 0)
        return -1;
    loop_object = loop;
    py_cancelled_error = PyObject_GetAttrString(asyncio, "CancelledError");
    name_call_soon = PyUnicode_InternFromString("call_soon");
    names_context = Py_BuildValue("(s)", "context");
    Py_DECREF(asyncio);
    return PyErr_Occurred() ? -1 : 0;
}
