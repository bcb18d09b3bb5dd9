/* The codec: known PDUs of every command field by field, there and back, cut off everywhere, and with lies in them. */
#include <string.h>

#include "pdu.h"
#include "pdu_samples.h"
#include "pdu_walk.h"
#include "unit.h"

/* A PDU in a block of exactly its size, so that a sanitizer sees one octet too many. */
static uint8_t *block_of(const uint8_t *octets, size_t n)
{
    uint8_t *block = malloc(n ? n : 1);
    memcpy(block, octets, n);
    return block;
}

/* The status of a PDU with that body (as in the samples), whose command_length is right; everything that can be
 * read from it is read. */
static uint32_t status_of_octets(uint32_t command_id, const uint8_t *body, size_t n)
{
    struct pdu pdu;
    uint8_t *raw = malloc(SMPP_HEADER_SIZE + n);
    pdu_put_header(raw, command_id, 0, 1);
    wire_u32_set(raw, (uint32_t)(SMPP_HEADER_SIZE + n));
    memcpy(raw + SMPP_HEADER_SIZE, body, n);
    uint32_t status = pdu_decode(&pdu, raw, SMPP_HEADER_SIZE + n);
    walk_pdu(&pdu);
    free(raw);
    return status;
}

static uint32_t status_of(enum smpp_command command, const char *body)
{
    uint8_t octets[SAMPLE_MAX];
    return status_of_octets((uint32_t)command, octets, sample_octets(body, octets));
}

static void check_int(const struct pdu *pdu, enum pdu_field field, unsigned want)
{
    ck_assert_msg(pdu_has(pdu, field), "%s is missing", pdu_field_name(field));
    ck_assert_msg(pdu_int(pdu, field) == want, "%s: %u, not %u", pdu_field_name(field), pdu_int(pdu, field), want);
}

static void check_str(const struct pdu *pdu, enum pdu_field field, const char *want)
{
    size_t len;
    const uint8_t *p = pdu_str(pdu, field, &len);
    ck_assert_msg(pdu_has(pdu, field), "%s is missing", pdu_field_name(field));
    ck_assert_msg(len == strlen(want) && memcmp(p, want, len) == 0, "%s: <%.*s>, not <%s>", pdu_field_name(field),
                  (int)len, (const char *)p, want);
}

/* Decodes the sample of that command (the nth, from 0) into pdu, which keeps pointing into raw. */
static void decode_sample(struct pdu *pdu, uint8_t raw[SAMPLE_MAX], enum smpp_command command, unsigned nth)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        if (samples[i].command != command || nth--)
            continue;
        ck_assert_uint_eq(pdu_decode(pdu, raw, sample_octets(samples[i].text, raw)), ESME_ROK);
        return;
    }
    ck_abort_msg("no sample of %s", smpp_command_name((uint32_t)command));
}

