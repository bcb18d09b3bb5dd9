/* Reload: a bad configuration changes nothing; a good one is compared with what is in force, then the script is
 * compiled once and each worker loads it. What they answer is put together and told to the log and to whoever asked. A
 * worker that got the signal itself has the script compiled for it alone. */
#include "reload.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "compiler.h"
#include "log.h"
#include "proc.h"
#include "util.h"

struct waiter {
    reload_done_fn *done;
    void *arg;
    bool now; /* waits for the run under way, not for the next */
    struct waiter *next;
};

struct reload {
    struct master *m;
    struct compiler *compiler;
    uint64_t id;
    unsigned waiting, loaded, failed;
    bool running, compiling;
    bool whole;  /* this run is for all workers, else for those that asked */
    bool again;  /* a whole one follows */
    char *error; /* the first */
    struct waiter *waiters;
    struct io_task task; /* tells the end of a run at the end of the turn */
};

/* The settings by their paths, as text: what two configurations differ in. */
struct listing {
    char *text;
    size_t len;
    FILE *file;
};

static void list_string(void *arg, const char *path, const char *value)
{
    fprintf(((struct listing *)arg)->file, "%s=%s\n", path, value);
}

static void list_integer(void *arg, const char *path, long long value)
{
    fprintf(((struct listing *)arg)->file, "%s=%lld\n", path, value);
}

static void list_boolean(void *arg, const char *path, bool value)
{
    fprintf(((struct listing *)arg)->file, "%s=%d\n", path, value);
}

static void list_empty(void *arg, const char *path, bool list)
{
    fprintf(((struct listing *)arg)->file, "%s=%s\n", path, list ? "()" : "{}");
}

static struct listing list_settings(const struct conf *conf)
{
    static const struct conf_visit visit = {list_string, list_integer, list_boolean, list_empty};
    struct listing listing = {0};
    listing.file = open_memstream(&listing.text, &listing.len);
    conf_each(conf, &visit, &listing);
    for (size_t i = 0; i < conf->bind_count; i++) /* not visited: it is secret */
        fprintf(listing.file, "binds.%zu.password=%s\n", i, conf->binds[i].password);
    fclose(listing.file);
    return listing;
}

static bool has_line(const char *text, const char *line, size_t len)
{
    for (const char *at = text; (at = strstr(at, line)); at += len)
        if (at == text || at[-1] == '\n')
            return true;
    return false;
}

/* Appends the names of the lines of `a` that are not in `b`. */
static void add_missing(char *to, size_t cap, char *a, const char *b)
{
    for (char *line = a, *end; (end = strchr(line, '\n')); line = end + 1) {
        char saved = end[1];
        end[1] = 0;
        bool missing = !has_line(b, line, (size_t)(end + 1 - line));
        end[1] = saved;
        char name[128];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, "="), line);
        size_t used = strlen(to);
        if (missing && !strstr(to, name))
            snprintf(to + used, cap - used, "%s%s", used ? ", " : "", name);
    }
}

/* The workers and this process run on what they were started with: what differs is named. */
static void warn_of_changes(const struct conf *old, const struct conf *new)
{
    char names[2048] = "";
    struct listing a = list_settings(old), b = list_settings(new);
    add_missing(names, sizeof(names), b.text, a.text);
    add_missing(names, sizeof(names), a.text, b.text);
    explicit_bzero(a.text, a.len);
    explicit_bzero(b.text, b.len);
    free(a.text);
    free(b.text);
    if (names[0])
        log_warn("reload", "changed, and in force only after a restart: %s", names);
}

static void tell_waiters(struct reload *r, bool ok, const char *text)
{
    struct waiter *w, *tmp;
    LL_FOREACH_SAFE (r->waiters, w, tmp) {
        if (!w->now)
            continue;
        LL_DELETE(r->waiters, w);
        if (w->done)
            w->done(w->arg, ok, text);
        free(w);
    }
}

void reload_free(struct reload **reload)
{
    struct reload *r = *reload;
    if (!r)
        return;
    io_run_cancel(&r->task);
    compiler_free(&r->compiler);
    while (r->waiters) {
        struct waiter *w = r->waiters;
        LL_DELETE(r->waiters, w);
        free(w);
    }
    free(r->error);
    free(r);
    *reload = NULL;
}

static void begin(struct reload *r);

static void report(struct reload *r)
{
    char text[4096];
    bool ok = !r->error;
    if (ok)
        snprintf(text, sizeof(text), "script loaded in %u workers", r->loaded);
    else if (r->failed)
        snprintf(text, sizeof(text), "the old script stays in force in %u of %u workers: %s", r->failed,
                 r->loaded + r->failed, r->error);
    else
        snprintf(text, sizeof(text), "nothing is changed: %s", r->error);
    log_line(ok ? LOG_INFO_ : LOG_ERROR_, "reload", "%s", text);
    tell_waiters(r, ok, text);
}

