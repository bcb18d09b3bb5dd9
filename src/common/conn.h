/* A buffered stream socket on libev. Reads go through one buffer that all connections of the process share; what is
 * left of an incomplete record is kept per connection. Writes are gathered and leave in one write(2) before the loop
 * waits, or as soon as there are 8 KiB. An idle connection holds no buffer. */
#ifndef SMSCD_CONN_H
#define SMSCD_CONN_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the connections of one loop share. One per process. */
struct io;
struct io *io_new(struct ev_loop *loop);
void io_free(struct io **io);
struct ev_loop *io_loop(const struct io *io);
/* Writes out everything gathered so far. The loop does it by itself before it waits; needed only before an exit. */
void io_flush(struct io *io);
/* Calls fn(arg) at the end of this turn of the loop, when no callback is on the stack. For frees. */
void io_defer(struct io *io, void (*fn)(void *), void *arg);

/* Work that is done once before the loop waits next, ahead of the writes. A task may ask for another run of itself
 * while it runs: that one comes a turn later, and the loop does not wait in between. Lies in its owner; all zero at
 * first. */
struct io_task {
    struct io_task *prev, *next; /* both NULL: not asked for */
    void (*run)(struct io_task *task);
};
/* Asking twice is asking once. */
void io_run(struct io *io, struct io_task *task);
void io_run_cancel(struct io_task *task);

struct conn;

struct conn_ops {
    /* Octets have come. Returns how many of them were used; the rest is shown again with what follows. `data` is valid
     * only during the call. May close the connection (then the return value does not matter). */
    size_t (*data)(struct conn *conn, void *owner, uint8_t *data, size_t len);
    /* The other side has closed, or an error (errno value in `error`, 0 for a plain close). Called once, the
     * descriptor is closed already and the conn is freed after it returns. Not called after conn_close. */
    void (*closed)(struct conn *conn, void *owner, int error);
    /* What waits to be written has fallen below the low-water mark after having been above the high one. May be NULL.
     */
    void (*drained)(struct conn *conn, void *owner);
};

struct conn_limits {
    size_t high_water, low_water; /* marks of the write buffer; above high conn_congested() is true */
    size_t max_write;             /* beyond it conn_reserve fails */
    size_t max_record;            /* an incomplete record may be kept up to this; longer: closed with EMSGSIZE */
    size_t first_write; /* what `data` writes leaves as soon as it is so much, then twice as much each time, up to 8
                         * KiB, so that the peer goes on while we work; 0: 8 KiB from the start */
};

/* Takes the descriptor (non-blocking from then on, TCP_NODELAY when it is TCP). Reading starts at once. */
struct conn *conn_new(struct io *io, int fd, const struct conn_ops *ops, void *owner, const struct conn_limits *limits);
/* Closes and clears; `closed` is not called. What was gathered is tried to be written once, without waiting, first. */
void conn_close(struct conn **conn);
/* Closes as soon as everything gathered has been written, or after timeout_ms; reads nothing more.
 * `closed` is called then with 0. */
void conn_close_after_write(struct conn *conn, unsigned timeout_ms);

/* Room for n octets at the end of the write buffer, or NULL when max_write would be passed or the conn is closing. The
 * pointer is valid until the next call on this conn; conn_commit adds what was written of it (<= n). */
uint8_t *conn_reserve(struct conn *conn, size_t n);
void conn_commit(struct conn *conn, size_t n);
/* reserve, copy, commit: false when there was no room. */
bool conn_write(struct conn *conn, const void *data, size_t n);
/* Octets gathered and not yet taken by the kernel. */
size_t conn_unsent(const struct conn *conn);
bool conn_congested(const struct conn *conn);
/* Milliseconds for which the kernel has not taken one octet although some wait; 0 when none wait. */
uint64_t conn_stuck_ms(const struct conn *conn);
void conn_read_stop(struct conn *conn);
void conn_read_start(struct conn *conn);
int conn_fd(const struct conn *conn);

#endif
