/* A worker's request to a session of another worker: to its owner and back. */
#ifndef SMSCD_ROUTE_H
#define SMSCD_ROUTE_H

#include "msg.h"

void route_on_send_to(void *owner, struct msg *msg);
void route_on_result(void *owner, struct msg *msg);

#endif
