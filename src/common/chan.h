/* The two channels between the master and one worker: control (SOCK_SEQPACKET, descriptors) and data (stream, through
 * conn: gathered writes, water marks). No order holds between the two. */
#ifndef SMSCD_CHAN_H
#define SMSCD_CHAN_H

#include "conn.h"
#include "msg.h"

struct chan;

/* One per message type; NULL: this side does not take it (logged at alert, the channel is closed). */
typedef void chan_handler(void *owner, struct msg *msg);

struct chan_ops {
    chan_handler *handlers[MSG_TYPE_COUNT];
    void (*closed)(
        struct chan *chan,
        void *owner); /* the other side is gone, or sent what is no message. Once. chan is freed after it returns. */
    void (*drained)(struct chan *chan, void *owner); /* below the low-water mark again; may be NULL */
};

/* Two connected pairs, CLOEXEC and non-blocking: [0] for the master, [1] for the worker. 0, or -1 with errno. */
struct chan_pair {
    int control[2], data[2];
};
int chan_pair_open(struct chan_pair *pair);

/* Takes both descriptors. */
struct chan *chan_new(struct io *io, int control_fd, int data_fd, const struct chan_ops *ops, void *owner);
void chan_free(struct chan **chan); /* `closed` is not called */

/* Control: sends now or queues (bounded: 4096 messages); fd (-1: none) belongs to the message from here on, and is
 * closed when it was sent or cannot be. false: the queue is full or the channel gone. */
bool chan_control(struct chan *chan, enum msg_type type, uint64_t id, uint64_t session, const void *body, size_t len,
                  int fd);

/* Data: room for a message with a body of at most max octets; NULL when the channel is full (80 MiB). Write the body
 * through *body, then chan_send. Nothing else may be sent on the channel in between. */
uint8_t *chan_begin(struct chan *chan, size_t max);
void chan_send(struct chan *chan, enum msg_type type, uint64_t id, uint64_t session, size_t body_len);
/* begin, copy, send. head and tail are put one behind the other; either may be NULL with 0. Requests (SUBMIT, SEND_TO,
 * DELIVER, SESSION_BIND) find the channel full at 64 MiB already: the rest is for what tells of an end. */
bool chan_data(struct chan *chan, enum msg_type type, uint64_t id, uint64_t session, const void *head, size_t head_len,
               const void *tail, size_t tail_len);
/* Above the high-water mark (4 MiB): the other side does not keep up. */
bool chan_congested(const struct chan *chan);

#endif
