/* The channels between master and worker, both ends in one process: order, limits, descriptors, and how they end. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan.h"
#include "log.h"
#include "util.h"

struct side {
    struct chan *chan;
    unsigned got, closed, drained;
    uint64_t last_id, last_session;
    uint8_t last[64];
    size_t last_len;
    int fd;
    bool free_in_handler;
};

static struct ev_loop *loop;
static struct io *io;
static struct side a, b;
static struct chan_pair pair;

static void on_msg(void *owner, struct msg *msg)
{
    struct side *side = owner;
    side->got++;
    side->last_id = msg->id;
    side->last_session = msg->session;
    side->last_len = msg->len;
    memcpy(side->last, msg->body, msg->len < sizeof(side->last) ? msg->len : sizeof(side->last));
    if (side->free_in_handler)
        chan_free(&side->chan);
}

static void on_fd(void *owner, struct msg *msg)
{
    struct side *side = owner;
    on_msg(owner, msg);
    side->fd = msg->fd;
    msg->fd = -1;
}

static void on_closed(struct chan *chan, void *owner)
{
    struct side *side = owner;
    ck_assert_ptr_eq(chan, side->chan);
    side->closed++;
    side->chan = NULL;
}

static void on_drained(struct chan *chan, void *owner)
{
    (void)chan;
    ((struct side *)owner)->drained++;
}

static const struct chan_ops ops = {.handlers = {[MSG_ADOPT] = on_fd,
                                                 [MSG_SUBMIT] = on_msg,
                                                 [MSG_SESSION_GONE] = on_msg,
                                                 [MSG_READY] = on_msg,
                                                 [MSG_RELOAD] = on_msg},
                                    .closed = on_closed,
                                    .drained = on_drained};

static void turn(void)
{
    for (int i = 0; i < 20; i++)
        ev_run(loop, EVRUN_NOWAIT);
}

static unsigned open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void setup(void)
{
    log_open(LOG_ALERT_, LOG_TEXT, "/dev/null");
    loop = ev_loop_new(0);
    io = io_new(loop);
    a = b = (struct side){.fd = -1};
    ck_assert_int_eq(chan_pair_open(&pair), 0);
    a.chan = chan_new(io, pair.control[0], pair.data[0], &ops, &a);
    b.chan = chan_new(io, pair.control[1], pair.data[1], &ops, &b);
}

static void teardown(void)
{
    chan_free(&a.chan);
    chan_free(&b.chan);
    turn();
    io_free(&io);
    ev_loop_destroy(loop);
}

START_TEST(data_there_and_back)
{
    ck_assert(chan_data(a.chan, MSG_SUBMIT, 7, 1ull << 40, "head", 4, "tail", 4));
    turn();
    ck_assert_uint_eq(b.got, 1);
    ck_assert_uint_eq(b.last_id, 7);
    ck_assert_uint_eq(b.last_session, 1ull << 40);
    ck_assert_uint_eq(b.last_len, 8);
    ck_assert_mem_eq(b.last, "headtail", 8);
    ck_assert(chan_data(b.chan, MSG_SUBMIT, 1, 0, NULL, 0, NULL, 0));
    turn();
    ck_assert_uint_eq(a.got, 1);
    ck_assert_uint_eq(a.last_len, 0);
}
END_TEST

START_TEST(begin_and_send_less_than_reserved)
{
    uint8_t *body = chan_begin(a.chan, 1000);
    ck_assert_ptr_nonnull(body);
    memcpy(body, "xyz", 3);
    chan_send(a.chan, MSG_SUBMIT, 1, 2, 3);
    ck_assert(chan_data(a.chan, MSG_SUBMIT, 2, 2, "w", 1, NULL, 0));
    turn();
    ck_assert_uint_eq(b.got, 2);
    ck_assert_uint_eq(b.last_len, 1);
}
END_TEST

START_TEST(a_message_over_the_limit_is_refused)
{
    ck_assert_ptr_null(chan_begin(a.chan, MSG_MAX));
    ck_assert_ptr_nonnull(chan_begin(a.chan, MSG_MAX - MSG_HEADER_SIZE));
    chan_send(a.chan, MSG_SUBMIT, 1, 1, MSG_MAX - MSG_HEADER_SIZE);
    turn();
    ck_assert_uint_eq(b.last_len, MSG_MAX - MSG_HEADER_SIZE);
}
END_TEST

START_TEST(a_descriptor_travels_and_belongs_to_the_taker)
{
    int p[2];
    ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
    unsigned before = open_fds();
    ck_assert(chan_control(a.chan, MSG_ADOPT, 0, 5, "addr", 4, p[1]));
    turn();
    ck_assert_int_ne(b.fd, -1);
    ck_assert_uint_eq(open_fds(), before); /* one closed here, one there instead */
    ck_assert_int_eq(write(b.fd, "!", 1), 1);
    char c = 0;
    ck_assert_int_eq(read(p[0], &c, 1), 1);
    ck_assert_int_eq(c, '!');
    close(b.fd);
    close(p[0]);
}
END_TEST

