/* Requests that wait for the window: whole PDUs, in order, in one buffer that is there only while some wait. */
#ifndef SMSCD_PARK_H
#define SMSCD_PARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  buf            off            off + len          cap
 *  |...done with...|...whole PDUs...|...room...|        cap <= 2 * limit, so
 *  that octets are moved to the front only when at least as many were dropped. */
struct park {
    uint8_t *buf;
    size_t off, len, cap;
    unsigned count;
};

/* Copies a PDU to the end. false: the waiting ones would take more than limit octets. */
bool park_add(struct park *p, const uint8_t *raw, size_t len, size_t limit);
/* The first PDU, which its command_length ends; NULL when none waits. Valid until it is dropped. */
const uint8_t *park_first(const struct park *p, uint32_t *len);
void park_drop_first(struct park *p);
void park_clear(struct park *p);

#endif
