/* The ESME sessions of this worker, from the accepted descriptor to the close: SMPP session ↔ handler. */
#ifndef SMSCD_ESME_H
#define SMSCD_ESME_H

#include "msg.h"
#include "session.h"

struct worker;
struct esme;
struct esmes;

struct esmes *esmes_new(struct worker *worker);
/* A connection that the master accepted; takes the descriptor. */
void esme_adopt(struct esmes *esmes, uint64_t number, int fd, const char *client_addr);
/* The master's answer to our SESSION_BIND. */
void esme_granted(struct esmes *esmes, uint64_t number, uint32_t command_status);
/* The session of that number, when it is bound and may be sent to; else NULL and *why. */
struct session *esme_session(struct esmes *esmes, uint64_t number, enum msg_outcome *why);
/* The receiving session of that system_id with the least unanswered, when it has room in its window; else NULL. */
struct session *esme_session_of(struct esmes *esmes, const char *system_id);
unsigned esme_count(const struct esmes *esmes);
/* Unbinds all (drain), or closes them at once. */
void esme_unbind_all(struct esmes *esmes, unsigned timeout_ms);
void esme_close_all(struct esmes *esmes, const char *reason);

/* What the registry shows of a bound session; strings belong to the session. */
struct esme_row {
    uint64_t number;
    const char *session_id, *system_id, *client_addr, *bind_type;
    double bound_at;
};
void esme_each_bound(struct esmes *esmes, void (*fn)(void *arg, const struct esme_row *row), void *arg);

#endif
