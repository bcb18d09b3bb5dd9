/* The listening socket: accepts, and hands each connection to a worker without reading from it. */
#ifndef SMSCD_LISTENER_H
#define SMSCD_LISTENER_H

#include "master.h"

/* Listens (nothing is accepted yet). NULL with *error (malloc'd) naming address and port. */
struct listener *listener_new(struct master *m, char **error);
void listener_free(struct listener **listener);
/* Accepts from now on, as long as a worker can take what comes. */
void listener_start(struct listener *listener);
/* Tries again after a pause; cheap, called a few times a second and when a worker is ready. */
void listener_resume(struct listener *listener);
/* "0.0.0.0:2775", with the port the kernel chose for 0. */
const char *listener_address(const struct listener *listener);

#endif
