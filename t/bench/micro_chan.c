/* What a message between master and worker costs: both ends of a channel, in one process. */
#include "chan.h"
#include "micro.h"

enum { BODY = 120, BURST = 64 };

struct ends {
    struct ev_loop *loop;
    struct chan *master, *worker;
    unsigned expected;
    uint8_t body[BODY];
};

static void on_result(void *owner, struct msg *msg)
{
    struct ends *e = owner;
    micro_keep(msg->body);
    if (--e->expected == 0)
        ev_break(e->loop, EVBREAK_ALL);
}

static void on_closed(struct chan *chan, void *owner)
{
    (void)chan, (void)owner;
    micro_die("the channel was closed");
}

static void send_bursts(struct ends *e, unsigned n, unsigned burst)
{
    while (n) {
        unsigned now = n < burst ? n : burst;
        e->expected = now;
        for (unsigned i = 0; i < now; i++)
            if (!chan_data(e->master, MSG_RESULT, i + 1, 7, e->body, 3, e->body + 3, BODY - 3))
                micro_die("the channel is full");
        ev_run(e->loop, 0);
        n -= now;
    }
}

static void one_by_one(void *arg, unsigned n)
{
    send_bursts(arg, n, 1);
}

static void in_bursts(void *arg, unsigned n)
{
    send_bursts(arg, n, BURST);
}

int main(int argc, char **argv)
{
    static struct ends e;
    static const struct chan_ops ops = {.handlers = {[MSG_RESULT] = on_result}, .closed = on_closed};
    struct chan_pair pair;
    micro_init(argc, argv);
    if (chan_pair_open(&pair) < 0)
        micro_die("no channel");
    e.loop = ev_default_loop(0);
    struct io *io = io_new(e.loop);
    e.master = chan_new(io, pair.control[0], pair.data[0], &ops, &e);
    e.worker = chan_new(io, pair.control[1], pair.data[1], &ops, &e);
    micro("channel", "a message of 120 octets, sent and taken, 64 at a time", in_bursts, &e);
    micro("channel", "a message of 120 octets, sent and taken, alone", one_by_one, &e);
    return 0;
}
