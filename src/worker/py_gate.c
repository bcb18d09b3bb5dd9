/* The gate that idle tasks wait at. */
#include "py_gate.h"

static PyTypeObject Gate_type;
static PyObject *loop_object, *cancelled_error, *name_call_soon, *name_context;

PyObject *py_gate_open(Gate *g)
{
    if (!g->callback)
        Py_RETURN_NONE;
    PyObject *args[] = {loop_object, g->callback, (PyObject *)g, g->context};
    PyObject *names = PyTuple_Pack(1, name_context);
    PyObject *handle = names ? PyObject_VectorcallMethod(name_call_soon, args, 3, names) : NULL;
    Py_XDECREF(names);
    Py_CLEAR(g->callback);
    Py_CLEAR(g->context);
    return handle;
}

static PyObject *gate_add_done_callback(Gate *g, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", "context", NULL};
    PyObject *callback, *context = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$O", names, &callback, &context))
        return NULL;
    Py_INCREF(callback);
    Py_XSETREF(g->callback, callback);
    context = context && context != Py_None ? Py_NewRef(context) : PyContext_CopyCurrent();
    Py_XSETREF(g->context, context);
    if (!context)
        return NULL;
    return g->cancelled ? py_gate_open(g) : Py_NewRef(Py_None);
}

static PyObject *gate_cancel(Gate *g, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    if (g->cancelled)
        Py_RETURN_FALSE;
    g->cancelled = 1;
    PyObject *r = py_gate_open(g);
    if (!r)
        return NULL;
    Py_DECREF(r);
    Py_RETURN_TRUE;
}

static PyObject *gate_result(Gate *g, PyObject *unused)
{
    (void)unused;
    if (g->cancelled) {
        PyErr_SetNone(cancelled_error);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *gate_get_loop(Gate *g, PyObject *unused)
{
    (void)g, (void)unused;
    return Py_NewRef(loop_object);
}

static PyObject *gate_get_blocking(Gate *g, void *unused)
{
    (void)unused;
    return PyBool_FromLong(g->blocking);
}

static int gate_set_blocking(Gate *g, PyObject *value, void *unused)
{
    (void)unused;
    g->blocking = value == Py_True;
    return 0;
}

static int gate_traverse(Gate *g, visitproc visit, void *arg)
{
    Py_VISIT(g->callback);
    Py_VISIT(g->context);
    return 0;
}

static int gate_clear(Gate *g)
{
    Py_CLEAR(g->callback);
    Py_CLEAR(g->context);
    return 0;
}

static void gate_dealloc(Gate *g)
{
    PyObject_GC_UnTrack(g);
    gate_clear(g);
    PyObject_GC_Del(g);
}

static PyMethodDef gate_methods[] = {
    {"add_done_callback", (PyCFunction)(void (*)(void))gate_add_done_callback, METH_VARARGS | METH_KEYWORDS, NULL},
    {"cancel", (PyCFunction)(void (*)(void))gate_cancel, METH_VARARGS | METH_KEYWORDS, NULL},
    {"result", (PyCFunction)gate_result, METH_NOARGS, NULL},
    {"get_loop", (PyCFunction)gate_get_loop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef gate_getset[] = {
    {"_asyncio_future_blocking", (getter)gate_get_blocking, (setter)gate_set_blocking, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject Gate_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_siphon.Gate",
    .tp_basicsize = sizeof(Gate),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_dealloc = (destructor)gate_dealloc,
    .tp_traverse = (traverseproc)gate_traverse,
    .tp_clear = (inquiry)gate_clear,
    .tp_methods = gate_methods,
    .tp_getset = gate_getset,
};

Gate *py_gate_new(void)
{
    Gate *g = PyObject_GC_New(Gate, &Gate_type);
    if (!g)
        return NULL;
    g->callback = g->context = NULL;
    g->blocking = 1;
    g->cancelled = 0;
    PyObject_GC_Track(g);
    return g;
}

int py_gate_init(PyObject *loop)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    if (!asyncio || PyType_Ready(&Gate_type) < 0)
        return -1;
    loop_object = loop;
    cancelled_error = PyObject_GetAttrString(asyncio, "CancelledError");
    name_call_soon = PyUnicode_InternFromString("call_soon");
    name_context = PyUnicode_InternFromString("context");
    Py_DECREF(asyncio);
    return PyErr_Occurred() ? -1 : 0;
}
