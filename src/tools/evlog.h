/* The event log of smppload and smppsim: one line per event, tab-separated, so that a test can judge from the peers'
 * own records what arrived and how often. Gathered and written at the end of a turn of the loop. */
#ifndef SMSCD_EVLOG_H
#define SMSCD_EVLOG_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

struct evlog;

/* A piece of text that need not end with NUL. */
struct text {
    const void *p;
    size_t n;
};
#define TEXT(s) ((struct text){(s), strlen(s)})

struct evlog_line {
    unsigned connection;
    const char *event, *system_id;
    struct text message_id, source, destination;
    uint32_t status;
    struct text body; /* its first 40 octets are written, in hex */
};

/* Opens (and empties) the file. NULL with errno. */
struct evlog *evlog_open(struct ev_loop *loop, const char *file);
/* Flushes and frees. Nothing happens when *log is NULL. */
void evlog_close(struct evlog **log);
/* One line: microseconds of CLOCK_MONOTONIC, connection, event, message id, source, destination, command_status (by
 * name), body, system_id. An empty field is "-". */
void evlog_write(struct evlog *log, const struct evlog_line *line);

#endif
