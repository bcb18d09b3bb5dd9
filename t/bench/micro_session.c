/* What a session costs: framing and decoding a buffer of 64 submit_sm, and whole exchanges between two sessions. */
#include <sys/socket.h>

#include "micro_pdu.h"
#include "session_int.h"

enum { PDUS = 64 };

struct pair {
    struct ev_loop *loop;
    struct io *io;
    struct session *smsc, *esme;
    uint8_t raw[PDUS * 128];
    size_t len, one;
    unsigned to_send, unanswered;
    bool silent; /* requests are taken, not answered */
};

static void on_bind(struct session *s, void *owner, const struct pdu *pdu)
{
    (void)owner, (void)pdu;
    session_accept(s, "smsc");
}

static void on_bind_resp(struct session *s, void *owner, const struct pdu *pdu)
{
    struct pair *p = owner;
    (void)s, (void)pdu;
    ev_break(p->loop, EVBREAK_ALL);
}

static void on_request(struct session *s, void *owner, const struct pdu *pdu)
{
    struct pair *p = owner;
    if (p->silent)
        s->in_hand--;
    else
        session_reply_status(s, pdu->command_id, ESME_ROK, pdu->sequence_number);
}

static void on_closed(struct session *s, void *owner, const char *reason)
{
    (void)s, (void)owner;
    micro_die(reason);
}

static const struct session_conf conf = {
    .response_ms = 60000, .window_in = 1000, .window_out = 1000, .park_bytes = 65536, .max_pdu_bytes = 70000};
static const struct session_ops ops = {
    .bind = on_bind, .bind_resp = on_bind_resp, .request = on_request, .closed = on_closed};

static void open_pair(struct pair *p)
{
    int fds[2];
    struct pdu_out bind = {0}, message = micro_message(SMPP_submit_sm, MICRO_TEXT);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        micro_die("socketpair");
    p->loop = ev_default_loop(0);
    p->io = io_new(p->loop);
    p->smsc = session_new(p->io, fds[0], SESSION_SMSC, &conf, &ops, p, "smsc");
    p->esme = session_new(p->io, fds[1], SESSION_ESME, &conf, &ops, p, "esme");
    micro_put(&bind, PDU_system_id, "esme");
    session_bind(p->esme, SESSION_TRX, &bind);
    ev_run(p->loop, 0);
    for (unsigned i = 0; i < PDUS; i++)
        micro_append(&message, p->raw, sizeof(p->raw), &p->len);
    p->one = p->len / PDUS;
}

/* n PDUs, in buffers of 64. */
static void frame(void *arg, unsigned n)
{
    struct pair *p = arg;
    p->silent = true;
    for (unsigned left = n; left;) {
        unsigned now = left < PDUS ? left : PDUS;
        size_t len = now * p->one;
        if (session_in_data(p->smsc->conn, p->smsc, p->raw, len) != len)
            micro_die("not all was taken");
        left -= now;
    }
    p->silent = false;
}

static void on_answer(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len);

static void send_one(struct pair *p)
{
    p->to_send--;
    p->unanswered++;
    if (!session_send(p->esme, p->raw, p->one, 0, 0, on_answer, p, NULL))
        micro_die("the window is full");
}

static void on_answer(void *arg, enum session_outcome outcome, bool sent, const uint8_t *resp, size_t len)
{
    struct pair *p = arg;
    (void)sent, (void)resp, (void)len;
    if (outcome != SESSION_RESPONSE)
        micro_die("no answer");
    p->unanswered--;
    if (p->to_send)
        send_one(p);
    else if (!p->unanswered)
        ev_break(p->loop, EVBREAK_ALL);
}

static void exchange(struct pair *p, unsigned n, unsigned window)
{
    for (p->to_send = n; p->to_send && p->unanswered < window;)
        send_one(p);
    ev_run(p->loop, 0);
}

static void exchange_1(void *arg, unsigned n)
{
    exchange(arg, n, 1);
}

static void exchange_64(void *arg, unsigned n)
{
    exchange(arg, n, PDUS);
}

int main(int argc, char **argv)
{
    static struct pair p;
    micro_init(argc, argv);
    open_pair(&p);
    micro("framer", "submit_sm, 64 in a buffer, taken without an answer", frame, &p);
    micro("session", "submit_sm and its answer, both sides, window 64", exchange_64, &p);
    micro("session", "submit_sm and its answer, both sides, window 1", exchange_1, &p);
    return 0;
}
