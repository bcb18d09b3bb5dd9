/* smscctl: one command to the control socket of a running smscd; its answer to standard output.
 * Exit status: 0 it worked, 1 it did not, 2 it was asked wrongly. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf.h"
#include "config.h"
#include "util.h"

static void usage(FILE *to)
{
    fputs("usage: smscctl -c FILE [--json] COMMAND\n"
          "  -c FILE     the configuration smscd runs with\n"
          "  -j, --json  print the answer as JSON\n"
          "  -V          print the version\n"
          "  -h          print this\n"
          "commands: status, workers, binds, sessions, reload, stop, help\n",
          to);
}

static int connect_to(const struct conf *conf)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char *path = xasprintf("%s/smscd.ctl", conf->run_dir);
    int fd = -1;
    if (strlen(path) >= sizeof(un.sun_path)) {
        fprintf(stderr, "smscctl: %s is too long for a Unix socket\n", path);
    } else {
        memcpy(un.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd != -1 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1) {
            fprintf(stderr, "smscctl: smscd is not running in %s: %s\n", conf->run_dir, strerror(errno));
            util_close(&fd);
        }
    }
    free(path);
    return fd;
}

/* The whole answer, NUL-terminated, malloc'd; NULL when the connection broke. */
static char *read_answer(int fd)
{
    size_t len = 0, cap = 65536;
    char *text = xmalloc(cap);
    for (;;) {
        ssize_t n = read(fd, text + len, cap - len - 1);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1 || (n == 0 && len == 0)) {
            free(text);
            return NULL;
        }
        if (n == 0)
            break;
        len += (size_t)n;
        if (cap - len < 4096)
            text = xrealloc(text, cap *= 2);
    }
    text[len] = 0;
    return text;
}

/* Text answers begin with a line "ok" or "error", JSON says it inside. */
static int print_answer(const char *text, bool json)
{
    bool ok = strncmp(text, json ? "{\"ok\":true" : "ok\n", json ? 10 : 3) == 0;
    if (!json)
        text += strcspn(text, "\n") + 1;
    fputs(text, ok || json ? stdout : stderr);
    return ok ? 0 : 1;
}

static int ask(const struct conf *conf, const char *command, bool json)
{
    int fd = connect_to(conf);
    if (fd == -1)
        return 1;
    char *request = xasprintf("%s %s\n", json ? "json" : "text", command);
    ssize_t sent = send(fd, request, strlen(request), MSG_NOSIGNAL);
    char *answer = sent == -1 ? NULL : read_answer(fd);
    int status = 1;
    if (answer)
        status = print_answer(answer, json);
    else
        fprintf(stderr, "smscctl: smscd has closed the connection without an answer\n");
    free(answer);
    free(request);
    util_close(&fd);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *file = NULL;
    bool json = false;
    for (int c; (c = getopt_long(argc, argv, "c:jVh", options, NULL)) != -1;) {
        if (c == 'c') {
            file = optarg;
        } else if (c == 'j') {
            json = true;
        } else if (c == 'V') {
            puts("smscctl " PACKAGE_VERSION);
            return 0;
        } else {
            usage(c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (!file || optind + 1 != argc || strchr(argv[optind], '\n')) {
        usage(stderr);
        return 2;
    }
    char *error = NULL;
    struct conf *conf = conf_load(file, &error);
    if (!conf) {
        fprintf(stderr, "smscctl: %s\n", error);
        free(error);
        return 1;
    }
    int status = ask(conf, argv[optind], json);
    conf_free(&conf);
    return status;
}
