/* The registry of handlers: the set in force, and the one that a load fills until it is swapped in at once. */
#include "py_int.h"

#include "util.h"

static const struct {
    uint32_t command_id;
    const char *name; /* as scripts write it */
} slots[] = {
    {SMPP_submit_sm, "submit_sm"},   {SMPP_submit_multi, "submit_sm_multi"},
    {SMPP_deliver_sm, "deliver_sm"}, {SMPP_data_sm, "data_sm"},
    {SMPP_cancel_sm, "cancel_sm"},   {SMPP_query_sm, "query_sm"},
    {SMPP_replace_sm, "replace_sm"}, {SMPP_alert_notification, "alert_notification"},
};

static struct py_handlers sets[2];
static struct py_handlers *loading;
struct py_handlers *py_handlers = &sets[0];

int py_command_slot(uint32_t command_id)
{
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        if (slots[i].command_id == command_id)
            return (int)i;
    return -1;
}

const char *py_command_slot_name(int slot)
{
    return slot >= 0 && (size_t)slot < ARRAY_LEN(slots) ? slots[slot].name : NULL;
}

static int slot_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        if (strcmp(slots[i].name, name) == 0)
            return (int)i;
    return -1;
}

static void set_clear(struct py_handlers *set)
{
    Py_CLEAR(set->on_bind);
    for (size_t i = 0; i < ARRAY_LEN(set->on_pdu); i++)
        Py_CLEAR(set->on_pdu[i]);
    Py_CLEAR(set->on_session[0]);
    Py_CLEAR(set->on_session[1]);
    Py_CLEAR(set->other);
}

static int register_pdu(struct py_handlers *set, const char *name, PyObject *handler)
{
    int slot = slot_by_name(name);
    if (slot < 0) {
        PyErr_Format(PyExc_ValueError, "on_pdu(\"%s\"): no such command", name);
        return -1;
    }
    Py_XSETREF(set->on_pdu[slot], Py_NewRef(handler));
    return 0;
}

static int register_session(struct py_handlers *set, const char *name, PyObject *handler)
{
    int event = strcmp(name, "bound") == 0 ? 0 : strcmp(name, "unbound") == 0 ? 1 : -1;
    if (event < 0) {
        PyErr_Format(PyExc_ValueError, "on_session(\"%s\"): \"bound\" or \"unbound\"", name);
        return -1;
    }
    if (!set->on_session[event] && !(set->on_session[event] = PyList_New(0)))
        return -1;
    return PyList_Append(set->on_session[event], handler);
}

static int register_other(struct py_handlers *set, PyObject *kind, PyObject *handler)
{
    if (!set->other && !(set->other = PyDict_New()))
        return -1;
    return PyDict_SetItem(set->other, kind, handler);
}

/* register(kind: str, name: str, handler) */
PyObject *py_register(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    struct py_handlers *set = loading ? loading : py_handlers;
    const char *kind = n == 3 ? PyUnicode_AsUTF8(args[0]) : NULL;
    const char *name = kind ? PyUnicode_AsUTF8(args[1]) : NULL;
    int r;
    if (!name) {
        PyErr_SetString(PyExc_TypeError, "register(kind: str, name: str, handler)");
        return NULL;
    }
    if (!PyCallable_Check(args[2]))
        return PyErr_Format(PyExc_TypeError, "a handler is a function, not %R", args[2]);
    if (strcmp(kind, "bind") == 0) {
        Py_XSETREF(set->on_bind, Py_NewRef(args[2]));
        r = 0;
    } else if (strcmp(kind, "pdu") == 0) {
        r = register_pdu(set, name, args[2]);
    } else if (strcmp(kind, "session") == 0) {
        r = register_session(set, name, args[2]);
    } else {
        r = register_other(set, args[0], args[2]);
    }
    return r < 0 ? NULL : Py_NewRef(Py_None);
}

/* registered(kind: str): what register() had last for that kind, or None; for "bound" and "unbound" a list. */
PyObject *py_registered(PyObject *module, PyObject *kind)
{
    (void)module;
    PyObject *found = NULL;
    if (PyUnicode_CompareWithASCIIString(kind, "bound") == 0)
        found = py_handlers->on_session[0];
    else if (PyUnicode_CompareWithASCIIString(kind, "unbound") == 0)
        found = py_handlers->on_session[1];
    else if (py_handlers->other)
        found = PyDict_GetItemWithError(py_handlers->other, kind);
    return Py_NewRef(found ? found : Py_None);
}

/* begin_load(): what is registered from here on is a new set. */
PyObject *py_begin_load(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    loading = py_handlers == &sets[0] ? &sets[1] : &sets[0];
    set_clear(loading);
    Py_RETURN_NONE;
}

/* end_load(ok: bool): the new set is in force, or thrown away. */
PyObject *py_end_load(PyObject *module, PyObject *ok)
{
    (void)module;
    struct py_handlers *done = loading;
    loading = NULL;
    if (done && ok == Py_True) {
        struct py_handlers *old = py_handlers;
        py_handlers = done;
        done = old;
    }
    if (done)
        set_clear(done);
    Py_RETURN_NONE;
}
