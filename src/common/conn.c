/* Buffered stream sockets: one shared read buffer, gathered writes, frees at the end of the turn.
 * What a record is, only the owner knows. */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util.h"

enum {
    READ_MAX = 64 * 1024,   /* octets of one connection in one turn of the loop */
    REST_MIN = 256,         /* smallest buffer for an incomplete record */
    OUT_MIN = 16 * 1024,    /* smallest write buffer */
    OUT_FULL = 8 * 1024,    /* so much is written at once, so that the peer has work before the turn ends */
    SPARE_MAX = 256 * 1024, /* largest write buffer that is kept for the next connection */
    SPARE_COUNT = 32
};

struct deferred {
    void (*fn)(void *);
    void *arg;
};

struct spare {
    uint8_t *buf;
    size_t cap;
};

struct io {
    struct ev_loop *loop;
    ev_prepare prepare; /* end of a turn: tasks, writes, frees */
    ev_idle idle;       /* active while tasks wait for the next turn, so that the loop polls and does not wait */
    uint8_t *buf;       /* READ_MAX, and the longest rest before it */
    size_t buf_size;
    struct conn *dirty;   /* have something to write that was not tried yet */
    struct io_task tasks; /* head of the ring */
    struct io_task mark;  /* in the ring while it is run: those behind it wait for the next turn */
    struct deferred *defer;
    size_t defer_count, defer_cap;
    struct spare spares[SPARE_COUNT];
    unsigned spare_count;
};

/*  out               out_off        out_off + out_len     out_cap
 *  |...taken by the kernel...|...to be written...|...room...|
 *  No write buffer at all (NULL) when nothing is to be written. */
struct conn {
    struct io *io;
    const struct conn_ops *ops; /* NULL: the owner has closed it, tell nobody */
    void *owner;
    struct conn_limits limits;
    ev_io reader, writer; /* writer runs only while the kernel takes no more */
    ev_timer *linger;     /* conn_close_after_write's time limit */
    struct conn *dirty_next;
    uint8_t *rest; /* an incomplete record, or NULL */
    size_t rest_len, rest_cap;
    uint8_t *out;
    size_t out_off, out_len, out_cap;
    size_t piece;         /* so much is written before the turn ends */
    uint64_t progress_ms; /* when the kernel last took something, or there was nothing to take */
    int fd;               /* -1: closed, freed at the end of the turn */
    int error;
    bool dirty, blocked, congested, closing, read_stopped;
};

static void conn_fail(struct conn *c, int error);
static void conn_flush(struct conn *c);

static void ring_init(struct io_task *head)
{
    head->prev = head->next = head;
}

static void ring_add(struct io_task *head, struct io_task *t)
{
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
}

void io_run(struct io *io, struct io_task *task)
{
    if (!task->next)
        ring_add(&io->tasks, task);
}

void io_run_cancel(struct io_task *task)
{
    if (!task->next)
        return;
    task->prev->next = task->next;
    task->next->prev = task->prev;
    task->prev = task->next = NULL;
}

/* Those asked for until now; what they ask for is left for the next turn. */
static void run_tasks(struct io *io)
{
    if (io->tasks.next == &io->tasks)
        return;
    ring_add(&io->tasks, &io->mark);
    while (io->tasks.next != &io->mark) {
        struct io_task *t = io->tasks.next;
        io_run_cancel(t);
        t->run(t);
    }
    io_run_cancel(&io->mark);
}

void io_defer(struct io *io, void (*fn)(void *), void *arg)
{
    if (io->defer_count == io->defer_cap) {
        io->defer_cap = io->defer_cap ? io->defer_cap * 2 : 64;
        io->defer = xrealloc(io->defer, io->defer_cap * sizeof(*io->defer));
    }
    io->defer[io->defer_count++] = (struct deferred){.fn = fn, .arg = arg};
}

static void run_deferred(struct io *io)
{
    struct deferred *list = io->defer;
    size_t count = io->defer_count;
    io->defer = NULL;
    io->defer_count = io->defer_cap = 0;
    for (size_t i = 0; i < count; i++)
        list[i].fn(list[i].arg);
    free(list);
}