START_TEST(every_command_has_a_layout_and_a_sample)
{
    struct pdu pdu;
    uint8_t raw[SAMPLE_MAX];
#define X(command, id)                                                                                                 \
    ck_assert_str_eq(pdu_layout(id)->name, #command);                                                                  \
    ck_assert_uint_eq(pdu_layout(id)->command_id, id);                                                                 \
    decode_sample(&pdu, raw, SMPP_##command, 0);                                                                       \
    ck_assert_ptr_eq(pdu.layout, pdu_layout(id));
    SMPP_COMMANDS(X)
#undef X
    ck_assert_ptr_null(pdu_layout(0));
    ck_assert_ptr_null(pdu_layout(0x104));
    ck_assert_ptr_null(pdu_layout(0x80000102));
    ck_assert_ptr_null(pdu_layout(0xffffffff));
}
END_TEST

START_TEST(submit_sm_field_by_field)
{
    struct pdu pdu;
    uint8_t raw[SAMPLE_MAX];
    uint32_t value;
    decode_sample(&pdu, raw, SMPP_submit_sm, 0);
    ck_assert_uint_eq(pdu.command_status, 0);
    ck_assert_uint_eq(pdu.sequence_number, 14);
    check_str(&pdu, PDU_service_type, "WAP");
    check_int(&pdu, PDU_source_addr_ton, 1);
    check_int(&pdu, PDU_source_addr_npi, 2);
    check_str(&pdu, PDU_source_addr, "15550100");
    check_int(&pdu, PDU_dest_addr_ton, 3);
    check_int(&pdu, PDU_dest_addr_npi, 4);
    check_str(&pdu, PDU_destination_addr, "4915112345678");
    check_int(&pdu, PDU_esm_class, 0x40);
    check_int(&pdu, PDU_protocol_id, 5);
    check_int(&pdu, PDU_priority_flag, 1);
    check_str(&pdu, PDU_schedule_delivery_time, "260101120000000+");
    check_str(&pdu, PDU_validity_period, "000001000000000R");
    check_int(&pdu, PDU_registered_delivery, 0x11);
    check_int(&pdu, PDU_replace_if_present_flag, 1);
    check_int(&pdu, PDU_data_coding, 8);
    check_int(&pdu, PDU_sm_default_msg_id, 7);
    check_str(&pdu, PDU_short_message, "hello");
    ck_assert(pdu_tlv_int(&pdu, SMPP_TLV_user_message_reference, &value));
    ck_assert_uint_eq(value, 0x1234);
    ck_assert(!pdu_has(&pdu, PDU_message_id));
}
END_TEST

START_TEST(binds_field_by_field)
{
    static const enum smpp_command binds[] = {SMPP_bind_receiver, SMPP_bind_transmitter, SMPP_bind_transceiver};
    for (size_t i = 0; i < ARRAY_LEN(binds); i++) {
        struct pdu pdu;
        uint8_t raw[SAMPLE_MAX];
        uint32_t version;
        decode_sample(&pdu, raw, binds[i], 0);
        check_str(&pdu, PDU_system_id, "esme1");
        check_str(&pdu, PDU_password, "s3cret");
        check_str(&pdu, PDU_system_type, "VMA");
        check_int(&pdu, PDU_interface_version, 0x34);
        check_int(&pdu, PDU_addr_ton, 1);
        check_int(&pdu, PDU_addr_npi, 1);
        check_str(&pdu, PDU_address_range, "^4915");
        decode_sample(&pdu, raw, (enum smpp_command)((uint32_t)binds[i] | SMPP_RESPONSE_BIT), 0);
        check_str(&pdu, PDU_system_id, "smscd");
        ck_assert(pdu_tlv_int(&pdu, SMPP_TLV_sc_interface_version, &version) && version == 0x34);
    }
}
END_TEST

START_TEST(data_sm_and_alert_field_by_field)
{
    struct pdu pdu;
    uint8_t raw[SAMPLE_MAX];
    struct pdu_tlv tlv;
    decode_sample(&pdu, raw, SMPP_data_sm, 0);
    check_str(&pdu, PDU_service_type, "CMT");
    check_str(&pdu, PDU_source_addr, "4911");
    check_str(&pdu, PDU_destination_addr, "4922");
    check_int(&pdu, PDU_registered_delivery, 1);
    check_int(&pdu, PDU_data_coding, 0);
    ck_assert(pdu_tlv_find(&pdu, SMPP_TLV_alert_on_message_delivery, &tlv) && tlv.len == 0);
    decode_sample(&pdu, raw, SMPP_alert_notification, 0);
    check_str(&pdu, PDU_source_addr, "4911");
    check_int(&pdu, PDU_esme_addr_ton, 1);
    check_int(&pdu, PDU_esme_addr_npi, 1);
    check_str(&pdu, PDU_esme_addr, "15550100");
}
END_TEST

START_TEST(management_field_by_field)
{
    struct pdu pdu;
    uint8_t raw[SAMPLE_MAX];
    decode_sample(&pdu, raw, SMPP_query_sm_resp, 0);
    check_str(&pdu, PDU_message_id, "m-1");
    check_str(&pdu, PDU_final_date, "260101120000000+");
    check_int(&pdu, PDU_message_state, 2);
    check_int(&pdu, PDU_error_code, 0);
    decode_sample(&pdu, raw, SMPP_cancel_sm, 0);
    check_str(&pdu, PDU_service_type, "CMT");
    check_str(&pdu, PDU_message_id, "m-1");
    check_str(&pdu, PDU_source_addr, "4911");
    check_str(&pdu, PDU_destination_addr, "4922");
    decode_sample(&pdu, raw, SMPP_replace_sm, 0);
    check_str(&pdu, PDU_message_id, "m-1");
    check_str(&pdu, PDU_schedule_delivery_time, "");
    check_str(&pdu, PDU_validity_period, "000001000000000R");
    check_int(&pdu, PDU_registered_delivery, 1);
    check_str(&pdu, PDU_short_message, "new");
    decode_sample(&pdu, raw, SMPP_submit_sm_resp, 0);
    check_str(&pdu, PDU_message_id, "0123456789abcdef");
    decode_sample(&pdu, raw, SMPP_submit_sm_resp, 1);
    ck_assert_uint_eq(pdu.command_status, ESME_RTHROTTLED);
    ck_assert(!pdu_has(&pdu, PDU_message_id));
}
END_TEST

static void check_dest(const struct pdu *pdu, uint32_t *pos, uint8_t flag, uint8_t ton, uint8_t npi, const char *addr)
{
    struct pdu_dest dest;
    ck_assert(pdu_dest_next(pdu, pos, &dest));
    ck_assert(dest.dest_flag == flag && dest.ton == ton && dest.npi == npi);
    ck_assert_uint_eq(dest.len, strlen(addr));
    ck_assert_mem_eq(dest.addr, addr, dest.len);
}

START_TEST(destinations)
{
    struct pdu pdu;
    uint8_t raw[SAMPLE_MAX];
    struct pdu_dest dest;
    uint32_t pos = 0;
    decode_sample(&pdu, raw, SMPP_submit_multi, 0);
    check_dest(&pdu, &pos, PDU_DEST_SME, 1, 1, "4911");
    check_dest(&pdu, &pos, PDU_DEST_LIST, 0, 0, "list1");
    check_dest(&pdu, &pos, PDU_DEST_SME, 5, 0, "77");
    ck_assert(!pdu_dest_next(&pdu, &pos, &dest));
    check_str(&pdu, PDU_short_message, "hi");
    decode_sample(&pdu, raw, SMPP_submit_sm, 0);
    pos = 0;
    ck_assert(!pdu_dest_next(&pdu, &pos, &dest));
}
END_TEST

START_TEST(unsuccessful_destinations)
{
    struct pdu pdu;
    uint8_t raw[SAMPLE_MAX];
    struct pdu_unsuccess un;
    uint32_t pos = 0;
    decode_sample(&pdu, raw, SMPP_submit_multi_resp, 0);
    check_str(&pdu, PDU_message_id, "m-1");
    ck_assert(pdu_unsuccess_next(&pdu, &pos, &un));
    ck_assert(un.ton == 1 && un.npi == 1 && un.len == 4 && un.error_status_code == ESME_RINVDSTADR);
    ck_assert_mem_eq(un.addr, "4911", 4);
    ck_assert(pdu_unsuccess_next(&pdu, &pos, &un));
    ck_assert(un.ton == 0 && un.len == 2 && un.error_status_code == ESME_RSYSERR);
    ck_assert(!pdu_unsuccess_next(&pdu, &pos, &un));
    ck_assert_uint_eq(status_of(SMPP_submit_multi_resp, "00 00"), ESME_ROK);
}
END_TEST

START_TEST(optional_parameters_in_wire_order)
{
    static const uint16_t tags[] = {SMPP_TLV_message_payload, SMPP_TLV_callback_num, SMPP_TLV_callback_num};
    struct pdu pdu;
    uint8_t raw[SAMPLE_MAX];
    struct pdu_tlv tlv;
    uint32_t pos, value, n = 0;
    decode_sample(&pdu, raw, SMPP_submit_sm, 1);
    for (pos = pdu.tlv_off; pdu_tlv_next(&pdu, &pos, &tlv); n++)
        ck_assert_uint_eq(tlv.tag, tags[n]);
    ck_assert_uint_eq(n, 3);
    ck_assert_uint_eq(pos, pdu.command_length);
    ck_assert(pdu_tlv_find(&pdu, SMPP_TLV_callback_num, &tlv) && tlv.len == 5); /* the first */
    ck_assert(!pdu_tlv_find(&pdu, SMPP_TLV_sms_signal, &tlv));
    ck_assert(!pdu_tlv_int(&pdu, SMPP_TLV_callback_num, &value)); /* not an integer */
    ck_assert(!pdu_tlv_int(&pdu, SMPP_TLV_sms_signal, &value));   /* not there */
    size_t len;
    ck_assert_mem_eq(pdu_body(&pdu, &len), "abc", 3);
    ck_assert_uint_eq(len, 3);
}
END_TEST

#define SM_HEAD "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "

START_TEST(an_integer_parameter_of_another_width_is_none)
{
    uint8_t raw[SAMPLE_MAX];
    struct pdu pdu;
    uint32_t value;
    size_t n = sample_octets("00000026 00000004 00000000 00000001 " SM_HEAD "0204 0001 12", raw);
    ck_assert_uint_eq(pdu_decode(&pdu, raw, n), ESME_ROK);
    ck_assert(!pdu_tlv_int(&pdu, SMPP_TLV_user_message_reference, &value));
}
END_TEST

START_TEST(there_and_back)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        uint8_t raw[SAMPLE_MAX], again[SAMPLE_MAX];
        struct pdu pdu;
        struct pdu_out out;
        enum pdu_field bad;
        size_t n = sample_octets(samples[i].text, raw);
        ck_assert_uint_eq(pdu_decode(&pdu, raw, n), ESME_ROK);
        walk_to_out(&pdu, &out);
        ck_assert_uint_eq(pdu_encoded_size(&out), n);
        ck_assert_uint_eq(pdu_encode(&out, again, n, &bad), n);
        ck_assert_mem_eq(raw, again, n);
        for (size_t cap = 0; cap < n; cap++) {
            uint8_t *block = block_of(raw, cap);
            ck_assert_uint_eq(pdu_encode(&out, block, cap, &bad), 0);
            ck_assert_uint_eq(bad, PDU_FIELD_COUNT);
            free(block);
        }
    }
}
END_TEST

