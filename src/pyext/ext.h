/* The _siphon module outside a worker: the worker's own Python objects, with a test in the place of the gateway.
 * A test (siphon_sdk) gives it a configuration, an event loop and an object whose methods carry out the sends. */
#ifndef SMSCD_EXT_H
#define SMSCD_EXT_H

#include "py_call.h"

/* ext_gateway.c: the gateway whose sends and Redis commands are calls of the test's object. */
extern struct gateway ext_gateway;
extern PyObject *ext_hooks; /* the test's object; NULL before start() */
/* Whatever an earlier test left open is forgotten. */
void ext_gateway_reset(void);
PyObject *ext_outcome(PyObject *module, PyObject *args);
PyObject *ext_redis_reply(PyObject *module, PyObject *args);

/* ext_conf.c: a configuration from a dict with the names of the file. NULL with ValueError or TypeError. */
struct conf *ext_conf_from(PyObject *dict);

/* ext_pdu.c: functions of the module. */
PyObject *ext_encode(PyObject *module, PyObject *args);
PyObject *ext_decode(PyObject *module, PyObject *raw);
PyObject *ext_pdu(PyObject *module, PyObject *raw);
PyObject *ext_resp(PyObject *module, PyObject *args);
PyObject *ext_fields(PyObject *module, PyObject *command);

/* ext_call.c: functions of the module that run handlers. */
PyObject *ext_call_pdu(PyObject *module, PyObject *args);
PyObject *ext_call_bind(PyObject *module, PyObject *args);
PyObject *ext_call_session(PyObject *module, PyObject *args);
PyObject *ext_encode_reply(PyObject *module, PyObject *args);
PyObject *ext_make_bind(PyObject *module, PyObject *args);
PyObject *ext_session(PyObject *module, PyObject *args, PyObject *kwargs);

/* The octets of a PDU that decodes without an error; ValueError names the status otherwise. 0 or -1. */
int ext_read(PyObject *raw, struct pdu *pdu);

#endif
