/* The script's byte code for a reload, made once for all workers, in a process where no message waits for it. */
#ifndef SMSCD_COMPILER_H
#define SMSCD_COMPILER_H

#include "master.h"

struct compiler;

/* How it ended. fd: the byte code, to be taken or left; -1 with error NULL: it cannot be made there, let the workers do
 * it (logged); -1 with an error: the script is none that a worker should try. */
typedef void compiler_done_fn(void *arg, int fd, const char *error);

struct compiler *compiler_new(struct master *m, compiler_done_fn *done, void *arg);
void compiler_free(struct compiler **compiler);
/* Begins; none may be under way. `done` is called exactly once, perhaps from within. */
void compiler_start(struct compiler *compiler);

#endif
