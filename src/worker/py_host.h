/* The interpreter in a worker, as the C side sees it: start, load, run, and calls into the script's handlers.
 * No Python type shows here. */
#ifndef SMSCD_PY_HOST_H
#define SMSCD_PY_HOST_H

#include "gateway.h"
#include "pdu.h"

/* Starts the interpreter and the asyncio loop on gateway->loop. The gateway must stay. 0, or -1 with *error (malloc'd).
 */
int py_host_start(struct gateway *gateway, char **error);
/* Loads the script (again). compiled: what py_host_compile made of it, -1: it is compiled here. 0, or -1 with *error
 * (malloc'd): the old handlers are then still in force. */
int py_host_load(int compiled, char **error);
/* In a process without an interpreter, and only for this: writes the byte code of the script, and of what it imports
 * from beside it, to a file. An error in the script is part of that. 0, or -1 with *error (malloc'd). */
int py_host_compile(const struct conf *conf, int to, char **error);
/* Runs asyncio's loop, and with it the libev loop, until py_host_stop. */
void py_host_run(void);
void py_host_stop(void);
/* In a child that the script has forked: it ends as soon as it would come back to the C side. */
void py_host_forked(void);
/* Coroutines that were started and have not ended: handlers and background tasks. */
unsigned py_host_busy(void);

/* What a handler sees as its Session. Made once per session; py_session_free drops the C side's hold on it. */
struct py_session;
struct py_session_info {
    const char *kind; /* "esme" or "bind" */
    const char *session_id, *system_id, *client_addr, *bind_type;
    const char *bind, *peer_system_id; /* kind "bind"; else NULL */
    double bound_at;                   /* UNIX time */
};
struct py_session *py_session_new(const struct py_session_info *info);
void py_session_free(struct py_session **session);

/* The answer of a handler for a PDU or a bind. */
struct py_answer {
    uint32_t status;
    const char *message_id; /* NULL: the handler gave none */
    size_t message_id_len;
    const char *reason; /* of a rejected bind, for the log; may be NULL */
    /* A response with more to it than a message_id (query_sm, submit_multi, data_sm): everything but its command_id and
     * sequence_number; valid during the call. NULL: status and message_id are all. */
    struct pdu_out *body;
};

/* A request that a handler is to answer. The caller fills a copy in; `answer` is called exactly once, perhaps before
 * py_host_pdu returns. */
struct py_call {
    void (*answer)(const struct py_call *call, const struct py_answer *answer);
    void *owner;
    uint64_t id, session;
    uint32_t command_id, sequence_number;
    uint32_t fail_status; /* what a handler that raises or overruns is answered with */
};

/* Whether the script has a handler for that request. */
bool py_host_has_handler(uint32_t command_id);
/* Calls the handler of pdu->command_id, which there must be. pdu is needed only during the call. An alert_notification
 * has no answer: `answer` is not called. */
void py_host_pdu(const struct py_call *call, const struct pdu *pdu, struct py_session *session);
/* Calls on_bind; rejects with ESME_RBINDFAIL when there is none. tls is for later. */
void py_host_bind(const struct py_call *call, const struct pdu *pdu, const char *client_addr);
/* Runs the on_session handlers for "bound" or "unbound", in order, one session's events one after the other. */
void py_host_session_event(const char *event, struct py_session *session);

#endif
