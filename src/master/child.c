/* Forks without exec: signals, descriptors and name of a process that goes on in this program. */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define KEEP_MAX 2

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* All but standard input, output and error, the log, and what is to be kept. */
static void close_inherited(const int *given, size_t count)
{
    int keep[KEEP_MAX + 1] = {log_fd()};
    size_t n = 1;
    while (n <= count && n <= KEEP_MAX)
        keep[n] = given[n - 1], n++;
    qsort(keep, n, sizeof(keep[0]), compare_fds);
    unsigned from = STDERR_FILENO + 1;
    for (size_t i = 0; i < n; i++) {
        if (keep[i] < (int)from)
            continue;
        if ((unsigned)keep[i] > from)
            close_range(from, (unsigned)keep[i] - 1, 0);
        from = (unsigned)keep[i] + 1;
    }
    close_range(from, ~0U, 0);
}

/* Until the process says otherwise: what a terminal or an operator sends to all is not for it to die of. */
static void reset_signals(const sigset_t *mask)
{
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    const int ignored[] = {SIGINT, SIGHUP, SIGUSR1, SIGPIPE};
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    sigprocmask(SIG_SETMASK, mask, NULL);
}

/* The child gets no signal before it has its own handlers: libev's would wake the master's loop. */
pid_t child_fork(const char *name, const int *keep, size_t count, void (*run)(const void *arg), const void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t master_pid = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        reset_signals(&before);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != master_pid)
            _exit(1);
        close_inherited(keep, count);
        prctl(PR_SET_NAME, name);
        run(arg);
        _exit(1);
    }
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}
