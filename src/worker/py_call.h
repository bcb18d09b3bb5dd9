/* What the start of an interpreter and the calls into its handlers share. Included by py_*.c only. */
#ifndef SMSCD_PY_CALL_H
#define SMSCD_PY_CALL_H

#include "py_int.h"

extern PyObject *py_runtime; /* the module siphon._runtime */

/* Calls py_runtime.<function>(exception) with the current exception, which is cleared. New reference or NULL. */
PyObject *py_describe_exception(const char *function);

#endif
