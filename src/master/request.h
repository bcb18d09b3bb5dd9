/* What workers have asked for and not been answered: requests to upstreams (SUBMIT) and to sessions of other workers
 * (SEND_TO, see route.c). Each ends in exactly one RESULT, or nobody is there to hear it. */
#ifndef SMSCD_REQUEST_H
#define SMSCD_REQUEST_H

#include <uthash.h>

#include "master.h"
#include "msg.h"

struct bind_conn;

struct request {
    struct {
        uint64_t id; /* the worker's own */
        uint64_t worker;
    } key;
    struct master *m;
    struct proc *from;                 /* NULL: that worker has died */
    struct bind_conn *conn;            /* SUBMIT: where it went; NULL for SEND_TO */
    uint64_t ticket;                   /* SUBMIT: session_send's */
    struct proc *to;                   /* SEND_TO: who has the session */
    uint64_t forward_id;               /* SEND_TO: what `to` calls it */
    bool wants_late, late;             /* late: it has had its outcome, the answer itself may still come */
    struct request *prev, *next;       /* in from->requests; in the free list */
    struct request *to_prev, *to_next; /* in to->forwards */
    UT_hash_handle hh, forward_hh;
};

struct requests *requests_new(void);
void requests_free(struct requests **requests);
unsigned requests_count(const struct requests *requests);
/* One for a worker's id, in its table and list. NULL: that id is in use, or the worker has too many. */
struct request *request_new(struct master *m, struct proc *from, uint64_t id);
void request_free(struct request *r);
/* Tells a worker how its request ended; `body` of a RESULT is outcome, sent, late, raw response. */
void request_result(struct proc *to, uint64_t id, enum msg_outcome outcome, bool sent, bool late, const uint8_t *resp,
                    size_t len);
/* Forwards by their own ids. */
void request_forward(struct request *r, struct proc *to);
struct request *request_by_forward(struct master *m, uint64_t forward_id);
/* Its requests are taken back where they can be; what it owed answers to has failed. */
void requests_worker_gone(struct master *m, struct proc *p);

void request_on_submit(void *owner, struct msg *msg);
void request_on_cancel(void *owner, struct msg *msg);

#endif
