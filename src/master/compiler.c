/* The process that compiles the script: forked for one reload, writes an anonymous file, is waited for or killed. */
#include "compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "log.h"
#include "util.h"
#include "worker/worker.h"

#define WHO "compiler"
#define TIME_MAX_S 60
#define NICE 5

struct compiler {
    struct master *m;
    compiler_done_fn *done;
    void *arg;
    pid_t pid; /* 0: none */
    int fd;
    bool late; /* killed for it */
    uint64_t started_ms;
    ev_child child;
    ev_timer timer;
};

static void __attribute__((noreturn)) run_child(const void *arg)
{
    const struct compiler *c = arg;
    char *error = NULL;
    log_set_process(WHO);
    setpriority(PRIO_PROCESS, 0, NICE); /* the workers come first */
    if (worker_compile_script(c->m->conf, c->fd, &error) == 0)
        _exit(0);
    log_error(NULL, "%s", error);
    _exit(1);
}

/* Nothing of c is used after the call: it may begin anew. */
static void finish(struct compiler *c, const char *error)
{
    int fd = c->fd;
    c->fd = -1;
    c->done(c->arg, fd, error);
    util_close(&fd);
}

static void hand_over(struct compiler *c)
{
    fcntl(c->fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    log_info(WHO, "process %d has compiled the script in %llu ms", (int)c->pid,
             (unsigned long long)(util_now_ms() - c->started_ms));
    c->pid = 0;
    finish(c, NULL);
}

static void give_up(struct compiler *c, const char *why)
{
    log_warn(WHO, "%s: the workers compile the script themselves", why);
    util_close(&c->fd);
    finish(c, NULL);
}

static void on_exit_status(EV_P_ ev_child *watcher, int revents)
{
    (void)revents;
    struct compiler *c = watcher->data;
    int status = watcher->rstatus;
    char text[128];
    ev_child_stop(EV_A_ watcher);
    ev_timer_stop(EV_A_ & c->timer);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        hand_over(c);
        return;
    }
    c->pid = 0;
    if (WIFEXITED(status)) {
        give_up(c, "the process that compiles has failed");
        return;
    }
    if (c->late)
        snprintf(text, sizeof(text), "the script is not compiled after %d s", TIME_MAX_S);
    else
        snprintf(text, sizeof(text), "the process that compiles the script was killed by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    util_close(&c->fd);
    finish(c, text);
}

static void on_timer(EV_P_ ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct compiler *c = watcher->data;
    c->late = true;
    kill(c->pid, SIGKILL);
}

struct compiler *compiler_new(struct master *m, compiler_done_fn *done, void *arg)
{
    struct compiler *c = xcalloc(1, sizeof(*c));
    *c = (struct compiler){.m = m, .done = done, .arg = arg, .fd = -1};
    ev_child_init(&c->child, on_exit_status, 0, 0);
    ev_timer_init(&c->timer, on_timer, TIME_MAX_S, 0.);
    c->child.data = c->timer.data = c;
    return c;
}

void compiler_free(struct compiler **compiler)
{
    struct compiler *c = *compiler;
    if (!c)
        return;
    ev_child_stop(c->m->loop, &c->child);
    ev_timer_stop(c->m->loop, &c->timer);
    if (c->pid) {
        kill(c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) == -1 && errno == EINTR)
            ;
    }
    util_close(&c->fd);
    free(c);
    *compiler = NULL;
}

void compiler_start(struct compiler *c)
{
    c->late = false;
    c->started_ms = util_now_ms();
    c->fd = memfd_create("smscd script", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    pid_t pid = c->fd == -1 ? -1 : child_fork("smscd: compiler", &c->fd, 1, run_child, c);
    if (pid == -1) {
        give_up(c, strerror(errno));
        return;
    }
    c->pid = pid;
    ev_child_set(&c->child, pid, 0);
    ev_child_start(c->m->loop, &c->child);
    ev_timer_set(&c->timer, TIME_MAX_S, 0.);
    ev_timer_start(c->m->loop, &c->timer);
}
