/* Reading a decoded PDU beyond its mandatory fields: optional parameters, lists of destinations, the body,
 * whether it is a receipt. */
#include "pdu.h"
#include "receipt.h"

bool pdu_tlv_next(const struct pdu *pdu, uint32_t *pos, struct pdu_tlv *tlv)
{
    if (*pos >= pdu->command_length)
        return false;
    struct wire w = wire_of(pdu->raw + *pos, pdu->command_length - *pos);
    tlv->tag = wire_get_u16(&w);
    tlv->len = wire_get_u16(&w);
    tlv->value = wire_take(&w, tlv->len);
    *pos += (uint32_t)wire_done(&w);
    return !w.error;
}

bool pdu_tlv_find(const struct pdu *pdu, uint16_t tag, struct pdu_tlv *tlv)
{
    uint32_t pos = pdu->tlv_off;
    while (pdu_tlv_next(pdu, &pos, tlv))
        if (tlv->tag == tag)
            return true;
    return false;
}

bool pdu_tlv_int(const struct pdu *pdu, uint16_t tag, uint32_t *value)
{
    const struct smpp_tlv_def *def = smpp_tlv_by_tag(tag);
    struct pdu_tlv tlv;

    if (!def || def->type != SMPP_TLV_INT || !pdu_tlv_find(pdu, tag, &tlv) || tlv.len != def->max)
        return false;
    *value = 0;
    for (unsigned i = 0; i < tlv.len; i++)
        *value = *value << 8 | tlv.value[i];
    return true;
}

const uint8_t *pdu_body(const struct pdu *pdu, size_t *len)
{
    struct pdu_tlv tlv;
    if (!pdu_tlv_find(pdu, SMPP_TLV_message_payload, &tlv))
        return pdu_str(pdu, PDU_short_message, len);
    *len = tlv.len;
    return tlv.value;
}

bool pdu_dest_next(const struct pdu *pdu, uint32_t *pos, struct pdu_dest *dest)
{
    size_t len;
    const uint8_t *entries = pdu_str(pdu, PDU_dest_address, &len);
    if (*pos >= len)
        return false;
    struct wire w = wire_of(entries + *pos, len - *pos);
    dest->dest_flag = wire_get_u8(&w);
    dest->ton = dest->dest_flag == PDU_DEST_SME ? wire_get_u8(&w) : 0;
    dest->npi = dest->dest_flag == PDU_DEST_SME ? wire_get_u8(&w) : 0;
    dest->addr = wire_get_cstring(&w, PDU_DEST_ADDR_MAX, &dest->len);
    *pos += (uint32_t)wire_done(&w);
    return !w.error;
}

bool pdu_unsuccess_next(const struct pdu *pdu, uint32_t *pos, struct pdu_unsuccess *u)
{
    size_t len;
    const uint8_t *entries = pdu_str(pdu, PDU_unsuccess_sme, &len);
    if (*pos >= len)
        return false;
    struct wire w = wire_of(entries + *pos, len - *pos);
    u->ton = wire_get_u8(&w);
    u->npi = wire_get_u8(&w);
    u->addr = wire_get_cstring(&w, PDU_DEST_ADDR_MAX, &u->len);
    u->error_status_code = wire_get_u32(&w);
    *pos += (uint32_t)wire_done(&w);
    return !w.error;
}

bool pdu_is_receipt(const struct pdu *pdu)
{
    struct pdu_tlv tlv;
    if (pdu->command_id != SMPP_deliver_sm && pdu->command_id != SMPP_data_sm)
        return false;
    switch (pdu_int(pdu, PDU_esm_class) & SMPP_ESM_TYPE_MASK) {
    case SMPP_ESM_RECEIPT:
    case SMPP_ESM_INTERMEDIATE:
        return true;
    case 0:
        return pdu_tlv_find(pdu, SMPP_TLV_receipted_message_id, &tlv) &&
               pdu_tlv_find(pdu, SMPP_TLV_message_state, &tlv);
    }
    return false;
}

/* 1..8, or 0 when the text has no stat that is known. */
static unsigned text_state(const struct pdu *pdu)
{
    struct receipt r;
    size_t len;
    const uint8_t *text = pdu_body(pdu, &len);
    receipt_parse(&r, text, len);
    return r.v[RECEIPT_stat].p ? smpp_state_by_stat((const char *)r.v[RECEIPT_stat].p, r.v[RECEIPT_stat].n) : 0;
}

bool pdu_is_intermediate(const struct pdu *pdu)
{
    uint32_t state;
    if (!pdu_is_receipt(pdu))
        return false;
    if ((pdu_int(pdu, PDU_esm_class) & SMPP_ESM_TYPE_MASK) == SMPP_ESM_INTERMEDIATE)
        return true;
    if (!pdu_tlv_int(pdu, SMPP_TLV_message_state, &state))
        state = text_state(pdu);
    return !smpp_state_final(state);
}