START_TEST(a_descriptor_nobody_takes_is_closed)
{
    int p[2];
    ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
    ck_assert(chan_control(a.chan, MSG_READY, 0, 5, NULL, 0, p[1]));
    turn();
    ck_assert_uint_eq(b.got, 1);
    char c;
    ck_assert_int_eq(read(p[0], &c, 1), 0);
    close(p[0]);
}
END_TEST

START_TEST(descriptors_queued_are_closed_with_the_channel)
{
    int p[2];
    ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
    bool ok = true;
    unsigned sent = 0;
    while (ok && sent < 10000) {
        ok = chan_control(a.chan, MSG_ADOPT, 0, sent, NULL, 0, dup(p[1]));
        sent += ok;
    }
    ck_assert(!ok); /* the queue has an end */
    ck_assert_uint_ge(sent, 4096);
    chan_free(&a.chan);
    chan_free(&b.chan);
    turn();
    close(p[1]);
    char c;
    ck_assert_int_eq(read(p[0], &c, 1), 0);
    close(p[0]);
}
END_TEST

START_TEST(queued_control_messages_arrive_in_order)
{
    for (unsigned i = 1; i <= 3000; i++)
        ck_assert(chan_control(a.chan, MSG_RELOAD, i, 0, "0123456789", 10, -1));
    for (int i = 0; i < 200 && b.got < 3000; i++) {
        unsigned before = b.got;
        turn();
        ck_assert_uint_eq(b.last_id, b.got);
        ck_assert_uint_gt(b.got, before);
    }
    ck_assert_uint_eq(b.got, 3000);
}
END_TEST

START_TEST(last_words_are_read_before_closed)
{
    chan_control(a.chan, MSG_READY, 1, 0, "why", 3, -1);
    chan_data(a.chan, MSG_SUBMIT, 2, 0, "x", 1, NULL, 0);
    io_flush(io);
    chan_free(&a.chan);
    turn();
    ck_assert_uint_eq(b.got, 2);
    ck_assert_uint_eq(b.closed, 1);
}
END_TEST

START_TEST(the_end_of_control_alone_leaves_the_data)
{
    ck_assert_int_eq(shutdown(pair.control[0], SHUT_RDWR), 0);
    turn();
    ck_assert_uint_eq(b.closed, 0);
    ck_assert(chan_data(a.chan, MSG_SUBMIT, 3, 0, NULL, 0, NULL, 0));
    turn();
    ck_assert_uint_eq(b.got, 1);
    ck_assert(!chan_control(b.chan, MSG_RELOAD, 0, 0, NULL, 0, -1));
}
END_TEST

