/* The channels between master and worker: framing and dispatch of messages, descriptors with their messages.
 * A worker's last words count: what was written before the other side ended is read before `closed`. */
#include "chan.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "log.h"
#include "util.h"

#define CONTROL_MAX (64 * 1024) /* header included; below what a socket buffer takes */
#define CONTROL_QUEUE_MAX 4096
#define CONTROL_BUDGET 64
#define CONTROL_RETRY_S 0.05
#define REQUESTS_MAX (64u << 20)
#define ENDS_MAX (16u << 20) /* beyond it */

struct outgoing {
    struct outgoing *prev, *next;
    int fd;
    size_t len;
    uint8_t data[];
};

struct chan {
    struct io *io;
    const struct chan_ops *ops;
    void *owner;
    struct conn *data;
    uint8_t *begun; /* between chan_begin and chan_send */
    int control_fd;
    ev_io readable, writable;
    ev_timer retry;
    struct outgoing *queue;
    unsigned queued;
    bool dead; /* freed at the end of the loop's turn */
};

static void control_read(struct chan *chan, unsigned budget);

int chan_pair_open(struct chan_pair *pair)
{
    *pair = (struct chan_pair){.control = {-1, -1}, .data = {-1, -1}};
    const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | flags, 0, pair->control) == -1)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | flags, 0, pair->data) == 0)
        return 0;
    int error = errno;
    util_close(&pair->control[0]);
    util_close(&pair->control[1]);
    errno = error;
    return -1;
}

static void free_outgoing(struct chan *chan, struct outgoing *out)
{
    DL_DELETE(chan->queue, out);
    chan->queued--;
    util_close(&out->fd);
    free(out);
}

static void shut(struct chan *chan)
{
    struct ev_loop *loop = io_loop(chan->io);
    chan->dead = true;
    chan->begun = NULL;
    ev_io_stop(loop, &chan->readable);
    ev_io_stop(loop, &chan->writable);
    ev_timer_stop(loop, &chan->retry);
    while (chan->queue)
        free_outgoing(chan, chan->queue);
    if (chan->data)
        conn_close(&chan->data);
    util_close(&chan->control_fd);
    io_defer(chan->io, free, chan);
}

void chan_free(struct chan **chan)
{
    if (*chan && !(*chan)->dead)
        shut(*chan);
    *chan = NULL;
}

static void fail(struct chan *chan)
{
    if (chan->dead)
        return;
    shut(chan);
    chan->ops->closed(chan, chan->owner);
}

/* Calls the handler of one whole message. The message's descriptor is closed unless the handler took it. */
static void dispatch(struct chan *chan, uint8_t *at, size_t len, int fd)
{
    struct wire w = wire_of(at, len);
    uint32_t length = wire_get_u32(&w);
    unsigned type = wire_get_u16(&w);
    unsigned zero = wire_get_u16(&w);
    struct msg msg = {.type = (enum msg_type)type, .fd = fd};
    msg.id = wire_get_u64(&w);
    msg.session = wire_get_u64(&w);
    msg.body = w.p;
    msg.len = wire_left(&w);
    if (w.error || length != len || zero != 0 || type >= MSG_TYPE_COUNT || !chan->ops->handlers[type]) {
        log_alert("channel", "message of type %u (%s), %zu octets, is not one for this side", type,
                  msg_type_name(msg.type), len);
        util_close(&msg.fd);
        fail(chan);
        return;
    }
    chan->ops->handlers[type](chan->owner, &msg);
    util_close(&msg.fd);
}

static size_t on_data(struct conn *conn, void *owner, uint8_t *data, size_t len)
{
    (void)conn;
    struct chan *chan = owner;
    size_t done = 0;
    while (!chan->dead && len - done >= MSG_HEADER_SIZE) {
        uint32_t length = wire_u32_at(data + done);
        if (length < MSG_HEADER_SIZE || length > MSG_MAX) {
            log_alert("channel", "message of %u octets", length);
            fail(chan);
            break;
        }
        if (len - done < length)
            break;
        dispatch(chan, data + done, length, -1);
        done += length;
    }
    return done;
}

