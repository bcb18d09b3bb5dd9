/* log.h for a test: each line is handed to the test's object, whatever its level. */
#include "log.h"

#include <stdio.h>
#include <unistd.h>

#include "ext.h"

static const char *const level_names[] = {"debug", "info", "warn", "error", "alert"};

int log_fd(void)
{
    return STDERR_FILENO;
}

bool log_enabled(enum log_level level)
{
    (void)level;
    return true;
}

/* As a worker's line: cut, never refused. */
void log_vline(enum log_level level, const char *who, const char *fmt, va_list ap)
{
    char text[8192];
    PyObject *type, *value, *traceback;
    vsnprintf(text, sizeof(text), fmt, ap);
    if (!ext_hooks) {
        fprintf(stderr, "%s: %s\n", level_names[level], text);
        return;
    }
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *line = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "backslashreplace");
    PyObject *r = line ? PyObject_CallMethod(ext_hooks, "log", "szO", level_names[level], who, line) : NULL;
    if (!r)
        PyErr_WriteUnraisable(ext_hooks);
    Py_XDECREF(r);
    Py_XDECREF(line);
    PyErr_Restore(type, value, traceback);
}

void log_line(enum log_level level, const char *who, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_vline(level, who, fmt, ap);
    va_end(ap);
}