void io_flush(struct io *io)
{
    while (io->dirty) {
        struct conn *c = io->dirty;
        io->dirty = c->dirty_next;
        c->dirty = false;
        if (!c->blocked)
            conn_flush(c);
    }
}

/* A connection that is closed leaves the dirty list here, before it is freed. */
static void end_turn(struct io *io)
{
    run_tasks(io);
    while (io->dirty || io->defer_count) {
        io_flush(io);
        run_deferred(io);
    }
}

static void on_prepare(struct ev_loop *loop, ev_prepare *w, int revents)
{
    struct io *io = w->data;
    (void)revents;
    end_turn(io);
    if (io->tasks.next != &io->tasks)
        ev_idle_start(loop, &io->idle);
    else
        ev_idle_stop(loop, &io->idle);
}

static void on_idle(struct ev_loop *loop, ev_idle *w, int revents)
{
    (void)loop, (void)w, (void)revents;
}

struct io *io_new(struct ev_loop *loop)
{
    struct io *io = xcalloc(1, sizeof(*io));
    io->loop = loop;
    ring_init(&io->tasks);
    io->buf_size = READ_MAX;
    io->buf = xmalloc(io->buf_size);
    ev_idle_init(&io->idle, on_idle);
    ev_prepare_init(&io->prepare, on_prepare);
    ev_set_priority(&io->prepare, EV_MINPRI); /* after whatever else is prepared */
    io->prepare.data = io;
    ev_prepare_start(loop, &io->prepare);
    ev_unref(loop);
    return io;
}

void io_free(struct io **io_p)
{
    struct io *io = *io_p;
    *io_p = NULL;
    if (!io)
        return;
    end_turn(io);
    ev_ref(io->loop);
    ev_prepare_stop(io->loop, &io->prepare);
    ev_idle_stop(io->loop, &io->idle);
    while (io->spare_count)
        free(io->spares[--io->spare_count].buf);
    free(io->defer);
    free(io->buf);
    free(io);
}

struct ev_loop *io_loop(const struct io *io)
{
    return io->loop;
}

/* The rest was at the front of what was shown, so what is already kept need not be copied again when none was used. */
static void keep_rest(struct conn *c, const uint8_t *data, size_t len, bool nothing_used)
{
    size_t kept = nothing_used ? c->rest_len : 0;
    if (len > c->limits.max_record) {
        conn_fail(c, EMSGSIZE);
        return;
    }
    if (len == 0) {
        free(c->rest);
        c->rest = NULL;
        c->rest_len = c->rest_cap = 0;
        return;
    }
    if (len > c->rest_cap) {
        c->rest_cap = len > REST_MIN ? len + len / 2 : REST_MIN;
        c->rest = xrealloc(c->rest, c->rest_cap);
    }
    memcpy(c->rest + kept, data + kept, len - kept);
    c->rest_len = len;
    assert(c->rest_len <= c->rest_cap);
}

/*  io->buf     rest_len         rest_len + n
 *  |...the rest...|...just read...|    One read in a turn, so that no peer starves the others. */
static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct conn *c = w->data;
    struct io *io = c->io;
    (void)loop, (void)revents;
    assert(c->rest_len + READ_MAX <= io->buf_size);
    ssize_t n = recv(c->fd, io->buf + c->rest_len, READ_MAX, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        conn_fail(c, n == 0 ? 0 : errno);
        return;
    }
    if (c->rest_len)
        memcpy(io->buf, c->rest, c->rest_len);
    size_t len = c->rest_len + (size_t)n;
    c->piece = c->limits.first_write ? c->limits.first_write : OUT_FULL;
    size_t used = c->ops->data(c, c->owner, io->buf, len);
    c->piece = OUT_FULL;
    if (c->fd == -1 || c->closing)
        return;
    assert(used <= len);
    keep_rest(c, io->buf + used, len - used, used == 0);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop, (void)revents;
    conn_flush(w->data);
}

