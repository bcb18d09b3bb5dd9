/* SIGHUP and `smscctl reload`: the configuration is read and compared, the script compiled once and loaded anew in
 * every worker; a worker's own wish for that. */
#ifndef SMSCD_RELOAD_H
#define SMSCD_RELOAD_H

#include "master.h"
#include "msg.h"

/* How it ended: `text` says what failed, or what was loaded. */
typedef void reload_done_fn(void *arg, bool ok, const char *text);

struct reload *reload_new(struct master *m);
void reload_free(struct reload **reload);
/* Begins. One under way already: it is done once more after that. `done` (may be NULL) is called exactly once, not
 * from within; reload_forget takes it back. */
void reload_start(struct reload *reload, reload_done_fn *done, void *arg);
void reload_forget(struct reload *reload, void *arg);
/* A worker has died: no answer of its is waited for. */
void reload_worker_gone(struct reload *reload, struct proc *p);

void reload_on_reloaded(void *owner, struct msg *msg);
void reload_on_compile(void *owner, struct msg *msg);

#endif