static void on_data_closed(struct conn *conn, void *owner, int error)
{
    (void)conn;
    struct chan *chan = owner;
    chan->data = NULL;
    if (error && error != ECONNRESET && error != EPIPE)
        log_error("channel", "data channel: %s", strerror(error));
    if (chan->control_fd != -1)
        control_read(chan, CONTROL_QUEUE_MAX);
    fail(chan);
}

static void on_data_drained(struct conn *conn, void *owner)
{
    (void)conn;
    struct chan *chan = owner;
    if (chan->ops->drained)
        chan->ops->drained(chan, chan->owner);
}

/* The one descriptor of a message, or -1. Surplus ones are closed. */
static int take_fd(struct msghdr *mh)
{
    int taken = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int), i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (taken == -1)
                taken = fd;
            else
                close(fd);
        }
    }
    if (mh->msg_flags & MSG_CTRUNC) /* no descriptor left in this process: the handler sees none */
        log_error("channel", "a passed descriptor was lost: too many open files");
    return taken;
}

/* Reads one message: 1; 0: none now; -1: the other side has ended or failed. */
static int control_read_one(struct chan *chan)
{
    static uint8_t buf[CONTROL_MAX];
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(4 * sizeof(int))];
    } cmsg;
    struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = cmsg.buf, .msg_controllen = sizeof(cmsg.buf)};
    ssize_t n = recvmsg(chan->control_fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n == -1)
        return errno == EINTR ? 1 : errno == EAGAIN ? 0 : -1;
    int fd = take_fd(&mh);
    if (n == 0) {
        util_close(&fd);
        return -1;
    }
    dispatch(chan, buf, mh.msg_flags & MSG_TRUNC ? 0 : (size_t)n, fd);
    return 1;
}

/* The end of the control channel alone says nothing: what is left in the data channel comes first, then its end. */
static void control_read(struct chan *chan, unsigned budget)
{
    int got = 1;
    while (budget-- > 0 && !chan->dead && got == 1)
        got = control_read_one(chan);
    if (got == -1 && !chan->dead)
        ev_io_stop(io_loop(chan->io), &chan->readable);
}

static void on_control_readable(EV_P_ ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    control_read(watcher->data, CONTROL_BUDGET);
}

/* 1: sent; 0: not now, errno tells; -1: never. */
static int control_send(struct chan *chan, const uint8_t *data, size_t len, int fd)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } cmsg = {.buf = {0}};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd != -1) {
        mh.msg_control = cmsg.buf;
        mh.msg_controllen = sizeof(cmsg.buf);
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    while (sendmsg(chan->control_fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) == -1) {
        if (errno == EINTR)
            continue;
        return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? 0 : -1;
    }
    return 1;
}

/* Waits for room; for what the kernel tells of no end (descriptors in flight, memory), a little while. */
static void wait_to_send(struct chan *chan, int error)
{
    struct ev_loop *loop = io_loop(chan->io);
    if (error == EAGAIN) {
        ev_io_start(loop, &chan->writable);
        return;
    }
    ev_io_stop(loop, &chan->writable);
    if (!ev_is_active(&chan->retry)) {
        ev_timer_set(&chan->retry, CONTROL_RETRY_S, 0.);
        ev_timer_start(loop, &chan->retry);
    }
}

static void flush_queue(struct chan *chan)
{
    while (chan->queue) {
        if (control_send(chan, chan->queue->data, chan->queue->len, chan->queue->fd) == 0) {
            wait_to_send(chan, errno);
            return;
        }
        free_outgoing(chan, chan->queue); /* sent, or the end is about to be read */
    }
    ev_io_stop(io_loop(chan->io), &chan->writable);
}

static void on_control_writable(EV_P_ ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    flush_queue(watcher->data);
}

static void on_retry(EV_P_ ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    flush_queue(watcher->data);
}

struct chan *chan_new(struct io *io, int control_fd, int data_fd, const struct chan_ops *ops, void *owner)
{
    static const struct conn_ops data_ops = {.data = on_data, .closed = on_data_closed, .drained = on_data_drained};
    static const struct conn_limits limits = {
        .high_water = 4 << 20, .low_water = 1 << 20, .max_write = REQUESTS_MAX + ENDS_MAX, .max_record = MSG_MAX};
    struct chan *chan = xcalloc(1, sizeof(*chan));
    *chan = (struct chan){.io = io, .ops = ops, .owner = owner, .control_fd = control_fd};
    util_set_nonblock(control_fd);
    ev_io_init(&chan->readable, on_control_readable, control_fd, EV_READ);
    ev_io_init(&chan->writable, on_control_writable, control_fd, EV_WRITE);
    ev_timer_init(&chan->retry, on_retry, 0., 0.);
    chan->readable.data = chan->writable.data = chan->retry.data = chan;
    ev_io_start(io_loop(io), &chan->readable);
    chan->data = conn_new(io, data_fd, &data_ops, chan, &limits);
    return chan;
}

