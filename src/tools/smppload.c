/* smppload: an ESME that loads an SMSC and counts what comes back. Options, start and end. */
#include "load.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "log.h"
#include "opts.h"
#include "util.h"

#define UNBIND_MS 2000
#define ENTRIES_MAX 10000000.0

static struct load_options options = {
    .host = "127.0.0.1",
    .port = "2775",
    .system_id = "esme1",
    .password = "s3cret",
    .system_type = "",
    .connections = 1,
    .window = 10,
    .length = 40,
    .source = "smppload",
    .source_ton = 5,
    .destination = "4479########",
    .dest_ton = 1,
    .dest_npi = 1,
    .text = "##########",
    .response_timeout_ms = 30000,
    .enquire_link_ms = 30000,
    .receipt_timeout = 30,
    .bind_timeout = 10,
};
static bool idle;

static const char *const bind_types[] = {"trx", "tx+rx", "tx", "rx", NULL};

#define UINT(name, arg, field, min, max, help)                                                                         \
    {                                                                                                                  \
        name, arg, OPT_UINT, &options.field, min, max, NULL, help                                                      \
    }
#define NUMBER(name, arg, field, max, help)                                                                            \
    {                                                                                                                  \
        name, arg, OPT_NUMBER, &options.field, 0, max, NULL, help                                                      \
    }
#define STRING(name, arg, field, help)                                                                                 \
    {                                                                                                                  \
        name, arg, OPT_STRING, &options.field, 0, 0, NULL, help                                                        \
    }
#define FLAG(name, field, help)                                                                                        \
    {                                                                                                                  \
        name, NULL, OPT_FLAG, &options.field, 0, 0, NULL, help                                                         \
    }
static const struct opt table[] = {
    STRING("host", "HOST", host, "where the SMSC is"),
    STRING("port", "PORT", port, "its port"),
    STRING("system-id", "ID", system_id, "whom to bind as"),
    STRING("password", "TEXT", password, "the password"),
    STRING("system-type", "TEXT", system_type, "the system_type"),
    {"bind-type", "TYPE", OPT_CHOICE, &options.bind_type, 0, 0, bind_types,
     "trx, tx+rx (a pair of sessions each), tx or rx"},
    UINT("connections", "N", connections, 1, 60000, "how many connections (pairs with tx+rx)"),
    UINT("window", "N", window, 1, 65536, "messages unanswered on each"),
    NUMBER("rate", "N", rate, 1e7, "messages a second over all; 0: as fast as the answers come"),
    UINT("count", "N", count, 0, 4e9, "how many messages; 0: no limit"),
    NUMBER("time", "SECONDS", time, 1e7, "how long to send; 0: no limit (without --count: 10)"),
    {"idle", NULL, OPT_FLAG, &idle, 0, 0, NULL, "send nothing, stay bound (until --time or a signal)"},
    UINT("length", "N", length, 0, 65535, "octets of the message; over 254: message_payload"),
    STRING("text", "PATTERN", text, "what the message begins with; # counts up"),
    STRING("source", "PATTERN", source, "source address; # counts up"),
    STRING("destination", "PATTERN", destination, "destination address; # counts up"),
    UINT("source-ton", "N", source_ton, 0, 255, "its type of number"),
    UINT("source-npi", "N", source_npi, 0, 255, "its numbering plan"),
    UINT("dest-ton", "N", dest_ton, 0, 255, "type of number of the destination"),
    UINT("dest-npi", "N", dest_npi, 0, 255, "its numbering plan"),
    UINT("data-coding", "N", data_coding, 0, 255, "data_coding"),
    UINT("registered-delivery", "N", registered_delivery, 0, 255, "registered_delivery"),
    FLAG("receipts", receipts, "ask for receipts and wait for each"),
    NUMBER("receipt-timeout", "SECONDS", receipt_timeout, 1e7, "how long after the last answer or receipt"),
    UINT("response-timeout-ms", "MS", response_timeout_ms, 1, 86400000, "after which a message has no answer"),
    {"bind-timeout", "SECONDS", OPT_NUMBER, &options.bind_timeout, 0.1, 86400, NULL, "until which all must be bound"},
    UINT("enquire-link-ms", "MS", enquire_link_ms, 0, 86400000, "silence after which we ask; 0: never"),
    UINT("rebind-every", "N", rebind_every, 0, 4e9, "unbind and bind again after so many on a connection"),
    STRING("log", "FILE", log, "write each event to FILE, tab-separated"),
    FLAG("verbose", verbose, "print each message with its id, status and receipt"),
    FLAG("json", json, "the result as one line of JSON; times in microseconds"),
    FLAG("quiet", quiet, "no progress line"),
};
static const struct opts opts = {
    "smppload", "Sends messages as an ESME and waits for answers and receipts. Exit status 1: some were lost.", table,
    ARRAY_LEN(table)};

