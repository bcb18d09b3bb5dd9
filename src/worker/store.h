/* Redis, asynchronously: one connection per worker, commands in a pipeline, each with a deadline of our own. */
#ifndef SMSCD_STORE_H
#define SMSCD_STORE_H

#include <ev.h>

#include "gateway.h"

struct store;

/* Starts connecting to url (redis://[[user]:password@]host[:port][/db] or unix://path) and keeps at it.
 * on_connected(arg) is called after every connect. NULL with *error (malloc'd) for a url that is none. */
struct store *store_open(struct ev_loop *loop, const char *url, unsigned timeout_ms, void (*on_connected)(void *),
                         void *arg, char **error);
void store_close(struct store **store);

/* One command, copied. done is called exactly once: with the reply, or with STORE_AWAY when Redis is away (then perhaps
 * before this returns), does not answer within timeout_ms, or 100,000 commands wait already. done may be NULL. */
void store_command(struct store *store, int argc, const char **argv, const size_t *argvlen, store_done_fn *done,
                   void *arg);
/* The same for strings, ended by NULL. */
void store_call(struct store *store, store_done_fn *done, void *arg, ...) __attribute__((sentinel));

#endif
