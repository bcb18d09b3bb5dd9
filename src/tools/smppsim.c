/* smppsim: an upstream SMSC to test against. Options, listener, start and end; sessions are in sim_session.c, what
 * happens later in sim_job.c. */
#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "log.h"
#include "opts.h"
#include "pattern.h"
#include "util.h"

#define UNBIND_MS 2000
#define ACCEPT_REST_S 1.0

static struct sim_options options = {
    .bind_address = "127.0.0.1",
    .server_id = "smppsim",
    .port = 2776,
    .id_prefix = "msg-",
    .id_start = 1,
    .receipt_before_ms = 10,
    .stat = SMPP_STATE_DELIVERED - 1,
    .mo_source = "4917########",
    .mo_destination = "4930",
    .error_status = ESME_RSYSERR,
    .delay_ms = 1000,
    .deliver_window = 10,
    .deliver_timeout_ms = 10000,
    .retries = 20,
    .retry_min_ms = 100,
    .retry_max_ms = 5000,
    .max_pending = 200000,
    .window = 1000,
    .enquire_link_ms = 30000,
    .seed = 1,
};

static const char *const id_formats[] = {"dec", "hex", "prefix", NULL};
#define X(name, value, stat, final) stat,
static const char *const stats[] = {SMPP_MESSAGE_STATES(X) NULL};
#undef X

#define UINT(name, arg, field, min, max, help)                                                                         \
    {                                                                                                                  \
        name, arg, OPT_UINT, &options.field, min, max, NULL, help                                                      \
    }
#define RATE(name, field, help)                                                                                        \
    {                                                                                                                  \
        name, "PERCENT", OPT_NUMBER, &options.field, 0, 100, NULL, help                                                \
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
    STRING("bind-address", "ADDRESS", bind_address, "address to listen on"),
    UINT("port", "PORT", port, 0, 65535, "port; 0: a free one, printed at the start"),
    STRING("system-id", "ID", system_id, "the only system_id that may bind; default: any"),
    STRING("password", "TEXT", password, "the password it must give; default: any"),
    STRING("server-id", "ID", server_id, "our own system_id, in the answer to a bind"),
    UINT("window", "N", window, 1, 65536, "requests of a session in hand (those delayed or dropped)"),
    UINT("enquire-link-ms", "MS", enquire_link_ms, 0, 86400000, "silence after which we ask; 0: never"),
    {"id-format", "FORMAT", OPT_CHOICE, &options.id_format, 0, 0, id_formats, "message ids: dec, hex or prefix"},
    STRING("id-prefix", "TEXT", id_prefix, "what ids begin with, with --id-format prefix"),
    {"id-start", "N", OPT_NUMBER, &options.id_start, 0, 9007199254740992.0, NULL, "number of the first id"},
    UINT("receipt-delay-ms", "MS", receipt_delay_ms, 0, 86400000, "from the answer to the receipt"),
    RATE("receipt-before-rate", receipt_before_rate, "receipts sent before the answer to their message"),
    UINT("receipt-before-ms", "MS", receipt_before_ms, 1, 60000, "how long before it"),
    RATE("receipt-tlv-rate", receipt_tlv_rate, "receipts marked by their TLVs alone: esm_class 0, no text"),
    RATE("intermediate-rate", intermediate_rate, "receipts that an intermediate one (ENROUTE) precedes"),
    {"stat", "STAT", OPT_CHOICE, &options.stat, 0, 0, stats, "state in the receipts"},
    {"mo-rate", "N", OPT_NUMBER, &options.mo_rate, 0, 1e6, NULL, "MO messages a second, to receivers in turn"},
    UINT("mo-count", "N", mo_count, 0, 1e9, "no more than so many; 0: no limit"),
    STRING("mo-source", "PATTERN", mo_source, "their source, # counts up"),
    STRING("mo-destination", "PATTERN", mo_destination, "their destination"),
    RATE("error-rate", error_rate, "messages answered with an error"),
    {"error-status", "NAME", OPT_STATUS, &options.error_status, 0, 0, NULL, "which"},
    RATE("delay-rate", delay_rate, "messages answered late"),
    UINT("delay-ms", "MS", delay_ms, 1, 86400000, "how late"),
    RATE("drop-rate", drop_rate, "messages never answered"),
    RATE("disconnect-rate", disconnect_rate, "messages upon which the connection is closed"),
    UINT("deliver-window", "N", deliver_window, 1, 65536, "deliver_sm unanswered on a session"),
    UINT("deliver-timeout-ms", "MS", deliver_timeout_ms, 1, 86400000, "how long an answer to deliver_sm may take"),
    UINT("retries", "N", retries, 0, 1000000, "how often a deliver_sm not taken is sent again"),
    UINT("retry-min-ms", "MS", retry_min_ms, 1, 86400000, "the first time after so long, then twice as long"),
    UINT("retry-max-ms", "MS", retry_max_ms, 1, 86400000, "up to"),
    UINT("max-pending", "N", max_pending, 10, 10000000, "receipts pending, beyond it ESME_RMSGQFUL"),
    UINT("count", "N", count, 0, 4e9, "end after so many messages and their receipts; 0: do not"),
    {"time", "SECONDS", OPT_NUMBER, &options.time, 0, 1e7, NULL, "end after so long; 0: do not"},
    UINT("seed", "N", seed, 1, 4e9, "seed of the random numbers: same seed, same choices"),
    STRING("log", "FILE", log, "write each event to FILE, tab-separated"),
    FLAG("quiet", quiet, "do not tell of sessions, no summary in words"),
    FLAG("json", json, "the summary as one line of JSON"),
};
static const struct opts opts = {"smppsim", "An SMSC to test against: takes binds, gives ids, sends receipts.", table,
                                 ARRAY_LEN(table)};