static void put_header(uint8_t *to, enum msg_type type, uint64_t id, uint64_t session, size_t body_len)
{
    struct wire w = wire_of(to, MSG_HEADER_SIZE);
    wire_put_u32(&w, (uint32_t)(MSG_HEADER_SIZE + body_len));
    wire_put_u16(&w, (uint16_t)type);
    wire_put_u16(&w, 0);
    wire_put_u64(&w, id);
    wire_put_u64(&w, session);
}

static bool enqueue(struct chan *chan, const uint8_t *data, size_t len, int fd)
{
    if (chan->queued >= CONTROL_QUEUE_MAX)
        return false;
    struct outgoing *out = xmalloc(sizeof(*out) + len);
    out->fd = fd;
    out->len = len;
    memcpy(out->data, data, len);
    DL_APPEND(chan->queue, out);
    chan->queued++;
    return true;
}

bool chan_control(struct chan *chan, enum msg_type type, uint64_t id, uint64_t session, const void *body, size_t len,
                  int fd)
{
    uint8_t buf[MSG_HEADER_SIZE + 1024], *data = buf;
    bool ok = false;
    if (!chan || chan->dead || len > CONTROL_MAX - MSG_HEADER_SIZE) {
        util_close(&fd);
        return false;
    }
    if (MSG_HEADER_SIZE + len > sizeof(buf))
        data = xmalloc(MSG_HEADER_SIZE + len);
    put_header(data, type, id, session, len);
    if (len)
        memcpy(data + MSG_HEADER_SIZE, body, len);
    int sent = chan->queue ? 0 : control_send(chan, data, MSG_HEADER_SIZE + len, fd);
    int error = errno;
    if (sent == 0) {
        bool first = !chan->queue;
        ok = enqueue(chan, data, MSG_HEADER_SIZE + len, fd);
        if (first)
            wait_to_send(chan, error);
    } else {
        ok = sent == 1;
    }
    if (sent != 0 || !ok)
        util_close(&fd);
    if (data != buf)
        free(data);
    return ok;
}

uint8_t *chan_begin(struct chan *chan, size_t max)
{
    if (!chan || chan->dead || !chan->data || max > MSG_MAX - MSG_HEADER_SIZE)
        return NULL;
    chan->begun = conn_reserve(chan->data, MSG_HEADER_SIZE + max);
    return chan->begun ? chan->begun + MSG_HEADER_SIZE : NULL;
}

void chan_send(struct chan *chan, enum msg_type type, uint64_t id, uint64_t session, size_t body_len)
{
    if (!chan->begun)
        return;
    put_header(chan->begun, type, id, session, body_len);
    chan->begun = NULL;
    conn_commit(chan->data, MSG_HEADER_SIZE + body_len);
}

/* A request that is refused is its sender's to report; of an end nobody would tell again. */
static bool is_request(enum msg_type type)
{
    return type == MSG_SUBMIT || type == MSG_SEND_TO || type == MSG_DELIVER || type == MSG_SESSION_BIND;
}

bool chan_data(struct chan *chan, enum msg_type type, uint64_t id, uint64_t session, const void *head, size_t head_len,
               const void *tail, size_t tail_len)
{
    size_t len = head_len + tail_len;
    bool full = is_request(type) && chan && chan->data && conn_unsent(chan->data) + len > REQUESTS_MAX;
    uint8_t *body = full ? NULL : chan_begin(chan, len);
    if (!body)
        return false;
    if (head_len)
        memcpy(body, head, head_len);
    if (tail_len)
        memcpy(body + head_len, tail, tail_len);
    chan_send(chan, type, id, session, len);
    return true;
}

bool chan_congested(const struct chan *chan)
{
    return chan && chan->data && conn_congested(chan->data);
}
