/* The log: builds one line on the stack and writes it with one write(2).
 * Text for people, JSON for collectors; neither lets a peer's octets break a line. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

#define LOG_TEXT_MAX 8192               /* of the message before escaping; more is cut */
#define LOG_LINE_MAX (2 * LOG_TEXT_MAX) /* of the whole line; escaping that outgrows it is cut too */

static const char *const level_names[] = {"debug", "info", "warn", "error", "alert"};

static struct {
    enum log_level level;
    enum log_format format;
    int fd;
    char *file; /* NULL: standard error */
    char process[32];
} logger = {.level = LOG_INFO_, .format = LOG_TEXT, .fd = STDERR_FILENO, .process = "smscd"};

/*  text <= p <= end, room for "\n" kept behind end */
struct line {
    char text[LOG_LINE_MAX];
    char *p, *end;
};

static void put(struct line *line, const char *s, size_t n)
{
    if (n > (size_t)(line->end - line->p))
        n = 0, line->end = line->p; /* nothing half: the first piece that does not fit ends the line */
    memcpy(line->p, s, n);
    line->p += n;
}

static void put_string(struct line *line, const char *s)
{
    put(line, s, strlen(s));
}

static bool continuation(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

/* Length of the valid, printable UTF-8 sequence that begins at s, or 0. */
static size_t utf8_printable(const uint8_t *s)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        return continuation(s[1]) && !(s[0] == 0xc2 && s[1] < 0xa0) ? 2 : 0; /* below U+00A0: control characters */
    if ((s[0] & 0xf0) == 0xe0) {
        bool shortest = s[0] != 0xe0 || s[1] >= 0xa0;
        bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
        bool separator = s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9); /* line, paragraph */
        return continuation(s[1]) && continuation(s[2]) && shortest && !surrogate && !separator ? 3 : 0;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        bool in_range = (s[0] != 0xf0 || s[1] >= 0x90) && (s[0] != 0xf4 || s[1] < 0x90);
        return continuation(s[1]) && continuation(s[2]) && continuation(s[3]) && in_range ? 4 : 0;
    }
    return 0;
}

static void put_escape(struct line *line, uint8_t c, bool json)
{
    char text[8];
    if (c == '\n')
        put_string(line, "\\n");
    else if (c == '\t')
        put_string(line, "\\t");
    else if (json && c >= 0x80)
        put_string(line, "\\ufffd");
    else
        put(line, text, (size_t)snprintf(text, sizeof(text), json ? "\\u%04x" : "\\x%02x", c));
}

static void put_escaped(struct line *line, const char *s, bool json)
{
    while (*s) {
        size_t n = utf8_printable((const uint8_t *)s);
        if (n == 0) {
            put_escape(line, (uint8_t)*s++, json);
            continue;
        }
        if (json && (*s == '"' || *s == '\\'))
            put_string(line, "\\");
        put(line, s, n);
        s += n;
    }
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm tm;
    char text[48];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
    put(line, text, n);
}

static void put_member(struct line *line, const char *name, const char *value)
{
    put_string(line, ",\"");
    put_string(line, name);
    put_string(line, "\":\"");
    put_escaped(line, value, true);
    put_string(line, "\"");
}

static void build_json(struct line *line, enum log_level level, const char *who, const char *text)
{
    line->end -= 2; /* a text that is cut still gets its closing */
    put_string(line, "{\"time\":\"");
    put_time(line);
    put_string(line, "\"");
    put_member(line, "level", level_names[level]);
    put_member(line, "process", logger.process);
    if (who)
        put_member(line, "who", who);
    put_string(line, ",\"message\":\"");
    put_escaped(line, text, true);
    memcpy(line->p, "\"}", 2);
    line->p += 2;
}

static void build_text(struct line *line, enum log_level level, const char *who, const char *text)
{
    put_time(line);
    put_string(line, " ");
    put_string(line, level_names[level]);
    put_string(line, " ");
    put_string(line, logger.process);
    put_string(line, ": ");
    if (who) {
        put_escaped(line, who, false);
        put_string(line, ": ");
    }
    put_escaped(line, text, false);
}

/* A line that cannot be written has nowhere to be complained about. */
static void write_line(struct line *line)
{
    *line->p++ = '\n';
    while (write(logger.fd, line->text, (size_t)(line->p - line->text)) == -1 && errno == EINTR)
        ;
}

void log_vline(enum log_level level, const char *who, const char *fmt, va_list ap)
{
    struct line line;
    char text[LOG_TEXT_MAX];
    int saved = errno;

    if (!log_enabled(level))
        return;
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    if (n >= (int)sizeof(text))
        memcpy(text + sizeof(text) - 4, "...", 4);
    else if (n < 0)
        snprintf(text, sizeof(text), "(a message that cannot be formatted)");
    line.p = line.text;
    line.end = line.text + sizeof(line.text) - 1;
    if (logger.format == LOG_JSON)
        build_json(&line, level, who, text);
    else
        build_text(&line, level, who, text);
    write_line(&line);
    errno = saved;
}

void log_line(enum log_level level, const char *who, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_vline(level, who, fmt, ap);
    va_end(ap);
}

static int open_append(const char *file)
{
    return open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

int log_open(enum log_level level, enum log_format format, const char *file)
{
    bool to_file = file && *file;
    int fd = to_file ? open_append(file) : STDERR_FILENO;
    if (fd == -1)
        return -1;
    char *copy = to_file ? xstrdup(file) : NULL;
    if (logger.fd != STDERR_FILENO)
        close(logger.fd);
    free(logger.file);
    logger.level = level;
    logger.format = format;
    logger.fd = fd;
    logger.file = copy;
    return 0;
}

void log_reopen(void)
{
    if (!logger.file)
        return;
    int fd = open_append(logger.file);
    /* The number stays the same: others (faulthandler) hold it. */
    if (fd == -1 || dup3(fd, logger.fd, O_CLOEXEC) == -1)
        log_error("log", "cannot open %s again, going on with the old one: %s", logger.file, strerror(errno));
    util_close(&fd);
}

int log_fd(void)
{
    return logger.fd;
}

void log_set_process(const char *name)
{
    snprintf(logger.process, sizeof(logger.process), "%s", name);
}

bool log_enabled(enum log_level level)
{
    return level >= logger.level;
}

int log_level_by_name(const char *name)
{
    for (int level = LOG_DEBUG_; level <= LOG_ERROR_; level++) {
        if (strcmp(name, level_names[level]) == 0)
            return level;
    }
    return -1;
}
