/* Names to addresses without blocking: c-ares on libev. Numeric addresses and /etc/hosts go the same way. */
#ifndef SMSCD_RESOLVER_H
#define SMSCD_RESOLVER_H

#include <ev.h>
#include <netinet/in.h>
#include <stddef.h>

#define RESOLVER_ADDRESSES_MAX 16

union resolver_address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct resolver_result {
    union resolver_address addresses[RESOLVER_ADDRESSES_MAX];
    size_t count;
    const char *error; /* when count is 0 */
};

struct resolver;
/* Called once, never from within resolver_start; the resolver is freed after it returns. */
typedef void resolver_done_fn(void *arg, const struct resolver_result *result);

/* Asks for the addresses of host, with the port in them. */
struct resolver *resolver_start(struct ev_loop *loop, const char *host, unsigned port, resolver_done_fn *done,
                                void *arg);
/* `done` is not called. */
void resolver_cancel(struct resolver **resolver);

#endif
