/* The tab-separated event log. Text of a peer's is written with what could break a line replaced. */
#include "evlog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "smpp.h"
#include "util.h"

#define BODY_SHOWN 40

struct evlog {
    FILE *file;
    struct ev_loop *loop;
    ev_prepare flush;
};

static void on_prepare(struct ev_loop *loop, ev_prepare *w, int events)
{
    struct evlog *log = w->data;
    (void)loop;
    (void)events;
    if (fflush(log->file) != 0) {
        fprintf(stderr, "event log: %s\n", strerror(errno));
        exit(1); /* a record with a hole in it would be judged as a loss */
    }
}

struct evlog *evlog_open(struct ev_loop *loop, const char *file)
{
    FILE *f = fopen(file, "we");
    if (!f)
        return NULL;
    struct evlog *log = xcalloc(1, sizeof(*log));
    log->file = f;
    log->loop = loop;
    setvbuf(f, NULL, _IOFBF, 256 * 1024);
    fputs("#time_us\tconnection\tevent\tmessage_id\tsource\tdestination\tcommand_status\tbody\tsystem_id\n", f);
    ev_prepare_init(&log->flush, on_prepare);
    log->flush.data = log;
    ev_prepare_start(loop, &log->flush);
    ev_unref(loop);
    return log;
}

void evlog_close(struct evlog **log)
{
    if (!*log)
        return;
    ev_ref((*log)->loop);
    ev_prepare_stop((*log)->loop, &(*log)->flush);
    if (fclose((*log)->file) != 0)
        fprintf(stderr, "event log: %s\n", strerror(errno));
    free(*log);
    *log = NULL;
}

static char *put_text(char *to, struct text t)
{
    const unsigned char *p = t.p;
    if (t.n == 0)
        *to++ = '-';
    for (size_t i = 0; i < t.n && i < 64; i++)
        *to++ = p[i] > 0x20 && p[i] < 0x7f ? (char)p[i] : '?';
    *to++ = '\t';
    return to;
}

static char *put_hex(char *to, struct text t)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = t.p;
    if (t.n == 0)
        *to++ = '-';
    for (size_t i = 0; i < t.n && i < BODY_SHOWN; i++) {
        *to++ = digits[p[i] >> 4];
        *to++ = digits[p[i] & 15];
    }
    *to++ = '\t';
    return to;
}

void evlog_write(struct evlog *log, const struct evlog_line *line)
{
    char buf[768], *p = buf; /* 5 texts of at most 65, the body's 81, two numbers, event and status */
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    p += snprintf(p, 96, "%" PRIu64 "\t%u\t%.32s\t", (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000,
                  line->connection, line->event);
    p = put_text(p, line->message_id);
    p = put_text(p, line->source);
    p = put_text(p, line->destination);
    const char *name = smpp_status_name(line->status);
    p += name ? snprintf(p, 40, "%s\t", name) : snprintf(p, 40, "0x%08" PRIX32 "\t", line->status);
    p = put_hex(p, line->body);
    p = put_text(p, TEXT(line->system_id ? line->system_id : ""));
    p[-1] = '\n';
    fwrite(buf, 1, (size_t)(p - buf), log->file);
}