/* Cut off without a word: command_length says more than is there. Less, too: more octets than it says. */
START_TEST(a_length_that_is_not_the_pdus)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        uint8_t raw[SAMPLE_MAX];
        struct pdu pdu;
        size_t len = sample_octets(samples[i].text, raw);
        for (size_t n = 0; n < len; n++) {
            uint8_t *block = block_of(raw, n);
            ck_assert_uint_eq(pdu_decode(&pdu, block, n), ESME_RINVCMDLEN);
            free(block);
        }
        raw[len] = 0;
        ck_assert_uint_eq(pdu_decode(&pdu, raw, len + 1), ESME_RINVCMDLEN);
    }
}
END_TEST

/* Whether a PDU that is cut off at n, command_length telling so, is a whole one. */
static bool whole_at(const struct pdu *pdu, size_t n)
{
    bool response = pdu->command_id & SMPP_RESPONSE_BIT;
    if (n == SMPP_HEADER_SIZE && (response || pdu->layout->count == 0))
        return true;
    if (n < pdu->tlv_off)
        return false;
    struct pdu_tlv tlv;
    uint32_t pos = pdu->tlv_off;
    while (pos < n && pdu_tlv_next(pdu, &pos, &tlv))
        ;
    return response || pos == n;
}

START_TEST(every_truncation)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        uint8_t raw[SAMPLE_MAX];
        struct pdu pdu;
        size_t len = sample_octets(samples[i].text, raw);
        ck_assert_uint_eq(pdu_decode(&pdu, raw, len), ESME_ROK);
        for (size_t n = SMPP_HEADER_SIZE; n <= len; n++) {
            uint32_t status = status_of_octets(pdu.command_id, raw + SMPP_HEADER_SIZE, n - SMPP_HEADER_SIZE);
            ck_assert_msg((status == ESME_ROK) == whole_at(&pdu, n), "%s cut off at %zu: %u", pdu.layout->name, n,
                          status);
            ck_assert(status == ESME_ROK || status == (n < pdu.tlv_off ? ESME_RINVCMDLEN : ESME_RINVOPTPARSTREAM));
        }
    }
}
END_TEST

