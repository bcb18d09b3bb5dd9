/* A bounds-checked cursor over octets, big-endian, with a sticky error: read or write a whole PDU or
 * message, then check once. The only place that touches bytes from a socket. */
#ifndef SMSCD_WIRE_H
#define SMSCD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*   start <= p <= end
 *   |...done...|...left...|
 *   start      p          end       An error leaves p where it was and every later call without effect. */
struct wire {
    uint8_t *start, *p, *end;
    bool error;
};

static inline struct wire wire_of(const void *data, size_t len)
{
    uint8_t *d = (uint8_t *)(uintptr_t)data;
    return (struct wire){.start = d, .p = d, .end = d + len, .error = false};
}

static inline size_t wire_left(const struct wire *w)
{
    return (size_t)(w->end - w->p);
}

static inline size_t wire_done(const struct wire *w)
{
    return (size_t)(w->p - w->start);
}

/* Moves over n octets and returns where they began, or NULL (and the error is set) when fewer are left. */
static inline uint8_t *wire_take(struct wire *w, size_t n)
{
    if (w->error || wire_left(w) < n) {
        w->error = true;
        return NULL;
    }
    uint8_t *at = w->p;
    w->p += n;
    return at;
}

static inline uint8_t wire_get_u8(struct wire *w)
{
    const uint8_t *b = wire_take(w, 1);
    return b ? b[0] : 0;
}

static inline uint16_t wire_get_u16(struct wire *w)
{
    const uint8_t *b = wire_take(w, 2);
    return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static inline uint32_t wire_u32_at(const uint8_t *b)
{
    uint32_t v;
    memcpy(&v, b, 4);
    return __builtin_bswap32(v);
}

static inline void wire_u32_set(uint8_t *b, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(b, &v, 4);
}

static inline uint32_t wire_get_u32(struct wire *w)
{
    const uint8_t *b = wire_take(w, 4);
    return b ? wire_u32_at(b) : 0;
}

static inline uint64_t wire_get_u64(struct wire *w)
{
    uint64_t high = wire_get_u32(w);
    return high << 32 | wire_get_u32(w);
}

/* A NUL-terminated string of at most max octets, the NUL included. Returns its beginning and sets *len to
 * its length without the NUL; NULL and the error when there is no NUL within max or within what is left. */
static inline const uint8_t *wire_get_cstring(struct wire *w, size_t max, size_t *len)
{
    size_t room = wire_left(w) < max ? wire_left(w) : max;
    const uint8_t *nul = w->error || room == 0 ? NULL : memchr(w->p, 0, room);
    if (!nul) {
        w->error = true;
        *len = 0;
        return NULL;
    }
    const uint8_t *at = w->p;
    *len = (size_t)(nul - at);
    w->p += *len + 1;
    return at;
}

static inline void wire_put_u8(struct wire *w, uint8_t v)
{
    uint8_t *b = wire_take(w, 1);
    if (b)
        b[0] = v;
}

static inline void wire_put_u16(struct wire *w, uint16_t v)
{
    uint8_t *b = wire_take(w, 2);
    v = __builtin_bswap16(v);
    if (b)
        memcpy(b, &v, 2);
}

static inline void wire_put_u32(struct wire *w, uint32_t v)
{
    uint8_t *b = wire_take(w, 4);
    if (b)
        wire_u32_set(b, v);
}

static inline void wire_put_u64(struct wire *w, uint64_t v)
{
    wire_put_u32(w, (uint32_t)(v >> 32));
    wire_put_u32(w, (uint32_t)v);
}

static inline void wire_put_octets(struct wire *w, const void *data, size_t n)
{
    uint8_t *b = wire_take(w, n);
    if (b && n)
        memcpy(b, data, n);
}

/* The n octets and a NUL. */
static inline void wire_put_cstring(struct wire *w, const void *data, size_t n)
{
    wire_put_octets(w, data, n);
    wire_put_u8(w, 0);
}

#endif
