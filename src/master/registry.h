/* The ESME sessions of this node: which worker has each, who it is, and the limits that only the master sees. */
#ifndef SMSCD_REGISTRY_H
#define SMSCD_REGISTRY_H

#include <sys/socket.h>
#include <uthash.h>

#include "master.h"
#include "msg.h"
#include "session.h"

struct esme {
    uint64_t number;
    struct proc *proc;
    uint64_t since_ms; /* accepted, later bound */
    bool bound;
    enum session_bind_type bind_type;
    char addr[64];
    struct group *by_addr, *by_system_id; /* by_system_id: when bound */
    struct esme *prev, *next;             /* in by_system_id->receivers, when bound as one */
    UT_hash_handle hh;
};

/* Sessions that have something in common: an address, a system_id. */
struct group {
    char *name;
    unsigned count;
    struct esme *receivers; /* of a system_id: those that may be sent to; taken in turn */
    UT_hash_handle hh;
};

struct registry *registry_new(void);
void registry_free(struct registry **registry);
/* A connection is going to `proc`. Returns its record, or NULL when its address has max_per_address (0: any number)
 * already. The address in `addr` is with its port, `host` without. */
struct esme *registry_add(struct master *m, struct proc *proc, const char *addr, const char *host,
                          unsigned max_per_address);
void registry_remove(struct master *m, struct esme *esme);
struct esme *registry_find(const struct registry *registry, uint64_t number);
/* A receiving session of that system_id whose worker keeps up, in turn; NULL and *why when there is none. */
struct esme *registry_receiver(struct registry *registry, const char *system_id, enum msg_outcome *why);
void registry_worker_gone(struct master *m, struct proc *proc);
unsigned registry_connected(const struct registry *registry);
unsigned registry_bound(const struct registry *registry);
/* Calls back for each session. */
void registry_each(const struct registry *registry, void (*fn)(void *arg, const struct esme *esme), void *arg);

void registry_on_session_bind(void *owner, struct msg *msg);
void registry_on_session_gone(void *owner, struct msg *msg);

#endif
