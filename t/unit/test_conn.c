/* Buffered connections over socket pairs: records across reads, gathered writes, water marks, every way to end. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "util.h"

enum { RECORD = 10 };

static struct ev_loop *loop;
static struct io *io;
static struct conn *conn;
static int peer;
static struct {
    uint8_t got[4 * 1024 * 1024];
    size_t got_len;
    unsigned calls, closed, drained;
    int error;
    bool close_in_data;
} seen;

/* Takes whole records only. */
static size_t on_data(struct conn *c, void *owner, uint8_t *data, size_t len)
{
    size_t use = len / RECORD * RECORD;
    ck_assert_ptr_eq(owner, &seen);
    ck_assert_ptr_eq(c, conn);
    memcpy(seen.got + seen.got_len, data, use);
    seen.got_len += use;
    seen.calls++;
    if (seen.close_in_data)
        conn_close(&conn);
    return use;
}

static void on_closed(struct conn *c, void *owner, int error)
{
    (void)owner;
    ck_assert_ptr_eq(c, conn);
    seen.closed++;
    seen.error = error;
    conn = NULL;
}

static void on_drained(struct conn *c, void *owner)
{
    (void)c, (void)owner;
    seen.drained++;
}

static const struct conn_ops ops = {.data = on_data, .closed = on_closed, .drained = on_drained};
static const struct conn_limits limits = {
    .high_water = 64 * 1024, .low_water = 16 * 1024, .max_write = 1024 * 1024, .max_record = 1000};

static void setup(void)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    memset(&seen, 0, sizeof(seen));
    loop = ev_loop_new(0);
    io = io_new(loop);
    conn = conn_new(io, fds[0], &ops, &seen, &limits);
    peer = fds[1];
    fcntl(peer, F_SETFL, O_NONBLOCK);
}

static void teardown(void)
{
    conn_close(&conn);
    io_free(&io);
    ev_loop_destroy(loop);
    util_close(&peer);
}

static void turn(void)
{
    ev_run(loop, EVRUN_NOWAIT);
}

static void send_all(const void *data, size_t n)
{
    ck_assert_int_eq(send(peer, data, n, 0), (ssize_t)n);
}

static size_t peer_reads(uint8_t *to, size_t cap)
{
    ssize_t n = recv(peer, to, cap, 0);
    return n > 0 ? (size_t)n : 0;
}

START_TEST(records_split_anywhere)
{
    char text[5 * RECORD + 1] = "0123456789abcdefghijABCDEFGHIJ9876543210zyxwvutsrq";
    size_t a = (size_t)_i;
    for (size_t b = a; b <= 5 * RECORD; b++) {
        seen.got_len = 0;
        if (a > 0)
            send_all(text, a);
        turn();
        if (b > a)
            send_all(text + a, b - a);
        turn();
        if (b < 5 * RECORD)
            send_all(text + b, 5 * RECORD - b);
        turn();
        ck_assert_uint_eq(seen.got_len, 5 * RECORD);
        ck_assert_mem_eq(seen.got, text, 5 * RECORD);
    }
}
END_TEST

START_TEST(one_octet_at_a_time)
{
    for (int i = 0; i < 100; i++) {
        uint8_t b = (uint8_t)i;
        send_all(&b, 1);
        turn();
        ck_assert_uint_eq(seen.got_len, (size_t)(i + 1) / RECORD * RECORD);
    }
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(seen.got[i], (uint8_t)i);
}
END_TEST

START_TEST(long_stream_in_odd_pieces)
{
    static uint8_t data[1000000];
    size_t sent = 0;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31 + i / 256);
    for (size_t piece = 1; sent < sizeof(data); piece = piece * 7 % 99991) {
        size_t n = piece < sizeof(data) - sent ? piece : sizeof(data) - sent;
        ssize_t k = send(peer, data + sent, n, 0);
        sent += k > 0 ? (size_t)k : 0;
        turn();
    }
    while (seen.got_len < sizeof(data))
        turn();
    ck_assert_mem_eq(seen.got, data, sizeof(data));
}
END_TEST

static size_t on_data_use_none(struct conn *c, void *owner, uint8_t *data, size_t len)
{
    (void)c, (void)owner;
    memcpy(seen.got, data, len);
    seen.got_len = len;
    return 0;
}

