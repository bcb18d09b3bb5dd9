/* What smscctl is told of workers, binds and sessions. */
#ifndef SMSCD_ADMIN_REPORT_H
#define SMSCD_ADMIN_REPORT_H

#include "master.h"
#include "report.h"

void admin_report_status(struct master *m, struct report *r);
void admin_report_workers(struct master *m, struct report *r);
void admin_report_binds(struct master *m, struct report *r);
void admin_report_sessions(struct master *m, struct report *r);

#endif
