/* The buffer of requests that wait. It grows by doubling up to its limit and goes when the last one is taken. */
#include "park.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "wire.h"

enum { PARK_MIN = 4096 };

static void park_room(struct park *p, size_t n, size_t limit)
{
    size_t cap = p->cap ? p->cap : PARK_MIN;
    if (p->off + p->len + n <= p->cap)
        return;
    if (p->buf && p->len + n <= p->cap && p->off >= p->cap / 2) {
        memmove(p->buf, p->buf + p->off, p->len);
        p->off = 0;
        return;
    }
    while (cap < p->len + n || cap == p->cap)
        cap *= 2;
    if (cap > 2 * limit)
        cap = 2 * limit;
    uint8_t *buf = xmalloc(cap);
    if (p->len)
        memcpy(buf, p->buf + p->off, p->len);
    free(p->buf);
    p->buf = buf;
    p->cap = cap;
    p->off = 0;
}

bool park_add(struct park *p, const uint8_t *raw, size_t len, size_t limit)
{
    if (len > limit || p->len > limit - len)
        return false;
    park_room(p, len, limit);
    assert(p->off + p->len + len <= p->cap);
    memcpy(p->buf + p->off + p->len, raw, len);
    p->len += len;
    p->count++;
    return true;
}

const uint8_t *park_first(const struct park *p, uint32_t *len)
{
    if (!p->count)
        return NULL;
    *len = wire_u32_at(p->buf + p->off);
    assert(*len <= p->len);
    return p->buf + p->off;
}

void park_drop_first(struct park *p)
{
    uint32_t n = wire_u32_at(p->buf + p->off);
    assert(p->count && n <= p->len);
    p->off += n;
    p->len -= n;
    if (--p->count == 0)
        park_clear(p);
}

void park_clear(struct park *p)
{
    free(p->buf);
    *p = (struct park){.buf = NULL};
}
