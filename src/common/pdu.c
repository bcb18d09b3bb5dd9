/* The table of every command's mandatory fields (SMPP 3.4 section 4) and the decoder and encoder it drives. */
#include "pdu.h"
#include "util.h"

#define INT(name)                                                                                                      \
    {                                                                                                                  \
        .field = PDU_##name, .type = PDU_INT, .max = 1                                                                 \
    }
#define STR(name, size)                                                                                                \
    {                                                                                                                  \
        .field = PDU_##name, .type = PDU_CSTRING, .max = (size)                                                        \
    }
#define ADDR(prefix, addr, max) INT(prefix##_addr_ton), INT(prefix##_addr_npi), STR(addr, max)

static const struct pdu_item bind_items[] = {
    STR(system_id, 16), STR(password, 9), STR(system_type, 13),   INT(interface_version),
    INT(addr_ton),      INT(addr_npi),    STR(address_range, 41),
};
static const struct pdu_item bind_resp_items[] = {STR(system_id, 16)};
static const struct pdu_item outbind_items[] = {STR(system_id, 16), STR(password, 9)};
/* submit_sm and deliver_sm. deliver_sm's two times are one octet in the standard, unused: with 17 a peer that fills
 * them in is understood. */
#define MESSAGE_ITEMS(INT, STR, OCTETS)                                                                                \
    STR(service_type, 6)                                                                                               \
    INT(source_addr_ton)                                                                                               \
    INT(source_addr_npi)                                                                                               \
    STR(source_addr, 21)                                                                                               \
    INT(dest_addr_ton)                                                                                                 \
    INT(dest_addr_npi)                                                                                                 \
    STR(destination_addr, 21)                                                                                          \
    INT(esm_class)                                                                                                     \
    INT(protocol_id)                                                                                                   \
    INT(priority_flag)                                                                                                 \
    STR(schedule_delivery_time, 17)                                                                                    \
    STR(validity_period, 17)                                                                                           \
    INT(registered_delivery)                                                                                           \
    INT(replace_if_present_flag)                                                                                       \
    INT(data_coding)                                                                                                   \
    INT(sm_default_msg_id)                                                                                             \
    OCTETS(short_message, 254)

#define INT_ITEM(name) INT(name),
#define STR_ITEM(name, size) STR(name, size),
#define OCTETS_ITEM(name, size) {PDU_##name, PDU_OCTETS, (size)},
static const struct pdu_item message_items[] = {MESSAGE_ITEMS(INT_ITEM, STR_ITEM, OCTETS_ITEM)};
static const struct pdu_item submit_multi_items[] = {
    STR(service_type, 6),
    ADDR(source, source_addr, 21),
    {PDU_dest_address, PDU_DESTS, 254},
    INT(esm_class),
    INT(protocol_id),
    INT(priority_flag),
    STR(schedule_delivery_time, 17),
    STR(validity_period, 17),
    INT(registered_delivery),
    INT(replace_if_present_flag),
    INT(data_coding),
    INT(sm_default_msg_id),
    {PDU_short_message, PDU_OCTETS, 254},
};
static const struct pdu_item submit_multi_resp_items[] = {
    STR(message_id, 65),
    {PDU_unsuccess_sme, PDU_UNSUCCESS, 255},
};
static const struct pdu_item data_sm_items[] = {
    STR(service_type, 6), ADDR(source, source_addr, 65), ADDR(dest, destination_addr, 65),
    INT(esm_class),       INT(registered_delivery),      INT(data_coding),
};
/* deliver_sm_resp's is one octet in the standard, unused; many peers put an id there. */
static const struct pdu_item message_id_items[] = {STR(message_id, 65)};
static const struct pdu_item query_sm_items[] = {STR(message_id, 65), ADDR(source, source_addr, 21)};
static const struct pdu_item query_sm_resp_items[] = {STR(message_id, 65), STR(final_date, 17), INT(message_state),
                                                      INT(error_code)};
static const struct pdu_item cancel_sm_items[] = {STR(service_type, 6), STR(message_id, 65),
                                                  ADDR(source, source_addr, 21), ADDR(dest, destination_addr, 21)};
static const struct pdu_item replace_sm_items[] = {
    STR(message_id, 65),
    ADDR(source, source_addr, 21),
    STR(schedule_delivery_time, 17),
    STR(validity_period, 17),
    INT(registered_delivery),
    INT(sm_default_msg_id),
    {PDU_short_message, PDU_OCTETS, 254},
};
static const struct pdu_item alert_items[] = {ADDR(source, source_addr, 65), ADDR(esme, esme_addr, 65)};
static const struct pdu_item no_items[] = {};

