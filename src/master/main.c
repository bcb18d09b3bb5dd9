/* smscd: options, the check of -t, the one instance per run_dir. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "config.h"
#include "log.h"
#include "master.h"
#include "util.h"
#include "worker/worker.h"

static void usage(FILE *to)
{
    fputs("usage: smscd -c FILE [-t]\n"
          "  -c FILE  the configuration\n"
          "  -t       check the configuration and the script, then exit with 0 or 1\n"
          "  -V       print the version\n"
          "  -h       print this\n",
          to);
}

/* In a process of its own: Python is not for the one that may fork workers. */
static int check_script(const struct conf *conf)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == -1) {
        fprintf(stderr, "smscd: fork: %s\n", strerror(errno));
        return 1;
    }
    if (pid == 0) {
        char *error = NULL;
        int status = worker_check_script(conf, &error) == 0 ? 0 : 1;
        if (status)
            fprintf(stderr, "smscd: %s\n", error ? error : "the script does not load");
        fflush(NULL);
        _exit(status);
    }
    int status;
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        fprintf(stderr, "smscd: the script ended its process: %s\n", strsignal(WTERMSIG(status)));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

/* Holds the lock of run_dir for as long as this process lives. -1: said why not. */
static int lock_run_dir(const struct conf *conf)
{
    char *path = xasprintf("%s/smscd.pid", conf->run_dir), pid[16] = "";
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1) {
        fprintf(stderr, "smscd: %s: %s\n", path, strerror(errno));
    } else if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        ssize_t n = read(fd, pid, sizeof(pid) - 1);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
        fprintf(stderr, "smscd: already running in %s (process %s)\n", conf->run_dir, pid[0] ? pid : "unknown");
        util_close(&fd);
    } else {
        snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
        if (ftruncate(fd, 0) == -1 || write(fd, pid, strlen(pid)) == -1)
            fprintf(stderr, "smscd: %s: %s\n", path, strerror(errno));
    }
    free(path);
    return fd;
}

static int make_dir(const char *name, const char *path)
{
    if (util_mkdirs(path) == 0 && access(path, W_OK | X_OK) == 0)
        return 0;
    fprintf(stderr, "smscd: %s %s: %s\n", name, path, strerror(errno));
    return -1;
}

/* A descriptor per session: as many as the system lets us have. */
static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run(struct conf *conf)
{
    int lock = -1, status = 1;
    raise_limits();
    if (make_dir("run_dir", conf->run_dir) == -1 || make_dir("state_dir", conf->state_dir) == -1 ||
        (lock = lock_run_dir(conf)) == -1) {
        conf_free(&conf);
        return 1;
    }
    log_set_process("master");
    if (log_open(conf->log.level, conf->log.format, conf->log.file) == 0) {
        status = master_run(conf);
    } else {
        fprintf(stderr, "smscd: log.file %s: %s\n", conf->log.file, strerror(errno));
        conf_free(&conf);
    }
    if (ftruncate(lock, 0) == -1)
        status = 1;
    close(lock);
    return status;
}

int main(int argc, char **argv)
{
    const char *file = NULL;
    char *error = NULL;
    bool check = false;
    for (int c; (c = getopt(argc, argv, "c:tVh")) != -1;) {
        if (c == 'c') {
            file = optarg;
        } else if (c == 't') {
            check = true;
        } else if (c == 'V') {
            puts("smscd " PACKAGE_VERSION);
            return 0;
        } else {
            usage(c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (!file || optind != argc) {
        usage(stderr);
        return 2;
    }
    struct conf *conf = conf_load(file, &error);
    if (!conf) {
        fprintf(stderr, "smscd: %s\n", error);
        free(error);
        return 1;
    }
    if (!check)
        return run(conf);
    int status = check_script(conf);
    if (status == 0)
        printf("smscd: %s and %s are good\n", conf->path, conf->script);
    conf_free(&conf);
    return status;
}
