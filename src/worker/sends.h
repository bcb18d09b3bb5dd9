/* What this worker has sent through the gateway and waits for: an id for each, over the master or to a session of its
 * own. */
#ifndef SMSCD_SENDS_H
#define SMSCD_SENDS_H

#include "gateway.h"
#include "session.h"

struct sends;
struct sends *sends_new(void);

/* Takes a place. `late`: done is called once more after MSG_TIMEOUT or a cancel. Returns its id, or 0 when 1,000,000
 * wait. */
uint64_t sends_add(struct sends *sends, bool late, gateway_done_fn *done, void *arg);
/* Takes it back when sending failed: done is not called. */
void sends_drop(struct sends *sends, uint64_t id);
/* For one that went to a session of this worker: what session_cancel needs. */
void sends_set_local(struct sends *sends, uint64_t id, struct session *session, uint64_t ticket);
/* An outcome. Ids that are over are ignored. */
void sends_done(struct sends *sends, uint64_t id, enum msg_outcome outcome, bool sent, bool late, const uint8_t *resp,
                size_t len);
/* Nobody waits any longer; returns the arg or NULL. *session and *ticket: the local session it went to, NULL when it
 * went over the master. */
void *sends_cancel(struct sends *sends, uint64_t id, struct session **session, uint64_t *ticket);

#endif
