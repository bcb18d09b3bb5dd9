/* The control socket run_dir/smscd.ctl: one line in, one JSON object out, for smscctl and other tools. */
#ifndef SMSCD_ADMIN_H
#define SMSCD_ADMIN_H

#include "master.h"

/* NULL with *error (malloc'd). */
struct admin *admin_new(struct master *m, char **error);
void admin_free(struct admin **admin);

#endif
