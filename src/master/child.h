/* A process that is forked to go on in this program, with nothing of the master's but what it is given. */
#ifndef SMSCD_CHILD_H
#define SMSCD_CHILD_H

#include <stddef.h>
#include <sys/types.h>

/* Forks. The child is called `name` (15 octets show), dies with the master, has open its standard descriptors, the log
 * and those of keep[] (at most 2), has signals at their defaults but for those that are not for it to die of, and runs
 * `run`, which does not return. Returns the pid, or -1 with errno. */
pid_t child_fork(const char *name, const int *keep, size_t count, void (*run)(const void *arg), const void *arg);

#endif