bool sim_draw(struct sim *sim, double percent)
{
    sim->rng ^= sim->rng >> 12;
    sim->rng ^= sim->rng << 25;
    sim->rng ^= sim->rng >> 27;
    return (double)(sim->rng * 0x2545f4914f6cdd1dULL >> 11) * 0x1p-53 * 100 < percent;
}

void sim_event(struct sim *sim, const struct sim_conn *conn, const char *event, const struct evlog_line *what)
{
    if (!sim->log)
        return;
    struct evlog_line line = *what;
    line.connection = conn->number;
    line.event = event;
    line.system_id = conn->group ? conn->group->system_id : "";
    evlog_write(sim->log, &line);
}

static void on_end_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)w;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

void sim_end(struct sim *sim)
{
    if (sim->ending)
        return;
    sim->ending = true;
    struct sim_conn *conn, *tmp;
    DL_FOREACH_SAFE (sim->conns, conn, tmp) {
        session_unbind(conn->session, UNBIND_MS);
    }
    ev_timer_init(&sim->end_timer, on_end_timer, sim->conns ? UNBIND_MS / 1000.0 + 1 : 0, 0);
    ev_timer_start(sim->loop, &sim->end_timer);
}

static void on_check_count(void *arg)
{
    struct sim *sim = arg;
    if (sim->n.submits >= sim->o.count && sim->jobs == 0)
        sim_end(sim);
}

void sim_check_count(struct sim *sim)
{
    if (sim->n.submits >= sim->o.count && sim->jobs == 0)
        io_defer(sim->io, on_check_count, sim);
}

static void on_accept_again(struct ev_loop *loop, ev_timer *w, int events)
{
    struct sim *sim = w->data;
    (void)events;
    ev_io_start(loop, &sim->accepting);
}

/* Without a descriptor left the listener would be ready for ever: it rests. */
static void accept_rest(struct sim *sim)
{
    log_error(NULL, "no descriptor left to accept a connection");
    ev_io_stop(sim->loop, &sim->accepting);
    ev_timer_set(&sim->accept_again, ACCEPT_REST_S, 0);
    ev_timer_start(sim->loop, &sim->accept_again);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int events)
{
    struct sim *sim = w->data;
    (void)loop;
    (void)events;
    for (unsigned i = 0; i < 64; i++) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0 && !sim->ending) {
            sim_accept(sim, fd);
            continue;
        }
        if (fd >= 0)
            util_close(&fd);
        else if (errno == EMFILE || errno == ENFILE)
            accept_rest(sim);
        return;
    }
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int events)
{
    struct sim *sim = w->data;
    (void)events;
    if (sim->ending)
        ev_break(loop, EVBREAK_ALL);
    sim_end(sim);
}

static void on_time(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    sim_end(w->data);
}

