/* The messages that the micro-benchmarks work on. */
#ifndef SMSCD_MICRO_PDU_H
#define SMSCD_MICRO_PDU_H

#include <string.h>

#include "micro.h"
#include "pdu.h"

#define MICRO_TEXT "A message of forty octets, as smppload's"
#define MICRO_RECEIPT                                                                                                  \
    "id:0123456789 sub:001 dlvrd:001 submit date:2611230910 done date:2611230911 stat:DELIVRD err:000 text:A message"

static inline void micro_put(struct pdu_out *out, enum pdu_field f, const char *s)
{
    out->v[f].p = (const uint8_t *)s;
    out->v[f].n = (uint32_t)strlen(s);
}

static inline struct pdu_out micro_message(uint32_t command_id, const char *text)
{
    struct pdu_out out = {.command_id = command_id, .sequence_number = 1};
    out.v[PDU_source_addr_ton].n = 5;
    micro_put(&out, PDU_source_addr, "smppload");
    out.v[PDU_dest_addr_ton].n = 1;
    out.v[PDU_dest_addr_npi].n = 1;
    micro_put(&out, PDU_destination_addr, "447900000001");
    micro_put(&out, PDU_short_message, text);
    return out;
}

/* Writes out behind *len octets that are in `to` already. */
static inline void micro_append(const struct pdu_out *out, uint8_t *to, size_t cap, size_t *len)
{
    size_t n = pdu_encode(out, to + *len, cap - *len, &(enum pdu_field){0});
    if (!n)
        micro_die("the message cannot be encoded");
    *len += n;
}

#endif
