/* The control socket run_dir/smscd.ctl: one line in, one JSON object out, for smscctl and other tools. */
#ifndef SMSCD_ADMIN_H
#define SMSCD_ADMIN_H

#include "master.h"

/* NULL with *error (malloc'd). */
struct admin *admin_new(struct master *m, char **error);
/* Accepts again after it had no descriptor left; cheap, called a few times a second. */
void admin_resume(struct admin *admin);
void admin_free(struct admin **admin);

#endif
