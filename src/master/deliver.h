/* Requests of upstreams on their way through a worker: given to one that keeps up, answered when it has answered,
 * with a temporary error when it cannot. */
#ifndef SMSCD_DELIVER_H
#define SMSCD_DELIVER_H

#include "bind.h"
#include "msg.h"
#include "pdu.h"

struct deliveries *deliveries_new(void);
void deliveries_free(struct deliveries **deliveries);
unsigned deliveries_count(const struct deliveries *deliveries);
/* A deliver_sm, data_sm or alert_notification has come on conn. */
void deliver_request(struct bind_conn *conn, const struct pdu *pdu);
/* Answers what p has had in hand since before before_ms with ESME_RX_T_APPN. */
void deliver_give_up(struct proc *p, uint64_t before_ms);

void deliver_on_done(void *owner, struct msg *msg);

#endif
