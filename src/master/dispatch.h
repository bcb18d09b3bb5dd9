/* What the master can receive from a worker. */
#ifndef SMSCD_DISPATCH_H
#define SMSCD_DISPATCH_H

#include "chan.h"

/* One handler per message type; the owner is the struct proc. */
extern const struct chan_ops dispatch_ops;

#endif
