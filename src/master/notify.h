/* sd_notify(3) without libsystemd: one datagram to NOTIFY_SOCKET when there is one. */
#ifndef SMSCD_NOTIFY_H
#define SMSCD_NOTIFY_H

/* "READY=1", "STOPPING=1", ... */
void notify_systemd(const char *state);

#endif
