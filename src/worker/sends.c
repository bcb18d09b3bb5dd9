/* A table of places, each with a generation, so that an answer to what is over finds nothing. */
#include "sends.h"

#include "util.h"

#define SENDS_MAX 1000000u
#define NONE UINT32_MAX

enum place_state { FREE, WAITING, LATE };

struct place {
    uint32_t generation, next_free;
    enum place_state state;
    bool late;
    gateway_done_fn *done;
    void *arg;
    struct session *session;
    uint64_t ticket;
};

struct sends {
    struct place *places;
    uint32_t used, room, free;
};

struct sends *sends_new(void)
{
    struct sends *s = xcalloc(1, sizeof(*s));
    s->free = NONE;
    return s;
}

static struct place *place_of(struct sends *s, uint64_t id)
{
    uint32_t index = (uint32_t)id - 1;
    if (index >= s->used)
        return NULL;
    struct place *p = &s->places[index];
    return p->generation == (uint32_t)(id >> 32) && p->state != FREE ? p : NULL;
}

static void place_free(struct sends *s, struct place *p)
{
    p->state = FREE;
    p->generation++;
    p->next_free = s->free;
    s->free = (uint32_t)(p - s->places);
}

static uint32_t place_take(struct sends *s)
{
    uint32_t index = s->free;
    if (index != NONE) {
        s->free = s->places[index].next_free;
        return index;
    }
    if (s->used == SENDS_MAX)
        return NONE;
    if (s->used == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->places = xrealloc(s->places, s->room * sizeof(*s->places));
    }
    s->places[s->used].generation = 0;
    return s->used++;
}

uint64_t sends_add(struct sends *s, bool late, gateway_done_fn *done, void *arg)
{
    uint32_t index = place_take(s);
    if (index == NONE)
        return 0;
    struct place *p = &s->places[index];
    *p = (struct place){.generation = p->generation, .state = WAITING, .late = late, .done = done, .arg = arg};
    return (uint64_t)p->generation << 32 | (index + 1);
}

void sends_drop(struct sends *s, uint64_t id)
{
    struct place *p = place_of(s, id);
    if (p)
        place_free(s, p);
}

void sends_set_local(struct sends *s, uint64_t id, struct session *session, uint64_t ticket)
{
    struct place *p = place_of(s, id);
    if (p) {
        p->session = session;
        p->ticket = ticket;
    }
}

void sends_done(struct sends *s, uint64_t id, enum msg_outcome outcome, bool sent, bool late, const uint8_t *resp,
                size_t len)
{
    struct place *p = place_of(s, id);
    if (!p)
        return;
    gateway_done_fn *done = p->done;
    void *arg = p->arg;
    if (p->state == LATE) {
        if (outcome == MSG_TIMEOUT)
            return; /* the late outcome is still to come */
        place_free(s, p);
        done(arg, outcome == MSG_RESPONSE ? MSG_RESPONSE : MSG_GONE, sent, true, resp, len);
        return;
    }
    if (late)
        return;
    if (outcome == MSG_TIMEOUT && p->late)
        p->state = LATE;
    else
        place_free(s, p);
    done(arg, outcome, sent, false, resp, len);
}

void *sends_cancel(struct sends *s, uint64_t id, struct session **session, uint64_t *ticket)
{
    struct place *p = place_of(s, id);
    if (!p || p->state != WAITING)
        return NULL;
    void *arg = p->arg;
    *session = p->session;
    *ticket = p->ticket;
    if (p->late)
        p->state = LATE;
    else
        place_free(s, p);
    return arg;
}
