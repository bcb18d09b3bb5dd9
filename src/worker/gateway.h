/* The seam between the Python side (py_*) and whatever carries its wishes out: in a worker the channel to the master,
 * the worker's own sessions and Redis; in a test of a script a stand-in. The Python side knows nothing else. */
#ifndef SMSCD_GATEWAY_H
#define SMSCD_GATEWAY_H

#include "conf.h"
#include "msg.h"
#include "stats.h"

/* A reply of Redis. Valid during the call that hands it over. */
enum store_type { STORE_NIL, STORE_INT, STORE_STRING, STORE_ARRAY, STORE_ERROR, STORE_AWAY };
struct store_reply {
    enum store_type type;
    long long integer;
    const char *str; /* STRING; the text of ERROR and AWAY */
    size_t len;      /* of str; of an ARRAY the number of elements */
    const void *impl;
};
struct store_reply store_reply_element(const struct store_reply *array, size_t i);
typedef void store_done_fn(void *arg, const struct store_reply *reply);

/* How a send ended; msg.h says what the outcomes mean. Called exactly once per send, with flag SESSION_SEND_LATE once
 * more (late) after MSG_TIMEOUT or a cancel, never from within the call that sent. resp: the whole response of
 * MSG_RESPONSE. */
typedef void gateway_done_fn(void *arg, enum msg_outcome outcome, bool sent, bool late, const uint8_t *resp,
                             size_t len);

struct gateway_ops {
    /* A request to an upstream. Returns its id (> 0), or 0 with *why when it was not taken; done is then not called. */
    uint64_t (*submit)(unsigned bind, const uint8_t *raw, size_t len, unsigned timeout_ms, unsigned flags,
                       gateway_done_fn *done, void *arg, enum msg_outcome *why);
    /* A request to an ESME session, wherever it is. An alert_notification has no answer: 0 with MSG_RESPONSE in *why
     * when it was written, or an id whose outcome is MSG_RESPONSE once it was. */
    uint64_t (*send_to)(const char *session_id, const uint8_t *raw, size_t len, unsigned timeout_ms,
                        gateway_done_fn *done, void *arg, enum msg_outcome *why);
    /* The same to a receiving session of that system_id with little in hand. */
    uint64_t (*send_to_system)(const char *system_id, const uint8_t *raw, size_t len, unsigned timeout_ms,
                               gateway_done_fn *done, void *arg, enum msg_outcome *why);
    /* Nobody waits for it any longer: done is not called for it, but with SESSION_SEND_LATE exactly once with late set.
     * Returns the send's arg, or NULL when it had its outcome already. */
    void *(*cancel)(uint64_t id);
    /* One Redis command of argc parts, copied before it returns. done is called exactly once; when Redis is known to be
     * away, before it returns. */
    void (*redis)(int argc, const char **argv, const size_t *argvlen, store_done_fn *done, void *arg);
};

struct gateway {
    const struct gateway_ops *ops;
    const struct conf *conf;
    const char *node;
    unsigned worker;
    uint32_t generation;
    struct stats_block *stats;
    struct ev_loop *loop;
};

/* A message_id that no other worker, node or run makes: node, worker, generation and a counter in hex, at most 39
 * octets, NUL-terminated. Returns its length. */
size_t gateway_message_id(const struct gateway *gateway, char to[40]);
/* What a request is answered with whose handler raises or overruns. */
uint32_t gateway_fail_status(uint32_t command_id, bool of_upstream);

#endif
