/* What a handler costs: the calls that a worker makes into the scripts of this folder, with a Redis of its own behind
 * the cache. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "micro_pdu.h"
#include "py_int.h"
#include "store.h"
#include "util.h"

enum { WINDOW = 64 };

#define HERE SMSCD_SRCDIR "/t/bench/"

static struct {
    struct store *store;
    struct py_session *session;
    uint8_t raw[256];
    size_t len;
    struct pdu pdu;
    unsigned to_call, open;
    bool connected;
    ev_idle turn;
} b;

static void on_redis(int argc, const char **argv, const size_t *argvlen, store_done_fn *done, void *arg)
{
    store_command(b.store, argc, argv, argvlen, done, arg);
}

static struct stats_block stats;
static const struct gateway_ops ops = {.redis = on_redis};
static struct gateway gateway = {.ops = &ops, .node = "bench", .generation = 1, .stats = &stats};

static void on_answer(const struct py_call *call, const struct py_answer *answer)
{
    (void)call;
    if (answer->status != ESME_ROK)
        micro_die("the handler has failed");
    b.open--;
}

static void call_some(void)
{
    static const struct py_call call = {
        .answer = on_answer, .command_id = SMPP_submit_sm, .sequence_number = 1, .fail_status = ESME_RSYSERR};
    while (b.to_call && b.open < WINDOW) {
        b.to_call--;
        b.open++;
        py_host_pdu(&call, &b.pdu, b.session);
    }
}

/* Where a worker would read, without waiting for it: as many as have ended begin anew. */
static void on_turn(struct ev_loop *loop, ev_idle *w, int events)
{
    (void)loop, (void)w, (void)events;
    call_some();
    if (!b.open)
        Py_XDECREF(PyObject_CallMethod(py_asyncio_loop, "stop", NULL));
}

/* Handlers that do not suspend have all ended when the last was called. */
static void calls(void *arg, unsigned n)
{
    (void)arg;
    b.to_call = n;
    call_some();
    if (!b.open)
        return;
    ev_idle_start(gateway.loop, &b.turn);
    PyObject *r = PyObject_CallMethod(py_asyncio_loop, "run_forever", NULL);
    if (!r)
        micro_die("the loop has failed");
    Py_DECREF(r);
    ev_idle_stop(gateway.loop, &b.turn);
}

static void load(const struct conf *conf, const char *script)
{
    char *error;
    ((struct conf *)(uintptr_t)conf)->script = xasprintf("%s%s", HERE, script);
    if (py_host_load(-1, &error) < 0)
        micro_die(error);
}

static const struct conf *read_conf(const char *dir)
{
    char *error;
    setenv("BENCH_DIR", dir, 1);
    setenv("BENCH_PORT", "2775", 1);
    setenv("BENCH_WORKERS", "1", 1);
    setenv("BENCH_SCRIPT", HERE "reply.py", 1);
    struct conf *conf = conf_load(HERE "esme.conf", &error);
    if (!conf)
        micro_die(error);
    return conf;
}

static pid_t start_redis(const char *socket_path)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--save", "", "--logfile",
               "/dev/null", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && access(socket_path, F_OK) != 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return pid;
}

static void on_connected(void *arg)
{
    (void)arg;
    b.connected = true;
    ev_break(gateway.loop, EVBREAK_ALL);
}

static void open_store(const char *socket_path)
{
    char *error, *url = xasprintf("unix://%s", socket_path);
    b.store = store_open(gateway.loop, url, 10000, on_connected, NULL, &error);
    if (!b.store)
        micro_die(error);
    while (!b.connected)
        ev_run(gateway.loop, 0);
    free(url);
}

static void start(const char *socket_path)
{
    char *error;
    struct py_session_info info = {.kind = "esme",
                                   .session_id = "s1",
                                   .system_id = "esme1",
                                   .client_addr = "127.0.0.1",
                                   .bind_type = "transceiver"};
    struct pdu_out message = micro_message(SMPP_submit_sm, MICRO_TEXT);
    gateway.loop = ev_loop_new(0);
    open_store(socket_path);
    if (py_host_start(&gateway, &error) < 0)
        micro_die(error);
    b.session = py_session_new(&info);
    micro_append(&message, b.raw, sizeof(b.raw), &b.len);
    pdu_decode(&b.pdu, b.raw, b.len);
    ev_idle_init(&b.turn, on_turn);
}

int main(int argc, char **argv)
{
    static const char *const rows[][3] = {
        {"task", "a handler that replies", "reply.py"},
        {"task", "a handler that reads both addresses and the body", "echo.py"},
        {"task", "a handler that awaits asyncio.sleep(0), 64 at a time", "sleep.py"},
        {"cache", "a handler that awaits cache.get(), 64 at a time", "lookup.py"},
        {"cache", "a handler that awaits cache.set(), 64 at a time", "store.py"},
    };
    char dir[] = "/tmp/smscd-micro-XXXXXX";
    micro_init(argc, argv);
    log_open(LOG_ERROR_, LOG_TEXT, NULL);
    if (!mkdtemp(dir))
        micro_die("no temporary directory");
    char *socket_path = xasprintf("%s/redis.sock", dir);
    pid_t redis = start_redis(socket_path);
    gateway.conf = read_conf(dir);
    start(socket_path);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        load(gateway.conf, rows[i][2]);
        micro(rows[i][0], rows[i][1], calls, NULL);
    }
    kill(redis, SIGTERM);
    waitpid(redis, NULL, 0);
    unlink(socket_path);
    rmdir(dir);
    return 0;
}
