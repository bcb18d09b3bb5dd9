/* The table of requests without an outcome: a pool of entries in lists, and a direct map from sequence numbers. */
#include "pending.h"

#include <assert.h>
#include <stdlib.h>

#include "util.h"

enum { POOL_MIN = 16, INDEX_BITS = 24 };

static uint32_t index_of(const struct pendings *t, const struct pending *p)
{
    return (uint32_t)(p - t->pool) + 1;
}

static struct pending *at(const struct pendings *t, uint32_t index)
{
    return index ? &t->pool[index - 1] : NULL;
}

static void append(struct pendings *t, struct pending *p, enum pending_list list)
{
    uint32_t i = index_of(t, p);
    p->list = (uint8_t)list;
    p->next = 0;
    p->prev = t->list[list].tail;
    if (p->prev)
        at(t, p->prev)->next = i;
    else
        t->list[list].head = i;
    t->list[list].tail = i;
    t->list[list].count++;
}

static void detach(struct pendings *t, struct pending *p)
{
    if (p->prev)
        at(t, p->prev)->next = p->next;
    else
        t->list[p->list].head = p->next;
    if (p->next)
        at(t, p->next)->prev = p->prev;
    else
        t->list[p->list].tail = p->prev;
    t->list[p->list].count--;
}

void pending_init(struct pendings *t)
{
    *t = (struct pendings){.pool = NULL};
}

void pending_clear(struct pendings *t)
{
    for (uint32_t i = 0; i < t->pool_size; i++)
        free(t->pool[i].raw);
    free(t->pool);
    free(t->by_sequence);
    pending_init(t);
}

static void grow_pool(struct pendings *t)
{
    uint32_t old = t->pool_size;
    t->pool_size = old ? old * 2 : POOL_MIN;
    assert(t->pool_size < 1u << INDEX_BITS);
    t->pool = xrealloc(t->pool, t->pool_size * sizeof(*t->pool));
    for (uint32_t i = old; i < t->pool_size; i++) {
        t->pool[i] = (struct pending){.done = NULL};
        append(t, &t->pool[i], PENDING_FREE);
    }
}

/* Entries whose slots differ in a table differ in one twice as long. */
static void grow_map(struct pendings *t)
{
    uint32_t *old = t->by_sequence;
    uint32_t old_size = t->size;
    t->size = old_size ? old_size * 2 : POOL_MIN * 2;
    t->by_sequence = xcalloc(t->size, sizeof(*t->by_sequence));
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i])
            t->by_sequence[at(t, old[i])->sequence_number & (t->size - 1)] = old[i];
    free(old);
}

/* A ticket is a running number and the place in the pool. */
struct pending *pending_add(struct pendings *t, enum pending_list list)
{
    if (!t->list[PENDING_FREE].head)
        grow_pool(t);
    struct pending *p = at(t, t->list[PENDING_FREE].head);
    detach(t, p);
    *p = (struct pending){.ticket = ++t->tickets << INDEX_BITS | index_of(t, p)};
    append(t, p, list);
    return p;
}

void pending_move(struct pendings *t, struct pending *p, enum pending_list list)
{
    detach(t, p);
    if (list == PENDING_FREE) {
        if (p->sequence_number) {
            t->by_sequence[p->sequence_number & (t->size - 1)] = 0;
            t->numbered--;
        }
        free(p->raw);
        *p = (struct pending){.done = NULL};
    }
    append(t, p, list);
}

bool pending_sequence_free(struct pendings *t, uint32_t sequence_number)
{
    if (t->numbered >= t->size / 2)
        grow_map(t);
    return !t->by_sequence[sequence_number & (t->size - 1)];
}

void pending_number(struct pendings *t, struct pending *p, uint32_t sequence_number)
{
    assert(!p->sequence_number && !t->by_sequence[sequence_number & (t->size - 1)]);
    p->sequence_number = sequence_number;
    t->by_sequence[sequence_number & (t->size - 1)] = index_of(t, p);
    t->numbered++;
}

struct pending *pending_by_sequence(const struct pendings *t, uint32_t sequence_number)
{
    struct pending *p = t->size ? at(t, t->by_sequence[sequence_number & (t->size - 1)]) : NULL;
    return p && p->sequence_number == sequence_number ? p : NULL;
}

struct pending *pending_by_ticket(const struct pendings *t, uint64_t ticket)
{
    uint32_t index = (uint32_t)(ticket & ((1u << INDEX_BITS) - 1));
    struct pending *p = index <= t->pool_size ? at(t, index) : NULL;
    return p && ticket && p->ticket == ticket && p->list != PENDING_FREE ? p : NULL;
}

struct pending *pending_first(const struct pendings *t, enum pending_list list)
{
    return at(t, t->list[list].head);
}

struct pending *pending_next(const struct pendings *t, const struct pending *p)
{
    return at(t, p->next);
}
