/* The registry of sessions in Redis: one hash per worker, <prefix>sessions:<node>:<worker>, session_id → JSON. It ends
 * by itself when its worker is gone, and is written anew when Redis comes back. The set <prefix>sessions has their
 * keys. */
#ifndef SMSCD_PRESENCE_H
#define SMSCD_PRESENCE_H

#include "esme.h"

struct presence;

struct presence *presence_new(struct worker *worker);
void presence_add(struct presence *presence, const struct esme_row *row);
void presence_remove(struct presence *presence, uint64_t number);
/* Redis is there (again): everything is written anew. */
void presence_rewrite(struct presence *presence);
/* Takes the whole hash away; then(arg) is called when Redis has done it, or cannot. */
void presence_clear(struct presence *presence, void (*then)(void *), void *arg);

#endif
