/* Small things that have no other home: memory that never fails, the clock,
 * descriptors, directories and address texts. */
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

static void *must(void *p, size_t n)
{
    if (!p) {
        log_alert(NULL, "out of memory: %zu octets", n);
        abort();
    }
    return p;
}

void *xmalloc(size_t n)
{
    return must(malloc(n ? n : 1), n);
}

void *xcalloc(size_t n, size_t size)
{
    if (n == 0 || size == 0)
        n = size = 1;
    return must(calloc(n, size), n * size);
}

void *xrealloc(void *p, size_t n)
{
    return must(realloc(p, n ? n : 1), n);
}

char *xstrdup(const char *s)
{
    return must(strdup(s), strlen(s) + 1);
}

char *xasprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return must(n < 0 ? NULL : text, strlen(fmt));
}

uint64_t util_now_ms(void)
{
    struct timespec now;
    /* Behind by a tick of the kernel at most (4 ms), at a fifth of the cost: it is asked for each request sent. */
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void util_close(int *fd)
{
    if (*fd != -1)
        close(*fd);
    *fd = -1;
}

int util_set_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1)
        return -1;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ? -1 : 0;
}

void util_random(void *to, size_t n)
{
    uint8_t *p = to;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            log_alert(NULL, "getrandom: %s", strerror(errno));
            abort();
        }
        p += got;
        n -= (size_t)got;
    }
}

/* A peer of a socket for both families that came by IPv4 is shown as what it is. */
static void addr6_text(const struct sockaddr_in6 *in6, char *to, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port = ntohs(in6->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof(host));
        snprintf(to, cap, "%s:%u", host, port);
        return;
    }
    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
    snprintf(to, cap, "[%s]:%u", host, port);
}

void util_addr_text(const struct sockaddr *sa, char *to, size_t cap)
{
    if (cap == 0)
        return;
    to[0] = '\0';
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        char host[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(to, cap, "%s:%u", host, (unsigned)ntohs(in->sin_port));
    } else if (sa->sa_family == AF_INET6) {
        addr6_text((const void *)sa, to, cap);
    }
}

static int mkdir_one(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return -1;
    if (stat(path, &st) == -1)
        return -1;
    if (S_ISDIR(st.st_mode))
        return 0;
    errno = ENOTDIR;
    return -1;
}

int util_mkdirs(const char *path)
{
    char *copy = xstrdup(path);
    int rc = 0;
    for (char *slash = strchr(copy + (*copy == '/'), '/'); slash && rc == 0; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        rc = mkdir_one(copy);
        *slash = '/';
    }
    if (rc == 0)
        rc = mkdir_one(copy);
    int error = errno;
    free(copy);
    errno = error;
    return rc;
}

const char *util_exe_dir(void)
{
    static char dir[4096];
    if (dir[0])
        return dir;
    ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
    dir[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(dir, '/');
    if (!slash)
        snprintf(dir, sizeof(dir), ".");
    else if (slash == dir)
        slash[1] = '\0';
    else
        *slash = '\0';
    return dir;
}