static void tcp_nodelay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails where it is not TCP */
}

/* The old one may be shown to an owner at this moment. */
static void grow_buffer(struct io *io, size_t max_record)
{
    if (io->buf_size >= READ_MAX + max_record)
        return;
    io_defer(io, free, io->buf);
    io->buf_size = READ_MAX + max_record;
    io->buf = xmalloc(io->buf_size);
}

struct conn *conn_new(struct io *io, int fd, const struct conn_ops *ops, void *owner, const struct conn_limits *limits)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    c->io = io;
    c->fd = fd;
    c->ops = ops;
    c->owner = owner;
    c->limits = *limits;
    c->piece = OUT_FULL;
    util_set_nonblock(fd);
    tcp_nodelay(fd);
    grow_buffer(io, limits->max_record);
    ev_io_init(&c->reader, on_readable, fd, EV_READ);
    ev_io_init(&c->writer, on_writable, fd, EV_WRITE);
    c->reader.data = c->writer.data = c;
    ev_io_start(io->loop, &c->reader);
    return c;
}

static void release_out(struct conn *c)
{
    struct io *io = c->io;
    if (c->out && c->out_cap <= SPARE_MAX && io->spare_count < SPARE_COUNT)
        io->spares[io->spare_count++] = (struct spare){.buf = c->out, .cap = c->out_cap};
    else
        free(c->out);
    c->out = NULL;
    c->out_off = c->out_len = c->out_cap = 0;
}

static void conn_free(struct conn *c)
{
    release_out(c);
    free(c->rest);
    free(c->linger);
    free(c);
}

/* End of the turn: nobody holds the conn any longer. */
static void report_closed(void *arg)
{
    struct conn *c = arg;
    if (c->ops)
        c->ops->closed(c, c->owner, c->error);
    conn_free(c);
}

static void conn_fail(struct conn *c, int error)
{
    if (c->fd == -1)
        return;
    ev_io_stop(c->io->loop, &c->reader);
    ev_io_stop(c->io->loop, &c->writer);
    if (c->linger)
        ev_timer_stop(c->io->loop, c->linger);
    util_close(&c->fd);
    c->error = error;
    io_defer(c->io, report_closed, c);
}

/* Without unread input the kernel ends the stream in order, and the peer sees our last octets. */
static void close_in_order(struct conn *c)
{
    (void)shutdown(c->fd, SHUT_WR);
    for (int i = 0; i < 4; i++)
        if (recv(c->fd, c->io->buf, READ_MAX, MSG_DONTWAIT) <= 0)
            break;
    conn_fail(c, 0);
}

