/* SEND_TO: requests of other workers for ESME sessions of ours. */
#ifndef SMSCD_FORWARD_H
#define SMSCD_FORWARD_H

#include "msg.h"

struct worker;
struct forwards;

/* w is kept by reference. */
struct forwards *forwards_new(struct worker *w);
/* Takes a SEND_TO; its RESULT follows, once, unless it is cancelled. */
void forwards_add(struct forwards *f, const struct msg *msg);
/* Nobody waits for it any longer: no RESULT follows, and what is not on the wire yet is not sent. */
void forwards_cancel(struct forwards *f, uint64_t id);

#endif