/* X(command, items, whether the standard gives it optional parameters) */
#define LAYOUTS(X)                                                                                                     \
    X(generic_nack, no_items, false)                                                                                   \
    X(bind_receiver, bind_items, false)                                                                                \
    X(bind_receiver_resp, bind_resp_items, true)                                                                       \
    X(bind_transmitter, bind_items, false)                                                                             \
    X(bind_transmitter_resp, bind_resp_items, true)                                                                    \
    X(bind_transceiver, bind_items, false)                                                                             \
    X(bind_transceiver_resp, bind_resp_items, true)                                                                    \
    X(outbind, outbind_items, false)                                                                                   \
    X(unbind, no_items, false)                                                                                         \
    X(unbind_resp, no_items, false)                                                                                    \
    X(enquire_link, no_items, false)                                                                                   \
    X(enquire_link_resp, no_items, false)                                                                              \
    X(submit_sm, message_items, true)                                                                                  \
    X(submit_sm_resp, message_id_items, false)                                                                         \
    X(submit_multi, submit_multi_items, true)                                                                          \
    X(submit_multi_resp, submit_multi_resp_items, false)                                                               \
    X(deliver_sm, message_items, true)                                                                                 \
    X(deliver_sm_resp, message_id_items, false)                                                                        \
    X(data_sm, data_sm_items, true)                                                                                    \
    X(data_sm_resp, message_id_items, true)                                                                            \
    X(query_sm, query_sm_items, false)                                                                                 \
    X(query_sm_resp, query_sm_resp_items, false)                                                                       \
    X(cancel_sm, cancel_sm_items, false)                                                                               \
    X(cancel_sm_resp, no_items, false)                                                                                 \
    X(replace_sm, replace_sm_items, false)                                                                             \
    X(replace_sm_resp, no_items, false)                                                                                \
    X(alert_notification, alert_items, true)

#define X(command, list, optional)                                                                                     \
    {.command_id = (uint32_t)SMPP_##command,                                                                           \
     .name = #command,                                                                                                 \
     .count = ARRAY_LEN(list),                                                                                         \
     .tlvs = (optional),                                                                                               \
     .items = (list)},
static const struct pdu_layout layouts[] = {LAYOUTS(X)};
#undef X

/* Place in layouts[] plus 1, by response bit and the rest of the command_id. */
#define X(command, list, optional) LAYOUT_AT_##command,
enum { LAYOUTS(X) LAYOUT_COUNT };
#undef X
#define X(command, id) [(id) >> 31][(id) & ~SMPP_RESPONSE_BIT] = LAYOUT_AT_##command + 1,
static const uint8_t layout_at[2][SMPP_data_sm + 1] = {SMPP_COMMANDS(X)};
#undef X
#define X(command, id) +1
_Static_assert(LAYOUT_COUNT == SMPP_COMMANDS(X), "every command has one layout");
#undef X

/* A string longer than its field: what the standard calls that. */
static const uint8_t too_long[PDU_FIELD_COUNT] = {
    [PDU_system_id] = ESME_RINVSYSID,
    [PDU_password] = ESME_RINVPASWD,
    [PDU_system_type] = ESME_RINVSYSTYP,
    [PDU_service_type] = ESME_RINVSERTYP,
    [PDU_source_addr] = ESME_RINVSRCADR,
    [PDU_destination_addr] = ESME_RINVDSTADR,
    [PDU_schedule_delivery_time] = ESME_RINVSCHED,
    [PDU_validity_period] = ESME_RINVEXPIRY,
    [PDU_message_id] = ESME_RINVMSGID,
};

const struct pdu_layout *pdu_layout(uint32_t command_id)
{
    uint32_t low = command_id & ~SMPP_RESPONSE_BIT;
    unsigned at = low < ARRAY_LEN(layout_at[0]) ? layout_at[command_id >> 31][low] : 0;
    return at ? &layouts[at - 1] : NULL;
}

const char *pdu_field_name(enum pdu_field field)
{
#define X(name) #name,
    static const char *const names[] = {PDU_FIELDS(X)};
#undef X
    return names[field];
}

/* Steps over a C-octet string; `status` is what it is when it has no NUL within max octets that are there. */
static inline uint32_t take_cstring(struct wire *w, size_t max, uint32_t status, struct pdu_value *v)
{
    size_t left = wire_left(w), len;
    v->off = (uint32_t)wire_done(w);
    if (left && *w->p == 0) {
        w->p++;
        v->len = 0;
        return ESME_ROK;
    }
    if (!wire_get_cstring(w, max, &len))
        return left < max ? ESME_RINVCMDLEN : status;
    v->len = (uint32_t)len;
    return ESME_ROK;
}

