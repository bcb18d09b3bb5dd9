/* The interpreter in a worker: start, load and run. */
#include "py_call.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#ifndef SMSCD_PYTHON
#define SMSCD_PYTHON "/usr/bin/python3"
#endif

static void take_error(char **error)
{
    PyObject *text = py_describe_exception("describe");
    const char *s = text ? PyUnicode_AsUTF8(text) : NULL;
    *error = xstrdup(s ? s : "unknown error");
    Py_XDECREF(text);
    PyErr_Clear();
}

/* ---- start ---- */

/* From a build folder the source tree's package, else the installed one. */
static void package_directory(char *to, size_t cap)
{
    char marker[PATH_MAX];
    snprintf(marker, sizeof(marker), "%s/config.status", util_exe_dir());
    snprintf(to, cap, "%s", access(marker, F_OK) == 0 ? SMSCD_SRCDIR "/pyshim" : SMSCD_PKGDATADIR "/python");
}

/* bare: without site-packages. */
static PyStatus initialize(bool bare)
{
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.site_import = !bare;
    config.install_signal_handlers = 0;
    config.parse_argv = 0;
    config.use_environment = 0;
    config.buffered_stdio = 0;
    PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, SMSCD_PYTHON);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

static PyObject *string_list(char **strings, size_t n)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *s = PyUnicode_DecodeFSDefault(strings[i]);
        if (!s || PyList_Append(list, s) < 0)
            Py_CLEAR(list);
        Py_XDECREF(s);
    }
    return list;
}

static int add_path(const char *directory)
{
    PyObject *path = PySys_GetObject("path"), *item = PyUnicode_DecodeFSDefault(directory);
    int failed = !path || !item || PyList_Insert(path, 0, item) < 0;
    Py_XDECREF(item);
    return failed ? -1 : 0;
}

static int start_runtime(void)
{
    const struct conf *conf = py_gateway->conf;
    char directory[PATH_MAX];
    package_directory(directory, sizeof(directory));
    if (add_path(directory) < 0)
        return -1;
    py_runtime = PyImport_ImportModule("siphon._runtime");
    PyObject *paths = string_list(conf->python_path, conf->python_path_count);
    if (!py_runtime || !paths)
        return -1;
    py_asyncio_loop = PyObject_CallMethod(py_runtime, "start", "Os", paths, conf->venv ? conf->venv : "");
    Py_DECREF(paths);
    if (!py_asyncio_loop)
        return -1;
    return py_loop_init(py_asyncio_loop) < 0 || py_task_init(py_asyncio_loop) < 0 ? -1 : 0;
}

int py_host_start(struct gateway *gateway, char **error)
{
    py_gateway = gateway;
    if (PyImport_AppendInittab("_siphon", PyInit__siphon) < 0) {
        *error = xstrdup("no memory for the interpreter");
        return -1;
    }
    PyStatus status = initialize(false);
    if (PyStatus_Exception(status)) {
        *error = xasprintf("Python does not start: %s", status.err_msg ? status.err_msg : "?");
        return -1;
    }
    if (start_runtime() < 0) {
        take_error(error);
        return -1;
    }
    return 0;
}

int py_host_load(int compiled, char **error)
{
    py_task_rest();
    PyObject *r = PyObject_CallMethod(py_runtime, "load", "i", compiled);
    py_end_if_forked();
    if (!r) {
        take_error(error);
        return -1;
    }
    Py_DECREF(r);
    return 0;
}

int py_host_compile(const struct conf *conf, int to, char **error)
{
    char directory[PATH_MAX - 8], package[PATH_MAX];
    package_directory(directory, sizeof(directory));
    snprintf(package, sizeof(package), "%s/siphon", directory);
    PyStatus status = initialize(true);
    if (PyStatus_Exception(status)) {
        *error = xasprintf("Python does not start: %s", status.err_msg ? status.err_msg : "?");
        return -1;
    }
    PyObject *module = add_path(package) < 0 ? NULL : PyImport_ImportModule("_compile");
    PyObject *paths = module ? string_list(conf->python_path, conf->python_path_count) : NULL;
    PyObject *script = paths ? PyUnicode_DecodeFSDefault(conf->script) : NULL;
    PyObject *r = script ? PyObject_CallMethod(module, "write", "OOi", script, paths, to) : NULL;
    if (!r)
        take_error(error);
    return r ? 0 : -1;
}

static bool stopping;

/* A script's sys.exit() in a task, or its loop.stop(), is no reason to let every session go. */
void py_host_run(void)
{
    PyObject *r;
    while (!stopping) {
        r = PyObject_CallMethod(py_asyncio_loop, "run_forever", NULL);
        if (!r)
            py_log_exception("asyncio");
        else if (!stopping)
            log_error("asyncio", "the script has stopped the loop; it goes on");
        Py_XDECREF(r);
    }
    r = PyObject_CallMethod(py_runtime, "finish", NULL);
    if (!r)
        py_log_exception("asyncio");
    Py_XDECREF(r);
}

void py_host_stop(void)
{
    stopping = true;
    Py_XDECREF(PyObject_CallMethod(py_asyncio_loop, "stop", NULL));
    PyErr_Clear();
}

unsigned py_host_busy(void)
{
    PyObject *n = PyObject_CallMethod(py_runtime, "busy", NULL);
    long count = n ? PyLong_AsLong(n) : 0;
    Py_XDECREF(n);
    PyErr_Clear();
    return py_task_count() + (count > 0 ? (unsigned)count : 0);
}
