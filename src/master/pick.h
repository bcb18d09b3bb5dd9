/* The choices the master makes, as pure functions: which worker, how long to wait. */
#ifndef SMSCD_PICK_H
#define SMSCD_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The one with the smallest load among those that are up, the first of equals; -1: none is. */
int pick_fewest(const bool *up, const unsigned *load, unsigned n);
/* A number for a pair of addresses. */
uint32_t pick_pair_hash(const void *source, size_t source_len, const void *destination, size_t destination_len);
/* One of those that are up, the same for the same hash as long as that one is up, whatever the others do; -1: none is.
 */
int pick_by_hash(const bool *up, unsigned n, uint32_t hash);
/* Exponential: min doubled with each attempt (0, 1, ...) up to max, spread by a quarter up or down with `random`, but
 * never outside min..max. */
unsigned pick_backoff(unsigned attempt, unsigned min_ms, unsigned max_ms, uint32_t random);

#endif