static inline uint32_t take_octets(struct wire *w, size_t max, struct pdu_value *v)
{
    size_t n = wire_get_u8(w);
    if (n > max)
        return ESME_RINVMSGLEN;
    v->off = (uint32_t)wire_done(w);
    v->len = (uint32_t)n;
    return wire_take(w, n) ? ESME_ROK : ESME_RINVCMDLEN;
}

/* Section 4.5.1.1: dest_flag, then an address or the name of a list. */
static uint32_t take_dest(struct wire *w)
{
    struct pdu_value skipped;
    uint8_t flag = wire_get_u8(w);
    if (w->error)
        return ESME_RINVCMDLEN;
    if (flag == PDU_DEST_LIST)
        return take_cstring(w, PDU_DEST_ADDR_MAX, ESME_RINVDLNAME, &skipped);
    if (flag != PDU_DEST_SME)
        return ESME_RINVDESTFLAG;
    return wire_take(w, 2) ? take_cstring(w, PDU_DEST_ADDR_MAX, ESME_RINVDSTADR, &skipped) : ESME_RINVCMDLEN;
}

static uint32_t take_dests(struct wire *w, size_t max, struct pdu_value *v)
{
    unsigned n = wire_get_u8(w);
    if (w->error)
        return ESME_RINVCMDLEN;
    if (n == 0 || n > max)
        return ESME_RINVNUMDESTS;
    v->off = (uint32_t)wire_done(w);
    for (; n; n--) {
        uint32_t status = take_dest(w);
        if (status)
            return status;
    }
    v->len = (uint32_t)wire_done(w) - v->off;
    return ESME_ROK;
}

/* Section 4.5.2.1: address and error_status_code. */
static uint32_t take_unsuccess(struct wire *w, struct pdu_value *v)
{
    struct pdu_value skipped;
    unsigned n = wire_get_u8(w);
    v->off = (uint32_t)wire_done(w);
    for (; n; n--) {
        if (!wire_take(w, 2))
            return ESME_RINVCMDLEN;
        uint32_t status = take_cstring(w, PDU_DEST_ADDR_MAX, ESME_RINVDSTADR, &skipped);
        if (status)
            return status;
        wire_take(w, 4);
    }
    v->len = (uint32_t)wire_done(w) - v->off;
    return w->error ? ESME_RINVCMDLEN : ESME_ROK;
}

static inline uint32_t take_item(struct wire *w, const struct pdu_item *item, struct pdu_value *v)
{
    switch ((enum pdu_type)item->type) {
    case PDU_INT:
        v->off = (uint32_t)wire_done(w);
        v->len = wire_get_u8(w);
        return w->error ? ESME_RINVCMDLEN : ESME_ROK;
    case PDU_CSTRING:
        return take_cstring(w, item->max, too_long[item->field] ? too_long[item->field] : ESME_RINVPARLEN, v);
    case PDU_OCTETS:
        return take_octets(w, item->max, v);
    case PDU_DESTS:
        return take_dests(w, item->max, v);
    case PDU_UNSUCCESS:
        return take_unsuccess(w, v);
    }
    return ESME_RSYSERR;
}

static uint32_t take_items(struct pdu *pdu, struct wire *w)
{
    const struct pdu_item *item = pdu->layout->items, *end = item + pdu->layout->count;
    uint64_t present = 0;
    uint32_t status = ESME_ROK;

    for (; item < end; item++) {
        status = take_item(w, item, &pdu->v[item->field]);
        if (status)
            break;
        present |= UINT64_C(1) << item->field;
    }
    pdu->present = present;
    return status;
}

/* submit_sm and deliver_sm without an error, the bulk of all: the same as take_items, laid out. false: it is not right,
 * nothing has been taken. */
