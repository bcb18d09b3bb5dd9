/* The embedded Redis: started, asked until it answers, restarted with backoff, ended last.
 * It dies with the master (PDEATHSIG), and two never share one directory: the leftover of a killed master is waited
 * for. */
#include "redis_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "pick.h"
#include "util.h"

#define ASK_S 0.01 /* between questions whether it answers */
#define RESTART_MIN_MS 200
#define RESTART_MAX_MS 5000
#define WAITING_LOG_MS 5000
#define STOP_S 30.         /* to write its data before SIGKILL */
#define LEFTOVER_TRIES 200 /* of 50 ms */
#define WHO "redis"

enum state { DOWN, STARTING, UP, STOPPING, STOPPED };

struct redis_server {
    struct master *m;
    enum state state;
    char *program, *socket_path, *url, *log_path;
    pid_t pid;
    unsigned attempt;
    uint64_t said_ms; /* that it is still being waited for */
    int ask_fd;
    ev_io answer;
    ev_timer timer;
    ev_child child;
};

const char *redis_server_url(const struct redis_server *s)
{
    return s->url;
}

const char *redis_server_state(const struct redis_server *s, int *pid)
{
    static const char *const names[] = {"down", "starting", "up", "stopping", "stopped"};
    *pid = (int)s->pid;
    return names[s->state];
}

static char *find_program(const char *name)
{
    const char *path = getenv("PATH");
    for (const char *at = path && *path ? path : "/usr/bin:/bin"; *at;) {
        size_t len = strcspn(at, ":");
        char *candidate = xasprintf("%.*s/%s", (int)len, at, name);
        if (len && access(candidate, X_OK) == 0)
            return candidate;
        free(candidate);
        at += len + (at[len] == ':');
    }
    return NULL;
}

static int connect_to(const char *socket_path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd != -1 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
        return fd;
    util_close(&fd);
    return -1;
}

