/* The requests of one session that have no outcome yet: waiting for the window, on the wire, or late. Found by
 * sequence number or ticket without searching; the entries lie in one array, so that none is allocated by itself. */
#ifndef SMSCD_PENDING_H
#define SMSCD_PENDING_H

#include "session.h"

enum pending_list {
    PENDING_FREE,
    PENDING_QUEUED,  /* raw is a copy of the PDU, no sequence number yet */
    PENDING_WIRE,    /* sent, unanswered */
    PENDING_LATE,    /* timed out, and a later answer is told of; in the order of their deadlines */
    PENDING_EXPIRED, /* about to be told */
    PENDING_LISTS
};

struct pending {
    session_done_fn *done; /* NULL: nobody waits */
    void *arg;
    uint64_t ticket;
    uint64_t deadline_ms;
    uint8_t *raw;
    uint32_t raw_len;
    uint32_t command_id, sequence_number; /* sequence_number 0: not sent yet */
    unsigned timeout_ms, flags;           /* as given to session_send */
    bool cancelled;
    uint8_t list;        /* enum pending_list */
    uint32_t prev, next; /* index + 1 of the neighbours, 0: none */
};

/*  by_sequence[n & (size - 1)] is index + 1 of the entry with sequence number n, or 0. Two entries never share a slot:
 *  numbers whose slot is taken are skipped, and the table is kept at most half full. */
struct pendings {
    struct pending *pool;
    uint32_t pool_size;
    struct {
        uint32_t head, tail;
        uint32_t count;
    } list[PENDING_LISTS];
    uint32_t *by_sequence;
    uint32_t size, numbered;
    uint64_t tickets;
};

void pending_init(struct pendings *t);
void pending_clear(struct pendings *t); /* nothing is called back */

/* A new entry at the end of list, everything else 0. Pointers to entries are valid until the next one is added. */
struct pending *pending_add(struct pendings *t, enum pending_list list);
/* To the end of another list; PENDING_FREE ends it, and its raw. */
void pending_move(struct pendings *t, struct pending *p, enum pending_list list);
/* Makes p findable by a sequence number that pending_sequence_free allows. */
void pending_number(struct pendings *t, struct pending *p, uint32_t sequence_number);
/* Whether a new request may have this number. At least every second one on the average may. */
bool pending_sequence_free(struct pendings *t, uint32_t sequence_number);

struct pending *pending_by_sequence(const struct pendings *t, uint32_t sequence_number);
struct pending *pending_by_ticket(const struct pendings *t, uint64_t ticket);
struct pending *pending_first(const struct pendings *t, enum pending_list list);
struct pending *pending_next(const struct pendings *t, const struct pending *p);
static inline uint32_t pending_count(const struct pendings *t, enum pending_list list)
{
    return t->list[list].count;
}

#endif