START_TEST(the_header_is_set_when_the_rest_is_wrong)
{
    uint8_t raw[SAMPLE_MAX];
    struct pdu pdu;
    size_t n = sample_octets("00000014 00000055 00000007 01020304 00000000", raw);
    ck_assert_uint_eq(pdu_decode(&pdu, raw, n), ESME_RINVCMDID);
    ck_assert_uint_eq(pdu_decode(&pdu, raw, n - 1), ESME_RINVCMDLEN);
    ck_assert_uint_eq(pdu.command_length, 0x14);
    ck_assert_uint_eq(pdu.command_id, 0x55);
    ck_assert_uint_eq(pdu.command_status, 7);
    ck_assert_uint_eq(pdu.sequence_number, 0x01020304);
    ck_assert_ptr_null(pdu.layout);
    ck_assert_uint_eq(walk_pdu(&pdu), 0);
}
END_TEST

/* Each string of each command, filled to its size without a NUL and then some more. */
static uint32_t status_with_long(const struct pdu_layout *layout, unsigned which, size_t filled, size_t nul_at)
{
    uint8_t body[SAMPLE_MAX] = {0};
    size_t n = 0;
    for (unsigned i = 0; i < layout->count; i++) {
        if (i == which) {
            memset(body + n, 'x', filled);
            n += nul_at;
        }
        n++; /* an octet, the NUL, or the length */
        if (layout->items[i].type == PDU_DESTS) {
            body[n - 1] = 1;
            body[n] = PDU_DEST_LIST;
            n += 2;
        }
    }
    return status_of_octets(layout->command_id, body, n);
}

