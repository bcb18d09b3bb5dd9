/* smpp.config(): the configuration as nested dicts and lists. */
#include "py_int.h"

#include <ctype.h>
#include <stdlib.h>

/* The item `key` of a dict, or, when key is a number, of a list; made when it is not there yet: a list when the next
 * key is a number. Borrowed, or NULL with an exception. */
static PyObject *child(PyObject *parent, const char *key, bool list)
{
    PyObject *made;
    if (PyList_Check(parent)) {
        Py_ssize_t i = (Py_ssize_t)strtoul(key, NULL, 10);
        if (i < PyList_GET_SIZE(parent))
            return PyList_GET_ITEM(parent, i);
        made = list ? PyList_New(0) : PyDict_New();
        if (!made || PyList_Append(parent, made) < 0)
            Py_CLEAR(made);
    } else {
        PyObject *there = PyDict_GetItemString(parent, key);
        if (there)
            return there;
        made = list ? PyList_New(0) : PyDict_New();
        if (!made || PyDict_SetItemString(parent, key, made) < 0)
            Py_CLEAR(made);
    }
    Py_XDECREF(made); /* the parent has it */
    return made;
}

/* Puts value (stolen) at the dotted path. */
static void put(void *root, const char *path, PyObject *value)
{
    PyObject *at = root;
    char key[128];
    while (at && value) {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof(key), "%.*s", (int)n, path);
        if (path[n] == 0) {
            if (PyList_Check(at))
                PyList_Append(at, value);
            else
                PyDict_SetItemString(at, key, value);
            break;
        }
        path += n + 1;
        at = child(at, key, isdigit((unsigned char)path[0]));
    }
    Py_XDECREF(value);
}

static void put_string(void *root, const char *path, const char *value)
{
    put(root, path, PyUnicode_DecodeUTF8(value, (Py_ssize_t)strlen(value), "surrogateescape"));
}

static void put_integer(void *root, const char *path, long long value)
{
    put(root, path, PyLong_FromLongLong(value));
}

static void put_boolean(void *root, const char *path, bool value)
{
    put(root, path, PyBool_FromLong(value));
}

static void put_empty(void *root, const char *path, bool list)
{
    put(root, path, list ? PyList_New(0) : PyDict_New());
}

PyObject *py_config(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    static const struct conf_visit visit = {put_string, put_integer, put_boolean, put_empty};
    PyObject *dict = PyDict_New();
    if (dict)
        conf_each(py_gateway->conf, &visit, dict);
    if (PyErr_Occurred())
        Py_CLEAR(dict);
    return dict;
}