static bool take_message(struct pdu *pdu, struct wire *cursor)
{
    struct wire w = *cursor;
#define TAKE_INT(name)                                                                                                 \
    pdu->v[PDU_##name].off = (uint32_t)wire_done(&w);                                                                  \
    pdu->v[PDU_##name].len = wire_get_u8(&w);
#define TAKE_STR(name, size)                                                                                           \
    if (take_cstring(&w, (size), ESME_RINVPARLEN, &pdu->v[PDU_##name]))                                                \
        return false;
#define TAKE_OCTETS(name, size)                                                                                        \
    if (take_octets(&w, (size), &pdu->v[PDU_##name]))                                                                  \
        return false;
    MESSAGE_ITEMS(TAKE_INT, TAKE_STR, TAKE_OCTETS)
#define BIT(name, ...) | UINT64_C(1) << PDU_##name
    pdu->present = 0 MESSAGE_ITEMS(BIT, BIT, BIT);
    *cursor = w;
    return true;
}

/* Whether optional parameters fill what is left to the last octet. */
static bool tlvs_add_up(struct wire *w)
{
    while (wire_left(w) && !w->error) {
        wire_get_u16(w);
        wire_take(w, wire_get_u16(w));
    }
    return !w->error;
}

uint32_t pdu_decode(struct pdu *pdu, const uint8_t *raw, size_t len)
{
    struct wire w = wire_of(raw, len);

    pdu->command_length = wire_get_u32(&w);
    pdu->command_id = wire_get_u32(&w);
    pdu->command_status = wire_get_u32(&w);
    pdu->sequence_number = wire_get_u32(&w);
    pdu->raw = raw;
    pdu->layout = pdu_layout(pdu->command_id);
    pdu->present = 0;
    pdu->tlv_off = pdu->command_length;
    if (w.error || pdu->command_length != len)
        return ESME_RINVCMDLEN;
    if (!pdu->layout)
        return ESME_RINVCMDID;

    bool response = pdu->command_id & SMPP_RESPONSE_BIT;
    if (response && !wire_left(&w))
        return ESME_ROK;
    uint32_t status = ESME_ROK;
    if (pdu->layout->items != message_items || !take_message(pdu, &w))
        status = take_items(pdu, &w);
    if (status)
        return status;
    uint32_t tlv_off = (uint32_t)wire_done(&w);
    /* Of a response's optional parameters those that are whole count: refusing it would help nobody. */
    if (!tlvs_add_up(&w) && !response)
        return ESME_RINVOPTPARSTREAM;
    pdu->tlv_off = tlv_off;
    return ESME_ROK;
}

void pdu_put_header(uint8_t to[SMPP_HEADER_SIZE], uint32_t command_id, uint32_t status, uint32_t sequence_number)
{
    wire_u32_set(to, SMPP_HEADER_SIZE);
    wire_u32_set(to + 4, command_id);
    wire_u32_set(to + 8, status);
    wire_u32_set(to + 12, sequence_number);
}

size_t pdu_encoded_size(const struct pdu_out *out)
{
    const struct pdu_layout *layout = pdu_layout(out->command_id);
    size_t size = SMPP_HEADER_SIZE;

    if (!layout || out->header_only)
        return size;
    for (unsigned i = 0; i < layout->count; i++) {
        const struct pdu_item *item = &layout->items[i];
        size += 1 + (item->type == PDU_INT ? 0 : (size_t)out->v[item->field].n);
    }
    return size + out->tlvs_len;
}

/* Writes one field; false when its value does not fit the field, or has a NUL that would end it early. */
static inline bool put_item(struct wire *w, const struct pdu_out *out, const struct pdu_item *item)
{
    const uint8_t *p = out->v[item->field].p;
    uint32_t n = out->v[item->field].n;
    uint8_t count = out->v[item->field].count;

    switch ((enum pdu_type)item->type) {
    case PDU_INT:
        wire_put_u8(w, (uint8_t)n);
        return n <= UINT8_MAX;
    case PDU_CSTRING:
        if (n >= item->max || (n && memchr(p, 0, n)))
            return false;
        wire_put_cstring(w, p, n);
        return true;
    case PDU_OCTETS:
        wire_put_u8(w, (uint8_t)n);
        wire_put_octets(w, p, n);
        return n <= item->max;
    case PDU_DESTS:
    case PDU_UNSUCCESS:
        wire_put_u8(w, count);
        wire_put_octets(w, p, n);
        return count <= item->max;
    }
    return false;
}

size_t pdu_encode(const struct pdu_out *out, uint8_t *to, size_t cap, enum pdu_field *bad)
{
    const struct pdu_layout *layout = pdu_layout(out->command_id);
    struct wire w = wire_of(to, cap);

    *bad = PDU_FIELD_COUNT;
    if (!layout || !wire_take(&w, SMPP_HEADER_SIZE))
        return 0;
    pdu_put_header(to, out->command_id, out->command_status, out->sequence_number);
    if (out->header_only)
        return SMPP_HEADER_SIZE;
    for (unsigned i = 0; i < layout->count; i++) {
        if (!put_item(&w, out, &layout->items[i])) {
            *bad = (enum pdu_field)layout->items[i].field;
            return 0;
        }
    }
    wire_put_octets(&w, out->tlvs, out->tlvs_len);
    if (w.error)
        return 0;
    wire_u32_set(to, (uint32_t)wire_done(&w));
    return wire_done(&w);
}