static uint32_t long_status(enum pdu_field field)
{
    static const struct {
        enum pdu_field field;
        uint32_t status;
    } table[] = {
        {PDU_system_id, ESME_RINVSYSID},
        {PDU_password, ESME_RINVPASWD},
        {PDU_system_type, ESME_RINVSYSTYP},
        {PDU_service_type, ESME_RINVSERTYP},
        {PDU_source_addr, ESME_RINVSRCADR},
        {PDU_destination_addr, ESME_RINVDSTADR},
        {PDU_schedule_delivery_time, ESME_RINVSCHED},
        {PDU_validity_period, ESME_RINVEXPIRY},
        {PDU_message_id, ESME_RINVMSGID},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].field == field)
            return table[i].status;
    return ESME_RINVPARLEN;
}

/* The sizes of section 4's tables, each by its own number and not by the codec's table. */
static size_t standard_size(uint32_t command_id, enum pdu_field field)
{
    bool wide = command_id == SMPP_data_sm || command_id == SMPP_alert_notification;
    switch (field) {
    case PDU_system_id:
        return 16;
    case PDU_password:
        return 9;
    case PDU_system_type:
        return 13;
    case PDU_address_range:
        return 41;
    case PDU_service_type:
        return 6;
    case PDU_source_addr:
    case PDU_destination_addr:
    case PDU_esme_addr:
        return wide ? 65 : 21;
    case PDU_schedule_delivery_time:
    case PDU_validity_period:
    case PDU_final_date:
        return 17;
    default:
        return 65; /* message_id */
    }
}

static void check_string_sizes(const struct pdu_layout *layout)
{
    for (unsigned i = 0; i < layout->count; i++) {
        const struct pdu_item *item = &layout->items[i];
        enum pdu_field field = (enum pdu_field)item->field;
        if (item->type != PDU_CSTRING)
            continue;
        size_t size = standard_size(layout->command_id, field);
        ck_assert_msg(status_with_long(layout, i, size - 1, size - 1) == ESME_ROK, "%s.%s of %zu octets", layout->name,
                      pdu_field_name(field), size - 1);
        ck_assert_msg(status_with_long(layout, i, size, size) == long_status(field), "%s.%s of %zu octets",
                      layout->name, pdu_field_name(field), size);
        ck_assert_uint_eq(status_with_long(layout, i, SAMPLE_MAX / 2, SAMPLE_MAX / 2), long_status(field));
    }
}

START_TEST(strings_longer_than_their_field)
{
#define X(command, id) check_string_sizes(pdu_layout(id));
    SMPP_COMMANDS(X)
#undef X
}
END_TEST

