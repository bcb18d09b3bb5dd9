/* Small things that have no other home. */
#ifndef SMSCD_UTIL_H
#define SMSCD_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* malloc, calloc, realloc, strdup that log at alert level and abort when there is no memory. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds of CLOCK_MONOTONIC, to within a tick of the kernel (at most 10 ms late). Cheap. */
uint64_t util_now_ms(void);
/* Closes *fd when it is not -1 and sets it to -1. */
void util_close(int *fd);
/* 0, or -1 with errno. */
int util_set_nonblock(int fd);
/* n random octets from getrandom(2). */
void util_random(void *to, size_t n);
/* "192.0.2.1:2775" or "[2001:db8::1]:2775" of a struct sockaddr; "" when unknown. */
struct sockaddr;
void util_addr_text(const struct sockaddr *sa, char *to, size_t cap);
/* mkdir with parents, mode 0700. 0, or -1 with errno. */
int util_mkdirs(const char *path);
/* The directory of the running executable, without a slash at the end. Never fails: "." */
const char *util_exe_dir(void);

#endif