uint64_t load_clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void load_abort(struct load *load, const char *fmt, ...)
{
    va_list ap;
    if (load->failed)
        return;
    load->failed = true;
    fputs("smppload: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    ev_break(load->loop, EVBREAK_ALL);
}

/* One clock a turn: all that one read brings has the same time. */
static void on_turn(struct ev_loop *loop, ev_check *w, int events)
{
    (void)loop;
    (void)events;
    ((struct load *)w->data)->now_ns = load_clock_ns();
}

static void on_second(struct ev_loop *loop, ev_timer *w, int events)
{
    struct load *load = w->data;
    (void)loop;
    (void)events;
    load_progress(load);
    load_check_end(load);
}

static void stop_sending(struct load *load)
{
    if (!load->sending_ended_ns)
        load->sending_ended_ns = load_clock_ns();
    load_pace_stop(load);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int events)
{
    struct load *load = w->data;
    (void)events;
    if (load->started) {
        stop_sending(load);
        load_check_end(load);
    } else {
        load_abort(load, "only %u of %u sessions are bound after %g s", load->bound, load->conn_count,
                   load->o.bind_timeout);
        ev_break(loop, EVBREAK_ALL);
    }
}

void load_start(struct load *load)
{
    load->started = true;
    load->begun_ns = load->last_ns = load->now_ns;
    ev_timer_stop(load->loop, &load->deadline);
    if (load->o.time > 0) {
        ev_timer_set(&load->deadline, load->o.time, 0);
        ev_timer_start(load->loop, &load->deadline);
    }
    if (!load->o.quiet)
        fprintf(stderr, "%u sessions bound\n", load->bound);
    if (idle || load->o.bind_type == LOAD_RX)
        return;
    if (load->o.rate > 0) {
        load_pace_start(load);
        return;
    }
    for (unsigned i = 0; i < load->conn_count; i++) {
        if (load->conns[i].type != SESSION_RX)
            load_fill(&load->conns[i]);
    }
}

static bool sessions_left(const struct load *load)
{
    for (unsigned i = 0; i < load->conn_count; i++) {
        if (load->conns[i].session)
            return true;
    }
    return false;
}

static void unbind_all(struct load *load)
{
    load->ending = true;
    load->end_ns = load_clock_ns();
    ev_timer_stop(load->loop, &load->second);
    for (unsigned i = 0; i < load->conn_count; i++) {
        struct load_conn *conn = &load->conns[i];
        ev_timer_stop(load->loop, &conn->retry);
        conn->leaving = conn->session && session_state(conn->session) == SESSION_BOUND;
        if (conn->session)
            session_unbind(conn->session, UNBIND_MS);
    }
    if (!sessions_left(load))
        ev_break(load->loop, EVBREAK_ALL);
}

/* Whether receipts may still come: the last answer or receipt is not too long ago. */
static bool receipts_may_come(const struct load *load)
{
    return load->awaited && (double)(load->now_ns - load->last_ns) / 1e9 < load->o.receipt_timeout;
}

void load_check_end(struct load *load)
{
    if (load->ending) {
        if (!sessions_left(load))
            ev_break(load->loop, EVBREAK_ALL);
        return;
    }
    if (!load->started || (idle && !load->sending_ended_ns))
        return;
    if (!load->sending_ended_ns && !load_may_send(load))
        stop_sending(load);
    if (load->sending_ended_ns && !load->unanswered && !receipts_may_come(load))
        unbind_all(load);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int events)
{
    struct load *load = w->data;
    (void)events;
    if (load->sending_ended_ns || !load->started)
        ev_break(loop, EVBREAK_ALL); /* the second time: at once */
    stop_sending(load);
    load_check_end(load);
}

static void resolve(struct load *load)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *ai;
    int error = getaddrinfo(load->o.host, load->o.port, &hints, &ai);
    if (error) {
        fprintf(stderr, "smppload: %s port %s: %s\n", load->o.host, load->o.port, gai_strerror(error));
        exit(1);
    }
    load->addr = xcalloc(1, sizeof(*load->addr));
    memcpy(load->addr, ai->ai_addr, ai->ai_addrlen);
    load->addr_len = ai->ai_addrlen;
    freeaddrinfo(ai);
}