START_TEST(lengths_and_counts_that_lie)
{
    uint8_t body[SAMPLE_MAX] = {0};
    ck_assert_uint_eq(status_of(SMPP_submit_sm, SM_HEAD), ESME_ROK);
    body[16] = 254;
    ck_assert_uint_eq(status_of_octets(SMPP_submit_sm, body, 17 + 254), ESME_ROK);
    ck_assert_uint_eq(status_of_octets(SMPP_submit_sm, body, 17 + 253), ESME_RINVCMDLEN);
    body[16] = 255;
    ck_assert_uint_eq(status_of_octets(SMPP_submit_sm, body, 17 + 255), ESME_RINVMSGLEN);
    ck_assert_uint_eq(status_of(SMPP_submit_sm, SM_HEAD "0424 0004 'abc'"), ESME_RINVOPTPARSTREAM);
    ck_assert_uint_eq(status_of(SMPP_submit_sm, SM_HEAD "0424 FFFF"), ESME_RINVOPTPARSTREAM);
    ck_assert_uint_eq(status_of(SMPP_submit_sm, SM_HEAD "00"), ESME_RINVOPTPARSTREAM);
    ck_assert_uint_eq(status_of(SMPP_enquire_link, "00"), ESME_RINVOPTPARSTREAM);
    ck_assert_uint_eq(status_of(SMPP_submit_multi, "00 00 00 00 00 00"), ESME_RINVNUMDESTS);
    ck_assert_uint_eq(status_of(SMPP_submit_multi, "00 00 00 00 FF 02 00"), ESME_RINVNUMDESTS);
    ck_assert_uint_eq(status_of(SMPP_submit_multi, "00 00 00 00 02 02 00"), ESME_RINVCMDLEN);
    ck_assert_uint_eq(status_of(SMPP_submit_multi, "00 00 00 00 01 03 00"), ESME_RINVDESTFLAG);
    ck_assert_uint_eq(status_of(SMPP_submit_multi, "00 00 00 00 01 01 00 00 '012345678901234567890' 00"),
                      ESME_RINVDSTADR);
    ck_assert_uint_eq(status_of(SMPP_submit_multi, "00 00 00 00 01 02 '012345678901234567890' 00"), ESME_RINVDLNAME);
    ck_assert_uint_eq(status_of(SMPP_submit_multi_resp, "00 02 00 00 00 00000000"), ESME_RINVCMDLEN);
    ck_assert_uint_eq(status_of(SMPP_submit_multi_resp, "00 01 00 00 00 000000"), ESME_RINVCMDLEN);
}
END_TEST

START_TEST(a_responses_broken_parameters_are_left_alone)
{
    uint8_t raw[SAMPLE_MAX];
    struct pdu pdu;
    struct pdu_tlv tlv;
    size_t n = sample_octets("0000001C 80000005 00000000 00000001 'x' 00 001D 0002 'a' 00 0424 00", raw);
    raw[3] = (uint8_t)n;
    uint8_t *block = block_of(raw, n);
    ck_assert_uint_eq(pdu_decode(&pdu, block, n), ESME_ROK);
    check_str(&pdu, PDU_message_id, "x");
    uint32_t pos = pdu.tlv_off;
    ck_assert(pdu_tlv_next(&pdu, &pos, &tlv) && tlv.tag == SMPP_TLV_additional_status_info_text);
    ck_assert(!pdu_tlv_next(&pdu, &pos, &tlv));
    ck_assert(!pdu_tlv_next(&pdu, &pos, &tlv));
    free(block);
}
END_TEST

static struct pdu_out submit_with(enum pdu_field field, const void *p, uint32_t n)
{
    struct pdu_out out = {.command_id = SMPP_submit_sm};
    out.v[field].p = p;
    out.v[field].n = n;
    return out;
}

START_TEST(the_encoder_names_what_does_not_fit)
{
    static const uint8_t digits[256] = "0123456789012345678901234567890";
    static const struct {
        enum pdu_field field;
        uint32_t n;
    } cases[] = {{PDU_source_addr, 21},     {PDU_destination_addr, 21}, {PDU_service_type, 6},
                 {PDU_validity_period, 17}, {PDU_short_message, 255},   {PDU_data_coding, 256}};
    uint8_t to[SAMPLE_MAX];
    enum pdu_field bad;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pdu_out out = submit_with(cases[i].field, digits, cases[i].n);
        ck_assert_uint_eq(pdu_encode(&out, to, sizeof(to), &bad), 0);
        ck_assert_uint_eq(bad, cases[i].field);
        out.v[cases[i].field].n--;
        ck_assert_uint_gt(pdu_encode(&out, to, sizeof(to), &bad), 0);
    }
    struct pdu_out out = submit_with(PDU_source_addr, "12\0003", 4); /* would end the field early */
    ck_assert_uint_eq(pdu_encode(&out, to, sizeof(to), &bad), 0);
    ck_assert_uint_eq(bad, PDU_source_addr);
    out = submit_with(PDU_short_message, "12\0003", 4);
    ck_assert_uint_gt(pdu_encode(&out, to, sizeof(to), &bad), 0);
    out.command_id = 0x55;
    ck_assert_uint_eq(pdu_encode(&out, to, sizeof(to), &bad), 0);
    ck_assert_uint_eq(bad, PDU_FIELD_COUNT);
}
END_TEST

