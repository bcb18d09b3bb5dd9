/* The binds as a worker sees them: their state, told by the master, and their upstreams' requests. */
#ifndef SMSCD_UPSTREAM_H
#define SMSCD_UPSTREAM_H

#include "msg.h"

struct worker;
struct upstreams;

struct upstreams *upstreams_new(struct worker *worker);
/* MSG_BIND_STATE and MSG_DELIVER. */
void upstream_state(struct upstreams *upstreams, const struct msg *msg);
void upstream_deliver(struct upstreams *upstreams, const struct msg *msg);

#endif