static bool asked_again(const struct reload *r)
{
    for (unsigned i = 0; i < r->m->conf->workers; i++)
        if (r->m->procs[i].asked)
            return true;
    return r->again;
}

static void finish(struct io_task *task)
{
    struct reload *r = CONTAINER_OF(task, struct reload, task);
    r->running = false;
    if (r->whole)
        report(r);
    if (!r->running && asked_again(r))
        begin(r);
}

static void check_finished(struct reload *r)
{
    if (r->running && !r->compiling && r->waiting == 0)
        io_run(r->m->io, &r->task);
}

/* fd -1: the worker compiles. */
static bool tell_worker(const struct proc *p, uint64_t id, int fd)
{
    int own = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return p->state == PROC_READY && chan_control(p->chan, MSG_RELOAD, id, 0, NULL, 0, own);
}

static void tell_workers(struct reload *r, int fd)
{
    r->id++;
    for (unsigned i = 0; i < r->m->conf->workers; i++) {
        struct proc *p = &r->m->procs[i];
        if (!r->whole && p->served)
            tell_worker(p, 0, fd);
        if (!r->whole)
            continue;
        p->reloading = tell_worker(p, r->id, fd);
        r->waiting += p->reloading;
    }
}

static void on_compiled(void *arg, int fd, const char *error)
{
    struct reload *r = arg;
    r->compiling = false;
    if (!error)
        tell_workers(r, fd);
    else if (r->whole)
        r->error = xstrdup(error);
    else
        log_error("reload", "nothing is changed: %s", error);
    check_finished(r);
}

struct reload *reload_new(struct master *m)
{
    struct reload *r = xcalloc(1, sizeof(*r));
    r->m = m;
    r->task.run = finish;
    r->compiler = compiler_new(m, on_compiled, r);
    return r;
}

/* Whether there is a configuration under which to go on. */
static bool check_configuration(struct reload *r)
{
    struct waiter *w;
    LL_FOREACH (r->waiters, w)
        w->now = true;
    struct conf *conf = conf_load(r->m->conf->path, &r->error);
    if (!conf)
        return false;
    warn_of_changes(r->m->conf, conf);
    conf_free(&conf);
    return true;
}

/* A worker that asks is served by a whole run, too. */
static void begin(struct reload *r)
{
    free(r->error);
    r->error = NULL;
    r->running = true;
    r->whole = r->again;
    r->again = false;
    r->waiting = r->loaded = r->failed = 0;
    if (r->whole && !check_configuration(r)) {
        check_finished(r);
        return;
    }
    for (unsigned i = 0; i < r->m->conf->workers; i++) {
        struct proc *p = &r->m->procs[i];
        p->served = p->asked;
        p->asked = false;
    }
    r->compiling = true;
    compiler_start(r->compiler);
}

void reload_start(struct reload *r, reload_done_fn *done, void *arg)
{
    if (done) {
        struct waiter *w = xcalloc(1, sizeof(*w));
        w->done = done;
        w->arg = arg;
        LL_PREPEND(r->waiters, w);
    }
    r->again = true;
    if (!r->running)
        begin(r);
}

void reload_forget(struct reload *r, void *arg)
{
    struct waiter *w, *tmp;
    LL_FOREACH_SAFE (r->waiters, w, tmp)
        if (w->arg == arg) {
            LL_DELETE(r->waiters, w);
            free(w);
        }
}

void reload_worker_gone(struct reload *r, struct proc *p)
{
    if (!p->reloading)
        return;
    p->reloading = false;
    r->waiting--;
    r->loaded++; /* its successor loads the script anyway */
    check_finished(r);
}

void reload_on_reloaded(void *owner, struct msg *msg)
{
    struct proc *p = owner;
    struct reload *r = p->m->reload;
    struct wire w = wire_of(msg->body, msg->len);
    bool ok = wire_get_u8(&w) == 1;
    if (!p->reloading || msg->id != r->id)
        return;
    p->reloading = false;
    r->waiting--;
    if (ok)
        r->loaded++;
    else
        r->failed++;
    if (!ok && !r->error)
        r->error = xasprintf("worker %u: %.*s", p->index, (int)wire_left(&w), (const char *)w.p);
    check_finished(r);
}

void reload_on_compile(void *owner, struct msg *msg)
{
    (void)msg;
    struct proc *p = owner;
    p->asked = true;
    if (!p->m->reload->running)
        begin(p->m->reload);
}
