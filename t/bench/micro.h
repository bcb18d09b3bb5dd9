/* Micro-benchmarks: what one operation costs, as a line of text for each. Under valgrind's callgrind instructions are
 * counted in the place of time. */
#ifndef SMSCD_MICRO_H
#define SMSCD_MICRO_H

#include <stddef.h>
#include <stdint.h>

/* Does the operation n times. */
typedef void micro_fn(void *arg, unsigned n);

/* Reads the command line: only rows whose text contains the first argument are run. */
void micro_init(int argc, char **argv);
/* Runs fn for as long as it takes to know, and prints nanoseconds for each operation: the median of several runs, the
 * lowest and the highest. */
void micro(const char *group, const char *name, micro_fn *fn, void *arg);
/* For what cannot go on. */
_Noreturn void micro_die(const char *what);

/* The compiler must take it as used. */
static inline void micro_keep(const void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

#endif
