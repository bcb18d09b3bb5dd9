/* What the py_* files share: Python objects, the types, the futures. Included by py_*.c only. */
#ifndef SMSCD_PY_INT_H
#define SMSCD_PY_INT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "gateway.h"
#include "pdu.h"
#include "py_host.h"

/* One interpreter, one gateway, one loop per process. */
extern struct gateway *py_gateway;
extern PyObject *py_asyncio_loop; /* the SelectorEventLoop */

/* The handlers in force, and the set that a load is filling. */
struct py_handlers {
    PyObject *on_bind;
    PyObject *on_pdu[8];     /* by py_command_slot */
    PyObject *on_session[2]; /* lists: bound, unbound */
    PyObject *other;         /* dict: what the Python layer registers for itself (receipts) */
};
extern struct py_handlers *py_handlers;
/* Slot of a request's command_id in on_pdu, or -1. */
int py_command_slot(uint32_t command_id);
/* The script's name of a command ("submit_sm_multi" for submit_multi), by slot; NULL beyond the last. */
const char *py_command_slot_name(int slot);
PyObject *py_register(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *py_registered(PyObject *module, PyObject *kind);
PyObject *py_begin_load(PyObject *module, PyObject *unused);
PyObject *py_end_load(PyObject *module, PyObject *ok);

/* py_module.c */
PyMODINIT_FUNC PyInit__siphon(void);
extern PyObject *py_SmppError, *py_UnknownBind, *py_BindDown, *py_SessionGone, *py_WindowFull, *py_ResponseTimeout,
    *py_CacheError;
int py_exceptions_add(PyObject *module);

/* py_pdu.c, py_reply.c, py_resp.c, py_alert.c, py_types.c: each adds its types to the module. 0 or -1. */
extern PyTypeObject py_Pdu_type, py_Bind_type, py_BindResult_type, py_Session_type;
int py_pdu_add(PyObject *module);
int py_reply_add(PyObject *module);
int py_resp_add(PyObject *module);
int py_alert_add(PyObject *module);
int py_types_add(PyObject *module);
/* A Pdu over octets that belong to the caller. py_pdu_release must follow: it drops the reference and copies
 * what the script has kept hold of. */
PyObject *py_pdu_borrow(const struct pdu *pdu);
void py_pdu_release(PyObject *pdu, bool suspended);
/* Pdu.reply and Pdu.reply_query, for a request of pdu's command. */
PyObject *py_reply(const struct pdu *pdu, PyObject *const *args, Py_ssize_t n, PyObject *names);
PyObject *py_reply_query(const struct pdu *pdu, PyObject *args, PyObject *kwargs);
/* Reads what a handler returned for a request of that command. 0 and *answer (pointing into result and into what the
 * next call overwrites), or -1 with an exception. */
int py_reply_read(PyObject *result, uint32_t command_id, struct py_answer *answer);
/* An entry of submit_multi: a str with ton, npi and is_distribution_list. New reference. */
PyObject *py_destination_new(const struct pdu_dest *dest);
/* What a handler gets for an alert_notification. New reference. */
PyObject *py_alert_new(const struct pdu *pdu);
PyObject *py_bind_new(const struct pdu *pdu, const char *client_addr);
/* The same for on_bind: a BindResult, or the truth of the value. */
int py_bind_result_read(PyObject *result, struct py_answer *answer);
PyObject *py_session_object(struct py_session *session); /* borrowed */
PyObject *py_make_session(PyObject *module, PyObject *args, PyObject *kwargs);
/* A whole response: QueryResp for query_sm_resp, else SmppResp. request_id: what it answers. */
PyObject *py_resp_new(uint32_t request_id, const uint8_t *raw, size_t len);
/* The message_id of a response that says ESME_ROK, borrowed; else NULL. */
PyObject *py_resp_accepted(PyObject *resp);
/* The name of a status, or "0x%08X". New reference. */
PyObject *py_status_text(uint32_t status);
/* A status given as a name, or a vendor's as int or "0x%08X". 0, or -1 with ValueError or TypeError. */
int py_status_from(PyObject *value, uint32_t *status);
/* {tag: bytes}, the first of a repeated tag, and [(tag, bytes)]. New references. */
PyObject *py_tlv_dict(const struct pdu *pdu);
PyObject *py_tlv_list(const struct pdu *pdu);
/* Octets of an address or id as str: latin-1, so that nothing is lost. */
PyObject *py_text(const uint8_t *p, size_t n);

/* py_fields.c: keyword arguments of a send helper, a dict, or of a message a tuple in message_order → an encoded PDU.
 * Returns its length and *raw (in a buffer that the
 * next call reuses), or 0 with ValueError or TypeError naming the argument. */
size_t py_fields_encode(uint32_t command_id, PyObject *fields, const uint8_t **raw);
/* A tag given by name or number. 0, or -1 with ValueError. */
int py_tlv_tag(PyObject *key, uint16_t *tag);
int py_fields_init(void);
/* tlvs= of a reply: the octets, valid until the next call. 0, or -1 with ValueError or TypeError. */
int py_tlvs_encode(PyObject *tlvs, const uint8_t **octets, size_t *len);
/* An attribute that is an int 0-255, or `otherwise` when there is none. */
long py_octet_attribute(PyObject *object, const char *name, long otherwise);
/* The text of a field as octets of the str itself. 0, or -1 with an exception that names it. */
int py_text_octets(const char *name, PyObject *value, const uint8_t **octets, size_t *len);

/* py_send.c, py_remember.c, py_cache.c, py_config.c, py_loop.c: functions of the module */
PyObject *py_send_bind(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *py_send_session(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *py_submit_remembered(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *py_receipt_key(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *py_redis(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *py_redis_forget(PyObject *module, PyObject *const *args, Py_ssize_t n);
PyObject *py_config(PyObject *module, PyObject *unused);
/* What the module has besides, where it runs: in a worker py_loop.c's functions. 0 or -1. */
int py_module_more(PyObject *module);
int py_loop_init(PyObject *loop);

/* py_wait.h: what scripts await. py_carrier.h: what carries a handler on. */
typedef struct wait Wait;
typedef struct carrier Carrier;
/* py_resume.c: goes on with the handlers whose Waits have ended. To be called when nothing of Python is on the stack.
 */
void py_resume_all(void);
/* Where it runs (py_loop.c in a worker): has py_resume_all called before the loop waits. */
void py_resume_wanted(void);

/* py_task.c: runs handlers. `done` is called exactly once: with the result (borrowed), or with NULL and an exception
 * set, which it must clear. */
typedef void py_task_done_fn(void *arg, PyObject *result);
int py_task_init(PyObject *loop);
/* Calls callable(*args) as an asyncio task would. timeout_ms 0: none; after it, done gets TimeoutError and the
 * coroutine is cancelled. Returns true when it suspended. args are kept for it by the coroutine itself. */
bool py_task_run(PyObject *callable, PyObject *const *args, size_t nargs, unsigned timeout_ms, py_task_done_fn *done,
                 void *arg);
/* Between two handlers the first one's idle task may stay asyncio's current one. To be called before anything else of
 * Python runs. */
void py_task_rest(void);
unsigned py_task_count(void); /* that have suspended and not ended */
/* To be called where the script's code returns to C: a forked child of the script's must not answer for the worker. */
void py_end_if_forked(void);
/* Logs the current exception with its traceback at error level and clears it. who: what it was about. */
void py_log_exception(const char *who);

/* GIL: C event callbacks run inside select() with the GIL held; nothing here needs to take it. */
#endif