/* Whoever answers on our socket while we hold the lock of run_dir was started by a master that is no more. */
static int end_leftover(const char *socket_path)
{
    for (int i = 0; i < LEFTOVER_TRIES; i++) {
        int fd = connect_to(socket_path);
        if (fd == -1)
            return 0;
        struct ucred cred = {0};
        socklen_t len = sizeof(cred);
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
        close(fd);
        if (i == 0) {
            log_warn(WHO, "process %d still serves %s: it is asked to end", (int)cred.pid, socket_path);
            if (cred.pid > 0)
                kill(cred.pid, SIGTERM);
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return -1;
}

static void set_timer(struct redis_server *s, double seconds)
{
    ev_timer_stop(s->m->loop, &s->timer);
    ev_timer_set(&s->timer, seconds, 0.);
    ev_timer_start(s->m->loop, &s->timer);
}

static void stop_asking(struct redis_server *s)
{
    ev_io_stop(s->m->loop, &s->answer);
    util_close(&s->ask_fd);
}

/* One PING on a connection of its own; the answer comes to on_answer, or nobody listens yet. */
static void ask(struct redis_server *s)
{
    static const char ping[] = "PING\r\n";
    set_timer(s, ASK_S);
    if (s->ask_fd != -1)
        return;
    s->ask_fd = connect_to(s->socket_path);
    if (s->ask_fd == -1)
        return;
    if (send(s->ask_fd, ping, sizeof(ping) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(ping) - 1) {
        stop_asking(s);
        return;
    }
    ev_io_set(&s->answer, s->ask_fd, EV_READ);
    ev_io_start(s->m->loop, &s->answer);
}

/* "+PONG"; while it loads its data it says "-LOADING". */
static void on_answer(EV_P_ ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct redis_server *s = watcher->data;
    char buf[64] = "";
    ssize_t n = recv(s->ask_fd, buf, sizeof(buf) - 1, 0);
    stop_asking(s);
    if (n < 5 || memcmp(buf, "+PONG", 5) != 0 || s->state != STARTING)
        return;
    s->state = UP;
    s->attempt = 0;
    ev_timer_stop(s->m->loop, &s->timer);
    log_info(WHO, "redis-server (process %d) serves %s", (int)s->pid, s->socket_path);
    master_redis_up(s->m);
}

static void __attribute__((noreturn)) run_child(const struct redis_server *s, pid_t master_pid, const sigset_t *mask)
{
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setpgid(0, 0); /* Ctrl-C is for the master, which ends it last */
    if (getppid() != master_pid)
        _exit(1);
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    const char *const args[] = {s->program,
                                "--port",
                                "0",
                                "--unixsocket",
                                s->socket_path,
                                "--unixsocketperm",
                                "700",
                                "--dir",
                                s->m->conf->state_dir,
                                "--appendonly",
                                "yes",
                                "--save",
                                "",
                                "--maxmemory-policy",
                                "noeviction",
                                "--daemonize",
                                "no",
                                "--logfile",
                                s->log_path,
                                NULL};
    execv(s->program, (char *const *)(uintptr_t)args);
    _exit(127);
}

void redis_server_start(struct redis_server *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pid_t master_pid = getpid();
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        run_child(s, master_pid, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid == -1) {
        log_error(WHO, "fork: %s", strerror(errno));
        s->state = DOWN;
        set_timer(s, RESTART_MAX_MS / 1000.);
        return;
    }
    s->pid = pid;
    s->state = STARTING;
    s->said_ms = util_now_ms();
    ev_child_set(&s->child, pid, 0);
    ev_child_start(s->m->loop, &s->child);
    ask(s);
}

static void say_waiting(struct redis_server *s)
{
    uint64_t now = util_now_ms();
    if (now - s->said_ms < WAITING_LOG_MS)
        return;
    s->said_ms = now;
    log_warn(WHO, "redis-server (process %d) does not answer yet; it may be loading its data, see %s", (int)s->pid,
             s->log_path);
}

static void on_timer(EV_P_ ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct redis_server *s = watcher->data;
    if (s->state == STARTING) {
        say_waiting(s);
        ask(s);
    } else if (s->state == DOWN) {
        redis_server_start(s);
    } else if (s->state == STOPPING) {
        log_error(WHO, "redis-server does not end: killed");
        kill(s->pid, SIGKILL);
    }
}

static void ended_by_itself(struct redis_server *s, int status)
{
    char how[64];
    if (WIFSIGNALED(status))
        snprintf(how, sizeof(how), "killed by signal %d", WTERMSIG(status));
    else
        snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(status));
    s->state = DOWN;
    if (s->m->state == MASTER_REDIS) {
        master_fail(s->m, "redis-server did not start: %s; see %s", how, s->log_path);
        return;
    }
    uint32_t random;
    util_random(&random, sizeof(random));
    unsigned wait = pick_backoff(s->attempt++, RESTART_MIN_MS, RESTART_MAX_MS, random);
    log_error(WHO, "redis-server has ended: %s; started again in %u ms", how, wait);
    set_timer(s, wait / 1000.);
}

static void on_exit_status(EV_P_ ev_child *watcher, int revents)
{
    (void)revents;
    struct redis_server *s = watcher->data;
    ev_child_stop(EV_A_ watcher);
    ev_timer_stop(EV_A_ & s->timer);
    stop_asking(s);
    s->pid = 0;
    if (s->state != STOPPING) {
        ended_by_itself(s, watcher->rstatus);
        return;
    }
    s->state = STOPPED;
    log_info(WHO, "redis-server has ended");
    master_redis_ended(s->m);
}

void redis_server_stop(struct redis_server *s)
{
    if (s->state == STOPPING || s->state == STOPPED)
        return;
    ev_timer_stop(s->m->loop, &s->timer);
    stop_asking(s);
    if (s->pid == 0) {
        s->state = STOPPED;
        master_redis_ended(s->m);
        return;
    }
    s->state = STOPPING;
    kill(s->pid, SIGTERM);
    set_timer(s, STOP_S);
}

static char *check(const struct redis_server *s)
{
    struct sockaddr_un un;
    if (!s->program)
        return xasprintf("redis-server is not installed: apt-get install redis-server, or name a server in redis.url");
    if (strlen(s->socket_path) >= sizeof(un.sun_path))
        return xasprintf("run_dir is too long: %s has %zu octets, a Unix socket's path at most %zu", s->socket_path,
                         strlen(s->socket_path), sizeof(un.sun_path) - 1);
    if (end_leftover(s->socket_path) == -1)
        return xasprintf("another redis-server still serves %s", s->socket_path);
    return NULL;
}

struct redis_server *redis_server_new(struct master *m, char **error)
{
    struct redis_server *s = xcalloc(1, sizeof(*s));
    s->m = m;
    s->ask_fd = -1;
    s->program = find_program("redis-server");
    s->socket_path = xasprintf("%s/redis.sock", m->conf->run_dir);
    s->url = xasprintf("unix://%s", s->socket_path);
    s->log_path = xasprintf("%s/redis.log", m->conf->state_dir);
    ev_timer_init(&s->timer, on_timer, 0., 0.);
    ev_io_init(&s->answer, on_answer, -1, EV_READ);
    ev_child_init(&s->child, on_exit_status, 0, 0);
    s->timer.data = s->answer.data = s->child.data = s;
    *error = check(s);
    if (*error)
        redis_server_free(&s);
    return s;
}

void redis_server_free(struct redis_server **server)
{
    struct redis_server *s = *server;
    if (!s)
        return;
    stop_asking(s);
    ev_timer_stop(s->m->loop, &s->timer);
    ev_child_stop(s->m->loop, &s->child);
    free(s->program);
    free(s->socket_path);
    free(s->url);
    free(s->log_path);
    free(s);
    *server = NULL;
}
