/* Reads every octet that a decoded PDU gives access to, so that a sanitizer sees one that is not the PDU's. */
#ifndef SMSCD_PDU_WALK_H
#define SMSCD_PDU_WALK_H

#include "pdu.h"

static inline unsigned walk_octets(const uint8_t *p, size_t n)
{
    unsigned sum = 0;
    while (n--)
        sum += *p++;
    return sum;
}

static inline unsigned walk_fields(const struct pdu *pdu)
{
    unsigned sum = 0;
    for (unsigned i = 0; pdu->layout && i < pdu->layout->count; i++) {
        const struct pdu_item *item = &pdu->layout->items[i];
        enum pdu_field field = (enum pdu_field)item->field;
        size_t len;
        const uint8_t *p = pdu_str(pdu, field, &len);
        if (item->type == PDU_INT)
            sum += pdu_int(pdu, field);
        else
            sum += walk_octets(p, len + (item->type == PDU_CSTRING)); /* with its NUL */
    }
    return sum;
}

static inline unsigned walk_lists(const struct pdu *pdu)
{
    struct pdu_dest dest;
    struct pdu_unsuccess un;
    unsigned sum = 0;
    for (uint32_t pos = 0; pdu_dest_next(pdu, &pos, &dest);)
        sum += walk_octets(dest.addr, dest.len + 1);
    for (uint32_t pos = 0; pdu_unsuccess_next(pdu, &pos, &un);)
        sum += walk_octets(un.addr, un.len + 1);
    return sum;
}

static inline unsigned walk_tlvs(const struct pdu *pdu)
{
    struct pdu_tlv tlv;
    uint32_t value;
    unsigned sum = 0;
    for (uint32_t pos = pdu->tlv_off; pdu_tlv_next(pdu, &pos, &tlv);) {
        sum += walk_octets(tlv.value, tlv.len);
        sum += pdu_tlv_int(pdu, tlv.tag, &value) ? value : 0;
    }
    return sum;
}

static inline unsigned walk_pdu(const struct pdu *pdu)
{
    size_t len;
    const uint8_t *body = pdu_body(pdu, &len);
    unsigned sum = walk_octets(body, len) + walk_fields(pdu) + walk_lists(pdu) + walk_tlvs(pdu);
    return sum + pdu_is_receipt(pdu) + pdu_is_intermediate(pdu);
}

/* What encodes to the same octets again. */
static inline void walk_to_out(const struct pdu *pdu, struct pdu_out *out)
{
    memset(out, 0, sizeof(*out));
    out->command_id = pdu->command_id;
    out->command_status = pdu->command_status;
    out->sequence_number = pdu->sequence_number;
    out->header_only = pdu->command_length == SMPP_HEADER_SIZE;
    for (unsigned i = 0; i < pdu->layout->count; i++) {
        const struct pdu_item *item = &pdu->layout->items[i];
        size_t len;
        if (item->type == PDU_INT) {
            out->v[item->field].n = pdu_int(pdu, (enum pdu_field)item->field);
            continue;
        }
        out->v[item->field].p = pdu_str(pdu, (enum pdu_field)item->field, &len);
        out->v[item->field].n = (uint32_t)len;
        if ((item->type == PDU_DESTS || item->type == PDU_UNSUCCESS) && pdu_has(pdu, (enum pdu_field)item->field))
            out->v[item->field].count = pdu->raw[pdu->v[item->field].off - 1];
    }
    out->tlvs = pdu->raw + pdu->tlv_off;
    out->tlvs_len = pdu->command_length - pdu->tlv_off;
}

#endif