/* Whether a deliver_sm with that esm_class, text and TLVs is a receipt (1), an intermediate one (2), or none (0). */
static int receipt_kind(uint8_t esm_class, const char *text, const char *tlvs)
{
    uint8_t raw[SAMPLE_MAX], options[SAMPLE_MAX];
    struct pdu_out out = submit_with(PDU_short_message, text, (uint32_t)strlen(text));
    struct pdu pdu;
    enum pdu_field bad;
    out.command_id = SMPP_deliver_sm;
    out.v[PDU_esm_class].n = esm_class;
    out.tlvs = options;
    out.tlvs_len = (uint32_t)sample_octets(tlvs, options);
    size_t n = pdu_encode(&out, raw, sizeof(raw), &bad);
    ck_assert_uint_eq(pdu_decode(&pdu, raw, n), ESME_ROK);
    int kind = pdu_is_receipt(&pdu) ? 1 + pdu_is_intermediate(&pdu) : 0;
    ck_assert(kind || !pdu_is_intermediate(&pdu));
    wire_u32_set(raw + 4, SMPP_submit_sm); /* the same from an application is no receipt */
    ck_assert_uint_eq(pdu_decode(&pdu, raw, n), ESME_ROK);
    ck_assert(!pdu_is_receipt(&pdu) && !pdu_is_intermediate(&pdu));
    return kind;
}

#define TLV_ID "001E 0002 'a' 00 "

START_TEST(what_is_a_receipt)
{
    ck_assert_int_eq(receipt_kind(0x00, "id:1 stat:DELIVRD", ""), 0);
    ck_assert_int_eq(receipt_kind(0x04, "id:1 stat:DELIVRD", ""), 1);
    ck_assert_int_eq(receipt_kind(0x44, "id:1 stat:DELIVRD", ""), 1);
    ck_assert_int_eq(receipt_kind(0x08, "id:1 stat:DELIVRD", TLV_ID "0427 0001 02"), 0);
    ck_assert_int_eq(receipt_kind(0x00, "", TLV_ID "0427 0001 02"), 1);
    ck_assert_int_eq(receipt_kind(0x00, "", TLV_ID "0427 0001 01"), 2);
    ck_assert_int_eq(receipt_kind(0x00, "", TLV_ID), 0);
    ck_assert_int_eq(receipt_kind(0x00, "", "0427 0001 02"), 0);
    ck_assert_int_eq(receipt_kind(0x20, "id:1 stat:DELIVRD", ""), 2);
    ck_assert_int_eq(receipt_kind(0x04, "id:1 stat:ENROUTE", ""), 2);
    ck_assert_int_eq(receipt_kind(0x04, "id:1 stat:accepted", ""), 2);
    ck_assert_int_eq(receipt_kind(0x04, "id:1 stat:FANCY", ""), 1);
    ck_assert_int_eq(receipt_kind(0x04, "id:1", ""), 1);
    ck_assert_int_eq(receipt_kind(0x04, "id:1 stat:ENROUTE", "0427 0001 02"), 1);
}
END_TEST

START_TEST(headers)
{
    static const uint8_t want[] = {0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 0x58, 1, 2, 3, 4};
    uint8_t raw[SMPP_HEADER_SIZE];
    pdu_put_header(raw, (uint32_t)SMPP_submit_sm_resp, ESME_RTHROTTLED, 0x01020304);
    ck_assert_mem_eq(raw, want, sizeof(want));
    ck_assert_uint_eq(pdu_raw_command_id(raw), (uint32_t)SMPP_submit_sm_resp);
    ck_assert_uint_eq(pdu_raw_status(raw), ESME_RTHROTTLED);
    pdu_raw_set_sequence(raw, 7);
    ck_assert_uint_eq(pdu_raw_sequence(raw), 7);
    ck_assert_str_eq(pdu_field_name(PDU_esme_addr), "esme_addr");
}
END_TEST

int main(void)
{
    return UNIT_RUN("pdu", every_command_has_a_layout_and_a_sample, submit_sm_field_by_field, binds_field_by_field,
                    data_sm_and_alert_field_by_field, management_field_by_field, destinations,
                    unsuccessful_destinations, optional_parameters_in_wire_order,
                    an_integer_parameter_of_another_width_is_none, there_and_back, a_length_that_is_not_the_pdus,
                    every_truncation, the_header_is_set_when_the_rest_is_wrong, strings_longer_than_their_field,
                    lengths_and_counts_that_lie, a_responses_broken_parameters_are_left_alone,
                    the_encoder_names_what_does_not_fit, what_is_a_receipt, headers);
}