static void check_options(void)
{
    if (strlen(options.system_id) > 15 || strlen(options.password) > 8 || strlen(options.system_type) > 12)
        opts_fail(&opts, "at most 15 octets in --system-id, 8 in --password, 12 in --system-type");
    if (strlen(options.source) > 20 || strlen(options.destination) > 20)
        opts_fail(&opts, "at most 20 octets in --source and --destination");
    if ((double)options.connections * options.window > ENTRIES_MAX)
        opts_fail(&opts, "--connections times --window is more than %.0f", ENTRIES_MAX);
    if (options.receipts && options.count > LOAD_TRACKED_MAX)
        opts_fail(&opts, "--receipts: --count is more than %u", LOAD_TRACKED_MAX);
    if (options.receipts && options.bind_type == LOAD_TX)
        opts_fail(&opts, "--receipts needs a session that receives: --bind-type trx or tx+rx");
    if (!options.count && options.time <= 0 && !idle && options.bind_type != LOAD_RX)
        options.time = 10;
    if (options.receipts && !(options.registered_delivery & 3))
        options.registered_delivery |= 1;
}

static void load_init(struct load *load)
{
    load->o = options;
    load->pace_fd = -1;
    load->loop = ev_default_loop(0);
    load->io = io_new(load->loop);
    load->session_conf = (struct session_conf){.session_init_ms = (unsigned)(options.bind_timeout * 1000),
                                               .enquire_link_ms = options.enquire_link_ms,
                                               .response_ms = options.response_timeout_ms,
                                               .window_in = 1000,
                                               .park_bytes = 1024 * 1024,
                                               .park_status = ESME_RX_T_APPN,
                                               .window_out = options.window,
                                               .queue_out = 0,
                                               .max_pdu_bytes = 70000};
    const char *bad = load_prepare(load);
    if (bad)
        opts_fail(&opts, "%s", bad);
    if (options.log && !(load->log = evlog_open(load->loop, options.log))) {
        fprintf(stderr, "smppload: --log %s: %s\n", options.log, strerror(errno));
        exit(1);
    }
    resolve(load);
}

static void run(struct load *load)
{
    ev_signal term, interrupt;
    ev_check_init(&load->check, on_turn);
    ev_set_priority(&load->check, EV_MAXPRI);
    ev_timer_init(&load->second, on_second, 1, 1);
    ev_timer_init(&load->deadline, on_deadline, options.bind_timeout, 0);
    ev_signal_init(&term, on_signal, SIGTERM);
    ev_signal_init(&interrupt, on_signal, SIGINT);
    load->check.data = load->second.data = load->deadline.data = term.data = interrupt.data = load;
    ev_check_start(load->loop, &load->check);
    ev_timer_start(load->loop, &load->second);
    ev_timer_start(load->loop, &load->deadline);
    ev_signal_start(load->loop, &term);
    ev_signal_start(load->loop, &interrupt);
    load_conns_open(load);
    if (!load->failed)
        ev_run(load->loop, 0);
    io_flush(load->io);
    if (!load->end_ns)
        load->end_ns = load_clock_ns();
}

int main(int argc, char **argv)
{
    static struct load load;
    struct rlimit files;
    opts_parse(&opts, argc, argv);
    check_options();
    log_open(LOG_ERROR_, LOG_TEXT, NULL);
    log_set_process("smppload");
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    load_init(&load);
    run(&load);
    load.n.lost_receipts = load.awaited;
    load.n.lost_answers += load.unanswered;
    if (load.started)
        load_report(&load);
    bool lost = load.failed || !load.started || load_lost(&load) > 0;
    load.unanswered = 0;
    load_conns_free(&load);
    load_send_free(&load);
    free(load.records);
    free(load.addr);
    evlog_close(&load.log);
    io_free(&load.io);
    return lost ? 1 : 0;
}