/* One write, as far as the kernel takes it. */
static void send_out(struct conn *c)
{
    ssize_t n;
    do {
        n = send(c->fd, c->out + c->out_off, c->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        conn_fail(c, errno);
        return;
    }
    if (n > 0) {
        c->out_off += (size_t)n;
        c->out_len -= (size_t)n;
        c->progress_ms = util_now_ms();
    }
    if (c->out_len == 0) {
        release_out(c);
        if (c->blocked)
            ev_io_stop(c->io->loop, &c->writer);
        c->blocked = false;
    } else if (!c->blocked) {
        c->blocked = true;
        ev_io_start(c->io->loop, &c->writer);
    }
}

static void conn_flush(struct conn *c)
{
    if (c->fd == -1)
        return;
    if (c->out_len)
        send_out(c);
    if (c->fd == -1)
        return;
    if (c->closing && c->out_len == 0) {
        close_in_order(c);
    } else if (c->congested && c->out_len <= c->limits.low_water) {
        c->congested = false;
        if (c->ops->drained)
            c->ops->drained(c, c->owner);
    }
}

void conn_close(struct conn **conn)
{
    struct conn *c = *conn;
    *conn = NULL;
    if (!c)
        return;
    c->ops = NULL;
    if (c->fd != -1 && c->out_len && !c->blocked)
        send_out(c);
    conn_fail(c, 0);
}

static void on_linger(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    conn_fail(w->data, 0);
}

static void mark_dirty(struct conn *c)
{
    if (c->dirty || c->blocked)
        return;
    c->dirty = true;
    c->dirty_next = c->io->dirty;
    c->io->dirty = c;
}

void conn_close_after_write(struct conn *c, unsigned timeout_ms)
{
    if (c->fd == -1 || c->closing)
        return;
    c->closing = true;
    c->congested = false;
    ev_io_stop(c->io->loop, &c->reader);
    c->linger = xcalloc(1, sizeof(*c->linger));
    ev_timer_init(c->linger, on_linger, timeout_ms / 1000.0, 0.);
    c->linger->data = c;
    ev_timer_start(c->io->loop, c->linger);
    mark_dirty(c);
}

/* A first buffer: one that another connection has left. */
static void first_out(struct conn *c)
{
    struct io *io = c->io;
    if (io->spare_count) {
        io->spare_count--;
        c->out = io->spares[io->spare_count].buf;
        c->out_cap = io->spares[io->spare_count].cap;
    } else {
        c->out = xmalloc(OUT_MIN);
        c->out_cap = OUT_MIN;
    }
}

static void make_room(struct conn *c, size_t n)
{
    if (!c->out)
        first_out(c);
    size_t cap = c->out_cap;
    while (cap < c->out_len + n)
        cap *= 2;
    if (cap == c->out_cap && c->out_off >= c->out_len) {
        memmove(c->out, c->out + c->out_off, c->out_len);
    } else if (c->out_off + c->out_len + n > c->out_cap) {
        if (cap == c->out_cap)
            cap *= 2;
        uint8_t *out = xmalloc(cap);
        memcpy(out, c->out + c->out_off, c->out_len);
        free(c->out);
        c->out = out;
        c->out_cap = cap;
    }
    c->out_off = 0;
}

uint8_t *conn_reserve(struct conn *c, size_t n)
{
    if (c->fd == -1 || c->closing || n > c->limits.max_write || c->out_len > c->limits.max_write - n)
        return NULL;
    if (c->out_off + c->out_len + n > c->out_cap || !c->out)
        make_room(c, n);
    assert(c->out_off + c->out_len + n <= c->out_cap);
    return c->out + c->out_off + c->out_len;
}

/* Not left for the end of the turn. What is above the mark then is what the kernel does not take: congestion. */
static void send_piece(struct conn *c)
{
    if (c->piece < OUT_FULL)
        c->piece *= 2;
    if (!c->blocked)
        send_out(c);
    if (c->fd != -1 && c->out_len > c->limits.high_water)
        c->congested = true;
}

void conn_commit(struct conn *c, size_t n)
{
    if (c->fd == -1)
        return;
    assert(c->out_off + c->out_len + n <= c->out_cap);
    if (c->out_len == 0 && n == 0) {
        release_out(c);
        return;
    }
    if (c->out_len == 0)
        c->progress_ms = util_now_ms();
    c->out_len += n;
    mark_dirty(c);
    if (c->out_len >= c->piece || c->out_len > c->limits.high_water)
        send_piece(c);
}

bool conn_write(struct conn *c, const void *data, size_t n)
{
    uint8_t *to = conn_reserve(c, n);
    if (!to)
        return false;
    memcpy(to, data, n);
    conn_commit(c, n);
    return true;
}

size_t conn_unsent(const struct conn *c)
{
    return c->out_len;
}

bool conn_congested(const struct conn *c)
{
    return c->congested;
}

uint64_t conn_stuck_ms(const struct conn *c)
{
    return c->out_len ? util_now_ms() - c->progress_ms : 0;
}

void conn_read_stop(struct conn *c)
{
    if (c->fd == -1 || c->closing || c->read_stopped)
        return;
    c->read_stopped = true;
    ev_io_stop(c->io->loop, &c->reader);
}

void conn_read_start(struct conn *c)
{
    if (c->fd == -1 || c->closing || !c->read_stopped)
        return;
    c->read_stopped = false;
    ev_io_start(c->io->loop, &c->reader);
}

int conn_fd(const struct conn *c)
{
    return c->fd;
}