static int listen_on(const char *address, unsigned port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST}, *ai;
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    int error = getaddrinfo(address, service, &hints, &ai);
    if (error)
        opts_fail(&opts, "--bind-address: %s: %s", address, gai_strerror(error));
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 4096) < 0) {
        fprintf(stderr, "smppsim: cannot listen on %s port %u: %s\n", address, port, strerror(errno));
        exit(1);
    }
    freeaddrinfo(ai);
    return fd;
}

static void print_listening(int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    char text[64] = "";
    if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
        util_addr_text((struct sockaddr *)&ss, text, sizeof(text));
    printf("listening on %s\n", text);
    fflush(stdout);
}

static void print_summary(const struct sim *sim)
{
    if (sim->o.json) {
        printf("{");
#define X(name, text) printf("\"%s\": %" PRIu64 ", ", #name, sim->n.name);
        SIM_COUNTERS(X)
#undef X
        printf("\"pending\": %u}\n", sim->jobs);
    } else if (!sim->o.quiet) {
#define X(name, text)                                                                                                  \
    if (sim->n.name)                                                                                                   \
        printf("%10" PRIu64 " %s\n", sim->n.name, text);
        SIM_COUNTERS(X)
#undef X
        if (sim->jobs)
            printf("%10u still pending\n", sim->jobs);
    }
    fflush(stdout);
}

static void check_options(void)
{
    if (strlen(options.id_prefix) > 40)
        opts_fail(&opts, "--id-prefix: longer than 40 octets");
    if (strlen(options.mo_source) > SIM_ADDR_MAX || strlen(options.mo_destination) > SIM_ADDR_MAX)
        opts_fail(&opts, "--mo-source, --mo-destination: longer than %d octets", SIM_ADDR_MAX);
    if (strlen(options.server_id) > 15)
        opts_fail(&opts, "--server-id: longer than 15 octets");
    if (options.mo_count && options.mo_rate <= 0)
        opts_fail(&opts, "--mo-count needs --mo-rate");
}

static void sim_init(struct sim *sim)
{
    sim->o = options;
    sim->rng = options.seed;
    sim->next_id = (uint64_t)options.id_start;
    sim_id_write(sim);
    sim->loop = ev_default_loop(0);
    sim->io = io_new(sim->loop);
    sim->session_conf = (struct session_conf){.session_init_ms = 10000,
                                              .enquire_link_ms = options.enquire_link_ms,
                                              .response_ms = options.deliver_timeout_ms,
                                              .window_in = options.window,
                                              .park_bytes = 1024 * 1024,
                                              .park_status = ESME_RTHROTTLED,
                                              .window_out = options.deliver_window,
                                              .queue_out = 0,
                                              .max_pdu_bytes = 70000};
    if (options.log && !(sim->log = evlog_open(sim->loop, options.log))) {
        fprintf(stderr, "smppsim: --log %s: %s\n", options.log, strerror(errno));
        exit(1);
    }
    sim_jobs_init(sim);
}

static void run(struct sim *sim, int fd)
{
    ev_signal term, interrupt;
    ev_timer limit;
    ev_io_init(&sim->accepting, on_accept, fd, EV_READ);
    ev_timer_init(&sim->accept_again, on_accept_again, 0, 0);
    ev_signal_init(&term, on_signal, SIGTERM);
    ev_signal_init(&interrupt, on_signal, SIGINT);
    ev_timer_init(&limit, on_time, options.time, 0);
    sim->accepting.data = sim->accept_again.data = term.data = interrupt.data = limit.data = sim;
    ev_io_start(sim->loop, &sim->accepting);
    ev_signal_start(sim->loop, &term);
    ev_signal_start(sim->loop, &interrupt);
    if (options.time > 0)
        ev_timer_start(sim->loop, &limit);
    print_listening(fd);
    ev_run(sim->loop, 0);
    io_flush(sim->io);
}

int main(int argc, char **argv)
{
    static struct sim sim;
    struct rlimit files;
    opts_parse(&opts, argc, argv);
    check_options();
    log_open(options.quiet ? LOG_ERROR_ : LOG_INFO_, LOG_TEXT, NULL);
    log_set_process("smppsim");
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sim_init(&sim);
    int fd = listen_on(options.bind_address, options.port);
    run(&sim, fd);
    util_close(&fd);
    print_summary(&sim);
    while (sim.conns)
        session_close(sim.conns->session, "end");
    sim_jobs_free(&sim);
    sim_groups_free(&sim);
    evlog_close(&sim.log);
    io_free(&sim.io);
    return 0;
}
