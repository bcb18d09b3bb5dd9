/* The worker's side of the contract with the master: how a worker process begins, and the check of `smscd -t`. */
#ifndef SMSCD_WORKER_H
#define SMSCD_WORKER_H

#include <stdint.h>

#include "conf.h"
#include "stats.h"

/* What a worker process needs to begin. Strings and conf must stay; descriptors belong to the worker. */
struct worker_args {
    const struct conf *conf;
    unsigned index;      /* 0 .. workers-1 */
    uint32_t generation; /* counts the processes that have had this index */
    const char *node;    /* 8 hex digits, this run of smscd */
    int control_fd, data_fd;
    struct stats_block *stats; /* this worker's own block */
    const char *redis_url;     /* the configured one, or that of the embedded server */
};

/* Runs the worker in this process, which has just been forked; does not return. */
void worker_main(const struct worker_args *args) __attribute__((noreturn));

/* Loads the script in this process, which has been forked for that. Returns 0, or -1 with *error (malloc'd). */
int worker_check_script(const struct conf *conf, char **error);

/* Compiles the script in this process, which has been forked for that, into the file `to`: what RELOAD carries. Errors
 * in the script are in it too; the workers report them. Returns 0, or -1 with *error (malloc'd). */
int worker_compile_script(const struct conf *conf, int to, char **error);

#endif