START_TEST(what_is_no_message_closes)
{
    static const uint8_t bad[][MSG_HEADER_SIZE] = {
        {0, 0, 0, 23, 0, MSG_SUBMIT},          /* shorter than its header */
        {0xff, 0, 0, 0, 0, MSG_SUBMIT},        /* longer than any */
        {0, 0, 0, 24, 0, MSG_TYPE_COUNT},      /* no type */
        {0, 0, 0, 24, 0, MSG_DRAIN},           /* not for this side */
        {0, 0, 0, 24, 0, MSG_SUBMIT, 0, 1, 0}, /* not zero where zero is */
    };
    ck_assert_int_eq(write(pair.data[0], bad[_i], MSG_HEADER_SIZE), MSG_HEADER_SIZE);
    turn();
    ck_assert_uint_eq(b.got, 0);
    ck_assert_uint_eq(b.closed, 1);
    ck_assert_uint_eq(a.closed, 1);
}
END_TEST

START_TEST(a_control_message_of_a_wrong_length_closes)
{
    uint8_t bad[MSG_HEADER_SIZE] = {0, 0, 0, 25, 0, MSG_READY};
    ck_assert_int_eq(send(pair.control[0], bad, _i ? sizeof(bad) : 3, 0), _i ? (int)sizeof(bad) : 3);
    turn();
    ck_assert_uint_eq(b.closed, 1);
    ck_assert_uint_eq(b.got, 0);
}
END_TEST

START_TEST(freed_in_its_own_handler)
{
    b.free_in_handler = true;
    chan_data(a.chan, MSG_SUBMIT, 1, 0, NULL, 0, NULL, 0);
    chan_data(a.chan, MSG_SUBMIT, 2, 0, NULL, 0, NULL, 0);
    turn();
    ck_assert_uint_eq(b.got, 1);
    ck_assert_uint_eq(b.closed, 0);
    ck_assert_uint_eq(a.closed, 1);
}
END_TEST

START_TEST(a_full_channel_refuses_and_recovers)
{
    static uint8_t body[65536];
    unsigned sent = 0;
    while (chan_data(a.chan, MSG_SUBMIT, sent + 1, 0, body, sizeof(body), NULL, 0))
        sent++;
    ck_assert(chan_congested(a.chan));
    ck_assert_uint_ge(sent, 4u << 20 >> 16);
    ck_assert_uint_le(sent, (64u << 20 >> 16) + 16); /* and what the kernel took */
    while (chan_data(a.chan, MSG_SUBMIT, sent + 1, 0, NULL, 0, NULL, 0))
        sent++;
    ck_assert(!chan_data(a.chan, MSG_SEND_TO, 1, 0, NULL, 0, NULL, 0));
    /* What tells of an end is not for refusing: nobody would say it again. */
    ck_assert(chan_data(a.chan, MSG_SESSION_GONE, sent + 1, 1, NULL, 0, NULL, 0));
    for (int i = 0; i < 2000 && b.got < sent + 1; i++)
        turn();
    ck_assert_uint_eq(b.got, sent + 1);
    ck_assert_uint_eq(b.last_id, sent + 1);
    ck_assert(!chan_congested(a.chan));
    ck_assert_uint_eq(a.drained, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chan");
    TCase *tc = tcase_create("chan");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, data_there_and_back);
    tcase_add_test(tc, begin_and_send_less_than_reserved);
    tcase_add_test(tc, a_message_over_the_limit_is_refused);
    tcase_add_test(tc, a_descriptor_travels_and_belongs_to_the_taker);
    tcase_add_test(tc, a_descriptor_nobody_takes_is_closed);
    tcase_add_test(tc, descriptors_queued_are_closed_with_the_channel);
    tcase_add_test(tc, queued_control_messages_arrive_in_order);
    tcase_add_test(tc, last_words_are_read_before_closed);
    tcase_add_test(tc, the_end_of_control_alone_leaves_the_data);
    tcase_add_loop_test(tc, what_is_no_message_closes, 0, 5);
    tcase_add_loop_test(tc, a_control_message_of_a_wrong_length_closes, 0, 2);
    tcase_add_test(tc, freed_in_its_own_handler);
    tcase_add_test(tc, a_full_channel_refuses_and_recovers);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
