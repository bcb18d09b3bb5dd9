/* What the machine can do at most: a driver and a server, each on a core, exchange submit_sm and submit_sm_resp as
 * smppload and smppsim do, in bare C: epoll, one read, many PDUs, one write, nothing else. One line of JSON.
 * echo_floor WINDOW SECONDS [LENGTH [DRIVER_CPU SERVER_CPU]] */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 16, BUFFER = 1 << 20, WINDOW_MAX = 65536, SAMPLES = 1 << 20 };

/* | left over from before | just read |      free      |
 * data                              data+len       data+BUFFER */
struct side {
    int fd, epoll;
    size_t in_len, out_len;
    uint8_t in[BUFFER], out[BUFFER];
};

struct driver {
    unsigned window;
    size_t pdu_len;
    uint8_t pdu[4096];
    uint64_t answers, now, end, begun[WINDOW_MAX];
    uint32_t sequence;
    uint32_t *samples;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return ntohl(v);
}

static void put32(uint8_t *p, uint32_t v)
{
    v = htonl(v);
    memcpy(p, &v, 4);
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (cpu >= 0)
        sched_setaffinity(0, sizeof(set), &set);
}

static void flush(struct side *s)
{
    for (size_t done = 0; done < s->out_len;) {
        ssize_t n = write(s->fd, s->out + done, s->out_len - done);
        if (n <= 0)
            exit(0); /* the other side has ended */
        done += (size_t)n;
    }
    s->out_len = 0;
}

/* Waits and reads once; false when the other side has ended. */
static bool fill(struct side *s)
{
    struct epoll_event ev;
    if (epoll_wait(s->epoll, &ev, 1, -1) < 0)
        die("epoll_wait");
    ssize_t n = read(s->fd, s->in + s->in_len, BUFFER - s->in_len);
    if (n <= 0)
        return false;
    s->in_len += (size_t)n;
    return true;
}

/* Calls fn for every whole PDU and keeps the rest. */
static void each_pdu(struct side *s, void (*fn)(struct side *, const uint8_t *, void *), void *arg)
{
    size_t at = 0, len;
    while (s->in_len - at >= HEADER && (len = get32(s->in + at)) >= HEADER && s->in_len - at >= len) {
        fn(s, s->in + at, arg);
        at += len;
    }
    memmove(s->in, s->in + at, s->in_len - at);
    s->in_len -= at;
}

static struct side *side_new(int fd)
{
    static struct side side;
    struct epoll_event ev = {.events = EPOLLIN};
    side.fd = fd;
    side.epoll = epoll_create1(EPOLL_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (side.epoll < 0 || epoll_ctl(side.epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
        die("epoll");
    return &side;
}

/* submit_sm_resp with a counting id. */
static void serve_one(struct side *s, const uint8_t *pdu, void *arg)
{
    uint64_t *id = arg;
    uint8_t *to = s->out + s->out_len;
    char text[20], *p = text + sizeof(text);
    *--p = 0;
    for (uint64_t n = ++*id; n; n /= 10)
        *--p = (char)('0' + n % 10);
    size_t id_len = (size_t)(text + sizeof(text) - p);
    put32(to, (uint32_t)(HEADER + id_len));
    put32(to + 4, 0x80000004);
    put32(to + 8, 0);
    memcpy(to + 12, pdu + 12, 4);
    memcpy(to + HEADER, p, id_len);
    s->out_len += HEADER + id_len;
}

static void serve(int listener, int cpu)
{
    uint64_t id = 0;
    pin(cpu);
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        die("accept");
    struct side *s = side_new(fd);
    while (fill(s)) {
        each_pdu(s, serve_one, &id);
        flush(s);
    }
    exit(0);
}

static void send_one(struct side *s, struct driver *d)
{
    uint8_t *to = s->out + s->out_len;
    memcpy(to, d->pdu, d->pdu_len);
    put32(to + 12, ++d->sequence);
    d->begun[d->sequence % d->window] = d->now;
    s->out_len += d->pdu_len;
}

static void answer_one(struct side *s, const uint8_t *pdu, void *arg)
{
    struct driver *d = arg;
    uint64_t ns = d->now - d->begun[get32(pdu + 12) % d->window];
    d->samples[d->answers++ % SAMPLES] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    if (d->now < d->end)
        send_one(s, d);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* submit_sm as smppload's: addresses of 8 and 12 digits, a text of `length`. */
static void make_pdu(struct driver *d, size_t length)
{
    static const uint8_t head[] = "\0\5\0smppload\0\1\1"
                                  "447900000001\0\0\0\0\0\0\0\0\0\0";
    size_t head_len = sizeof(head) - 1;
    memcpy(d->pdu + HEADER, head, head_len);
    d->pdu[HEADER + head_len] = (uint8_t)length;
    memset(d->pdu + HEADER + head_len + 1, 'a', length);
    d->pdu_len = HEADER + head_len + 1 + length;
    put32(d->pdu, (uint32_t)d->pdu_len);
    put32(d->pdu + 4, 4);
}

static void report(struct driver *d, double seconds)
{
    uint64_t n = d->answers < SAMPLES ? d->answers : SAMPLES;
    struct rusage self, child;
    qsort(d->samples, n, sizeof(*d->samples), by_value);
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &child);
#define CPU(u)                                                                                                         \
    ((double)((u).ru_utime.tv_sec + (u).ru_stime.tv_sec) + (double)((u).ru_utime.tv_usec + (u).ru_stime.tv_usec) / 1e6)
#define AT(p) ((double)d->samples[(uint64_t)((double)(n - 1) * (p) / 100)] / 1000)
    printf("{\"rate\": %.1f, \"sent\": %llu, \"answer_us\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, "
           "\"p99.9\": %.1f, \"max\": %.1f}, \"driver_cpu\": %.3f, \"server_cpu\": %.3f}\n",
           (double)d->answers / seconds, (unsigned long long)d->answers, AT(50), AT(90), AT(99), AT(99.9), AT(100),
           CPU(self), CPU(child));
}

static void drive(struct sockaddr_in *to, struct driver *d, double seconds)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)to, sizeof(*to)) < 0)
        die("connect");
    struct side *s = side_new(fd);
    uint64_t begun = d->now = clock_ns();
    d->end = begun + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < d->window; i++)
        send_one(s, d);
    flush(s);
    while (d->answers < d->sequence && fill(s)) {
        d->now = clock_ns();
        each_pdu(s, answer_one, d);
        flush(s);
    }
    double took = (double)(clock_ns() - begun) / 1e9;
    close(fd);
    while (wait(NULL) > 0)
        ;
    report(d, took);
}

int main(int argc, char **argv)
{
    static struct driver d;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
    unsigned long length = argc > 3 ? strtoul(argv[3], NULL, 10) : 40;
    d.window = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 64;
    if (d.window < 1 || d.window > 4096 || length > 254 || seconds <= 0) {
        fprintf(stderr, "usage: echo_floor WINDOW (1-4096) SECONDS [LENGTH (0-254) [DRIVER_CPU SERVER_CPU]]\n");
        return 2;
    }
    make_pdu(&d, length);
    d.samples = calloc(SAMPLES, sizeof(*d.samples));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!d.samples || listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) < 0)
        die("listen");
    signal(SIGPIPE, SIG_IGN);
    if (fork() == 0)
        serve(listener, argc > 5 ? (int)strtol(argv[5], NULL, 10) : 1);
    pin(argc > 5 ? (int)strtol(argv[4], NULL, 10) : 0);
    drive(&addr, &d, seconds);
    return 0;
}