START_TEST(record_over_the_limit_closes)
{
    static const struct conn_ops none = {.data = on_data_use_none, .closed = on_closed};
    uint8_t data[1001];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i / 3);
    conn_close(&conn);
    util_close(&peer);
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    peer = fds[1];
    conn = conn_new(io, fds[0], &none, &seen, &limits);
    for (int i = 0; i < 1000; i += 100) {
        send_all(data + i, 100);
        turn();
        ck_assert_uint_eq(seen.got_len, (size_t)i + 100);
        ck_assert_mem_eq(seen.got, data, seen.got_len);
    }
    ck_assert_uint_eq(seen.closed, 0);
    send_all(data, 1);
    turn();
    turn();
    ck_assert_uint_eq(seen.closed, 1);
    ck_assert_int_eq(seen.error, EMSGSIZE);
}
END_TEST

START_TEST(writes_leave_together_before_the_wait)
{
    uint8_t got[4096];
    for (int i = 0; i < 100; i++)
        ck_assert(conn_write(conn, "0123456789", 10));
    ck_assert_uint_eq(conn_unsent(conn), 1000);
    ck_assert_uint_eq(peer_reads(got, sizeof(got)), 0);
    turn();
    ck_assert_uint_eq(peer_reads(got, sizeof(got)), 1000);
    ck_assert_uint_eq(conn_unsent(conn), 0);
    uint8_t *to = conn_reserve(conn, 100);
    memcpy(to, "abc", 3);
    conn_commit(conn, 3);
    ck_assert_ptr_nonnull(conn_reserve(conn, 100));
    conn_commit(conn, 0);
    io_flush(io);
    ck_assert_uint_eq(peer_reads(got, sizeof(got)), 3);
    ck_assert_mem_eq(got, "abc", 3);
}
END_TEST

