/* The embedded Redis: a private redis-server on a Unix socket in run_dir, its data in state_dir, supervised. */
#ifndef SMSCD_REDIS_SERVER_H
#define SMSCD_REDIS_SERVER_H

#include "master.h"

/* Prepares one: finds redis-server, sees that none is left over from before (waits for it to end). NULL with *error
 * (malloc'd). */
struct redis_server *redis_server_new(struct master *m, char **error);
void redis_server_free(struct redis_server **server);
/* Starts it, and again when it dies. master_redis_up is told when it answers, each time. */
void redis_server_start(struct redis_server *server);
/* Ends it, its data on disk first; master_redis_ended is told. */
void redis_server_stop(struct redis_server *server);
/* "unix:///.../redis.sock" */
const char *redis_server_url(const struct redis_server *server);
/* "up", "starting", ...; its pid or 0. */
const char *redis_server_state(const struct redis_server *server, int *pid);

#endif
