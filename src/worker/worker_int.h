/* The worker process: what its parts share. */
#ifndef SMSCD_WORKER_INT_H
#define SMSCD_WORKER_INT_H

#include "chan.h"
#include "esme.h"
#include "forward.h"
#include "gateway.h"
#include "presence.h"
#include "sends.h"
#include "session.h"
#include "store.h"
#include "upstream.h"
#include "worker.h"

struct worker {
    const struct worker_args *args;
    const struct conf *conf;
    struct stats_block *stats;
    struct ev_loop *loop;
    struct io *io;
    struct chan *chan; /* NULL once the master is gone */
    struct store *store;
    struct sends *sends;
    struct esmes *esmes;
    struct upstreams *upstreams;
    struct forwards *forwards;
    struct presence *presence;
    struct session_conf session_conf; /* of ESME sessions */
    struct gateway gateway;
    bool draining;
};

/* "<node>-<number>": what scripts know a session by. */
void worker_session_id(const struct worker *w, uint64_t number, char to[40]);
/* Says once a minute how many messages were acknowledged because no handler is registered. */
void worker_count_default(struct worker *w, const char *command);

#endif