START_TEST(slow_reader)
{
    static uint8_t block[1000], got[65536];
    size_t sent = 0, read_back = 0, n;
    while (true) {
        for (size_t i = 0; i < sizeof(block); i++)
            block[i] = (uint8_t)((sent + i) % 251);
        if (!conn_write(conn, block, sizeof(block)))
            break;
        sent += sizeof(block);
        ck_assert_uint_le(conn_unsent(conn), limits.max_write);
    }
    ck_assert(conn_congested(conn));
    ck_assert_uint_gt(conn_unsent(conn), limits.max_write - sizeof(block));
    usleep(2000);
    ck_assert_uint_gt(conn_stuck_ms(conn), 0);
    while (read_back < sent) {
        turn();
        if (seen.drained)
            ck_assert(!conn_congested(conn));
        n = peer_reads(got, sizeof(got));
        for (size_t i = 0; i < n; i++)
            ck_assert_uint_eq(got[i], (read_back + i) % 251);
        read_back += n;
    }
    ck_assert_uint_eq(seen.drained, 1);
    ck_assert_uint_eq(conn_unsent(conn), 0);
    ck_assert_uint_eq(conn_stuck_ms(conn), 0);
    ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

static void on_alarm(struct ev_loop *l, ev_timer *w, int revents)
{
    (void)l, (void)revents;
    *(bool *)w->data = true;
}

START_TEST(idle_again_after_a_slow_reader)
{
    static uint8_t block[1000], got[65536];
    bool rang = false;
    ev_timer alarm_clock;
    for (int i = 0; i < 500; i++)
        conn_write(conn, block, sizeof(block));
    while (conn_unsent(conn)) {
        turn();
        while (peer_reads(got, sizeof(got)) > 0)
            ;
    }
    ev_timer_init(&alarm_clock, on_alarm, 0.05, 0.);
    alarm_clock.data = &rang;
    ev_timer_start(loop, &alarm_clock);
    unsigned start = ev_iteration(loop);
    while (!rang)
        ev_run(loop, EVRUN_ONCE);
    ck_assert_uint_le(ev_iteration(loop) - start, 5);
}
END_TEST

START_TEST(much_written_at_once_is_no_congestion_when_the_kernel_takes_it)
{
    static uint8_t block[1000], got[65536];
    for (int i = 0; i < 1000; i++) {
        ck_assert(conn_write(conn, block, sizeof(block)));
        ck_assert(!conn_congested(conn));
        while (peer_reads(got, sizeof(got)) > 0)
            ;
    }
}
END_TEST

/* 100 answers of 33 octets to what was read, and how much the peer has after each. */
static size_t peer_has_at[100];

static size_t on_data_answers(struct conn *c, void *owner, uint8_t *data, size_t len)
{
    static const uint8_t answer[33];
    int has;
    (void)owner, (void)data;
    for (size_t i = 0; i < ARRAY_LEN(peer_has_at); i++) {
        ck_assert(conn_write(c, answer, sizeof(answer)));
        ck_assert_int_eq(ioctl(peer, FIONREAD, &has), 0);
        peer_has_at[i] = (size_t)has;
    }
    return len;
}

START_TEST(answers_to_what_is_read_leave_in_growing_pieces)
{
    static const struct conn_ops answers = {.data = on_data_answers, .closed = on_closed};
    struct conn_limits first = limits;
    int fds[2];
    first.first_write = (size_t)_i;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    conn_close(&conn);
    util_close(&peer);
    conn = conn_new(io, fds[0], &answers, &seen, &first);
    peer = fds[1];
    fcntl(peer, F_SETFL, O_NONBLOCK);
    for (int again = 0; again < 2; again++) {
        uint8_t got[8192];
        size_t before = 0, piece = (size_t)_i;
        send_all("0123456789", 10);
        turn();
        for (size_t i = 0; i < ARRAY_LEN(peer_has_at); i++) {
            if (piece && 33 * (i + 1) - before >= piece) {
                before = 33 * (i + 1);
                piece *= 2;
            }
            ck_assert_uint_eq(peer_has_at[i], before);
        }
        turn();
        ck_assert_uint_eq(peer_reads(got, sizeof(got)), 3300);
    }
    ck_assert(conn_write(conn, peer_has_at, sizeof(peer_has_at))); /* not while reading: at the end of the turn */
    ck_assert_uint_eq(peer_reads((uint8_t *)peer_has_at, 1), 0);
}
END_TEST

START_TEST(reading_stops_and_goes_on)
{
    conn_read_stop(conn);
    conn_read_stop(conn);
    send_all("0123456789", 10);
    turn();
    ck_assert_uint_eq(seen.calls, 0);
    conn_read_start(conn);
    turn();
    ck_assert_uint_eq(seen.got_len, 10);
}
END_TEST

START_TEST(peer_closes)
{
    send_all("0123456789abc", 13);
    util_close(&peer);
    turn();
    turn();
    turn();
    ck_assert_uint_eq(seen.got_len, 10);
    ck_assert_uint_eq(seen.closed, 1);
    ck_assert_int_eq(seen.error, 0);
}
END_TEST

START_TEST(write_to_a_peer_that_is_gone)
{
    conn_read_stop(conn);
    util_close(&peer);
    ck_assert(conn_write(conn, "x", 1));
    turn();
    ck_assert_uint_eq(seen.closed, 1);
    ck_assert_int_eq(seen.error, EPIPE);
}
END_TEST

START_TEST(close_in_the_callback)
{
    seen.close_in_data = true;
    send_all("0123456789abc", 13);
    turn();
    turn();
    ck_assert_ptr_null(conn);
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

START_TEST(close_tries_to_write)
{
    uint8_t got[10];
    conn_write(conn, "bye", 3);
    conn_close(&conn);
    ck_assert_ptr_null(conn);
    ck_assert_uint_eq(peer_reads(got, sizeof(got)), 3);
    turn();
    ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

static size_t read_to_the_end(void)
{
    static uint8_t got[65536];
    size_t total = 0;
    ssize_t n;
    while ((n = recv(peer, got, sizeof(got), 0)) != 0) {
        if (n > 0)
            total += (size_t)n;
        else
            turn();
    }
    return total;
}

START_TEST(close_after_write_delivers_all)
{
    static uint8_t block[1000];
    size_t sent = 0;
    for (; conn_write(conn, block, sizeof(block)); sent += sizeof(block))
        ;
    conn_close_after_write(conn, 60000);
    ck_assert_ptr_null(conn_reserve(conn, 1));
    ck_assert_uint_eq(seen.closed, 0);
    send_all("0123456789", 10); /* not looked at any more */
    ck_assert_uint_eq(read_to_the_end(), sent);
    turn();
    ck_assert_uint_eq(seen.closed, 1);
    ck_assert_int_eq(seen.error, 0);
    ck_assert_uint_eq(seen.calls, 0);
}
END_TEST

START_TEST(close_after_write_with_nothing_to_write)
{
    conn_close_after_write(conn, 60000);
    ck_assert_uint_eq(seen.closed, 0);
    turn();
    ck_assert_uint_eq(seen.closed, 1);
}
END_TEST

START_TEST(close_after_write_does_not_wait_for_ever)
{
    static uint8_t block[1000];
    while (conn_write(conn, block, sizeof(block)))
        ;
    conn_close_after_write(conn, 20);
    while (!seen.closed)
        ev_run(loop, EVRUN_ONCE);
    ck_assert_ptr_null(conn);
}
END_TEST

static struct {
    struct io_task task;
    unsigned runs, again;
} work;

static void run_work(struct io_task *t)
{
    ck_assert_ptr_eq(t, &work.task);
    if (++work.runs < work.again)
        io_run(io, t);
}

START_TEST(task_runs_once_a_turn_and_the_loop_does_not_wait)
{
    memset(&work, 0, sizeof(work));
    work.task.run = run_work;
    work.again = 5;
    io_run(io, &work.task);
    io_run(io, &work.task);
    ck_assert_uint_eq(work.runs, 0);
    for (unsigned i = 1; i <= 5; i++) {
        ev_run(loop, i < 5 ? EVRUN_ONCE : EVRUN_NOWAIT); /* hangs when it waits although work is left */
        ck_assert_uint_eq(work.runs, i);
    }
    turn();
    ck_assert_uint_eq(work.runs, 5);
    io_run(io, &work.task);
    io_run_cancel(&work.task);
    io_run_cancel(&work.task);
    turn();
    ck_assert_uint_eq(work.runs, 5);
}
END_TEST

static void count(void *arg)
{
    ++*(unsigned *)arg;
}

START_TEST(deferred_runs_before_the_wait)
{
    unsigned n = 0;
    for (int i = 0; i < 1000; i++)
        io_defer(io, count, &n);
    ck_assert_uint_eq(n, 0);
    turn();
    ck_assert_uint_eq(n, 1000);
    turn();
    ck_assert_uint_eq(n, 1000);
}
END_TEST

static void add_ends(TCase *tc)
{
    tcase_add_test(tc, peer_closes);
    tcase_add_test(tc, write_to_a_peer_that_is_gone);
    tcase_add_test(tc, close_in_the_callback);
    tcase_add_test(tc, close_tries_to_write);
    tcase_add_test(tc, close_after_write_delivers_all);
    tcase_add_test(tc, close_after_write_with_nothing_to_write);
    tcase_add_test(tc, close_after_write_does_not_wait_for_ever);
    tcase_add_test(tc, task_runs_once_a_turn_and_the_loop_does_not_wait);
    tcase_add_test(tc, deferred_runs_before_the_wait);
}

int main(void)
{
    Suite *s = suite_create("conn");
    TCase *tc = tcase_create("conn");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, records_split_anywhere, 0, 5 * RECORD + 1);
    tcase_add_test(tc, one_octet_at_a_time);
    tcase_add_test(tc, long_stream_in_odd_pieces);
    tcase_add_test(tc, record_over_the_limit_closes);
    tcase_add_test(tc, writes_leave_together_before_the_wait);
    tcase_add_test(tc, slow_reader);
    tcase_add_test(tc, idle_again_after_a_slow_reader);
    tcase_add_test(tc, much_written_at_once_is_no_congestion_when_the_kernel_takes_it);
    tcase_add_loop_test(tc, answers_to_what_is_read_leave_in_growing_pieces, 0, 1);
    tcase_add_loop_test(tc, answers_to_what_is_read_leave_in_growing_pieces, 512, 513);
    tcase_add_test(tc, reading_stops_and_goes_on);
    add_ends(tc);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
