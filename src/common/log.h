/* The log: one line per event, one write(2) per line, to standard error or a file that several processes append
 * to. A line says whose it is. `alert` means a bug in smscd and fails the tests. Secrets are never passed to it. */
#ifndef SMSCD_LOG_H
#define SMSCD_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_, LOG_ALERT_ };
enum log_format { LOG_TEXT, LOG_JSON };

/* Opens file ("" or NULL: standard error). 0, or -1 with errno and the log unchanged. */
int log_open(enum log_level level, enum log_format format, const char *file);
/* Opens the same file again (SIGUSR1). Keeps the old one and says so when it cannot. */
void log_reopen(void);
/* The descriptor lines are written to; for what writes by itself (Python's faulthandler). */
int log_fd(void);
/* "master", "worker 0": what every line of this process begins with. Copied. */
void log_set_process(const char *name);
bool log_enabled(enum log_level level);
/* `who` is the session, bind or part the line is about ("bind eu", "session a1-17 esme1"), or NULL. Control characters
 * in the text are escaped, so that a line is a line whatever a peer sent. */
void log_line(enum log_level level, const char *who, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void log_vline(enum log_level level, const char *who, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
/* -1 for a name that is none of debug, info, warn, error. */
int log_level_by_name(const char *name);

#define log_debug(who, ...)                                                                                            \
    do {                                                                                                               \
        if (log_enabled(LOG_DEBUG_))                                                                                   \
            log_line(LOG_DEBUG_, who, __VA_ARGS__);                                                                    \
    } while (0)
#define log_info(who, ...) log_line(LOG_INFO_, who, __VA_ARGS__)
#define log_warn(who, ...) log_line(LOG_WARN_, who, __VA_ARGS__)
#define log_error(who, ...) log_line(LOG_ERROR_, who, __VA_ARGS__)
#define log_alert(who, ...) log_line(LOG_ALERT_, who, __VA_ARGS__)

#endif
