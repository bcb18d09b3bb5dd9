/* The SMPP 3.4 codec: one table of each command's fields drives decoding and encoding. Pure, no I/O.
 * A decoded PDU is a view: offsets into the octets it was made from, which it does not own. */
#ifndef SMSCD_PDU_H
#define SMSCD_PDU_H

#include "smpp.h"

/* Every mandatory field of section 4, by its own name: X(name). Which command has which, of what type and
 * size, is the table in pdu.c. */
#define PDU_FIELDS(X)                                                                                                  \
    X(system_id)                                                                                                       \
    X(password)                                                                                                        \
    X(system_type)                                                                                                     \
    X(interface_version)                                                                                               \
    X(addr_ton)                                                                                                        \
    X(addr_npi)                                                                                                        \
    X(address_range)                                                                                                   \
    X(service_type)                                                                                                    \
    X(source_addr_ton)                                                                                                 \
    X(source_addr_npi)                                                                                                 \
    X(source_addr)                                                                                                     \
    X(dest_addr_ton)                                                                                                   \
    X(dest_addr_npi)                                                                                                   \
    X(destination_addr)                                                                                                \
    X(esm_class)                                                                                                       \
    X(protocol_id)                                                                                                     \
    X(priority_flag)                                                                                                   \
    X(schedule_delivery_time)                                                                                          \
    X(validity_period)                                                                                                 \
    X(registered_delivery)                                                                                             \
    X(replace_if_present_flag)                                                                                         \
    X(data_coding)                                                                                                     \
    X(sm_default_msg_id)                                                                                               \
    X(short_message) /* sm_length is its length */                                                                     \
    X(message_id)                                                                                                      \
    X(final_date)                                                                                                      \
    X(message_state)                                                                                                   \
    X(error_code)                                                                                                      \
    X(dest_address)  /* submit_multi: number_of_dests and the entries, raw; walk with pdu_dest_next */                 \
    X(unsuccess_sme) /* submit_multi_resp: no_unsuccess and the entries, raw; walk with pdu_unsuccess_next */          \
    X(esme_addr_ton)                                                                                                   \
    X(esme_addr_npi)                                                                                                   \
    X(esme_addr)

#define X(name) PDU_##name,
enum pdu_field { PDU_FIELDS(X) PDU_FIELD_COUNT };
#undef X

enum pdu_type {
    PDU_INT,      /* one octet */
    PDU_CSTRING,  /* C-octet string; max counts the NUL */
    PDU_OCTETS,   /* a length octet and as many octets: sm_length and short_message */
    PDU_DESTS,    /* a count octet and submit_multi's destination entries */
    PDU_UNSUCCESS /* a count octet and submit_multi_resp's entries */
};

struct pdu_item {
    uint8_t field; /* enum pdu_field */
    uint8_t type;  /* enum pdu_type */
    uint16_t max;  /* CSTRING: octets with the NUL; OCTETS: octets */
};

struct pdu_layout {
    uint32_t command_id;
    const char *name;
    uint8_t count;
    bool tlvs; /* whether optional parameters are allowed (they are read in any case) */
    const struct pdu_item *items;
};

/* Where a field is: for INT `len` is the value and `off` its place; for strings the octets without NUL or
 * length octet; for DESTS and UNSUCCESS the entries after the count octet. */
struct pdu_value {
    uint32_t off, len;
};

struct pdu {
    uint32_t command_length, command_id, command_status, sequence_number;
    const uint8_t *raw;                  /* command_length octets with the header; belongs to the caller */
    const struct pdu_layout *layout;     /* NULL for an unknown command */
    uint64_t present;                    /* bit of each field that was decoded */
    uint32_t tlv_off;                    /* where the optional parameters begin; command_length when there are none */
    struct pdu_value v[PDU_FIELD_COUNT]; /* only those in `present` are set */
};

/* The command's layout or NULL. Commands without a body have one with count 0. */
const struct pdu_layout *pdu_layout(uint32_t command_id);
/* "source_addr" for PDU_source_addr. */
const char *pdu_field_name(enum pdu_field field);

/* Decodes len octets, a whole PDU (command_length == len, checked). Returns ESME_ROK, or the status the
 * request is to be answered with; the header's fields are set whenever len >= 16. ESME_RINVCMDID: an unknown
 * command; ESME_RINVCMDLEN: len and command_length differ or the body ends within a field; ESME_RINVMSGLEN: sm_length
 * over 254; a string longer than its field: the status the standard has for that field (ESME_RINVSRCADR,
 * ESME_RINVDSTADR, ESME_RINVSYSID, ESME_RINVPASWD, ESME_RINVSERTYP, ESME_RINVSCHED, ESME_RINVEXPIRY, ESME_RINVMSGID,
 * ESME_RINVSYSTYP), else ESME_RINVPARLEN; in submit_multi's destinations ESME_RINVNUMDESTS (none, or over 254),
 * ESME_RINVDESTFLAG, ESME_RINVDLNAME; ESME_RINVOPTPARSTREAM: TLVs that do not add up. A response whose body is
 * missing altogether is right (section 4: not returned with an error status, and left away by many with ESME_ROK too);
 * of a response's TLVs those that are whole are walked, the rest is left alone. After an error no TLVs are walked. */
uint32_t pdu_decode(struct pdu *pdu, const uint8_t *raw, size_t len);

static inline bool pdu_has(const struct pdu *pdu, enum pdu_field f)
{
    return pdu->present >> f & 1;
}
/* An INT field, 0 when not there. */
static inline uint8_t pdu_int(const struct pdu *pdu, enum pdu_field f)
{
    return pdu_has(pdu, f) ? (uint8_t)pdu->v[f].len : 0;
}
/* A string field; not there: "" and 0. The string is followed by its NUL for CSTRING fields only. */
static inline const uint8_t *pdu_str(const struct pdu *pdu, enum pdu_field f, size_t *len)
{
    *len = pdu_has(pdu, f) ? pdu->v[f].len : 0;
    return pdu_has(pdu, f) ? pdu->raw + pdu->v[f].off : (const uint8_t *)"";
}

/* One optional parameter. `value` points into the PDU. */
struct pdu_tlv {
    uint16_t tag, len;
    const uint8_t *value;
};
/* Walks the optional parameters in wire order: *pos starts at pdu->tlv_off. false at the end. */
bool pdu_tlv_next(const struct pdu *pdu, uint32_t *pos, struct pdu_tlv *tlv);
/* The first with that tag; false when there is none. */
bool pdu_tlv_find(const struct pdu *pdu, uint16_t tag, struct pdu_tlv *tlv);
/* An INT parameter of one to four octets; false when it is not there or of another length than the standard's. */
bool pdu_tlv_int(const struct pdu *pdu, uint16_t tag, uint32_t *value);
/* message_payload when it is there, else short_message. */
const uint8_t *pdu_body(const struct pdu *pdu, size_t *len);

/* Section 4.5.1.1. */
#define PDU_DEST_SME 1
#define PDU_DEST_LIST 2
#define PDU_DEST_ADDR_MAX 21 /* of an address, a list's name, and in unsuccess_sme, with the NUL */
struct pdu_dest {
    uint8_t dest_flag; /* PDU_DEST_SME or PDU_DEST_LIST */
    uint8_t ton, npi;
    const uint8_t *addr; /* or dl_name */
    size_t len;
};
bool pdu_dest_next(const struct pdu *pdu, uint32_t *pos, struct pdu_dest *dest); /* *pos starts at 0 */
/* Section 4.5.2.1. */
struct pdu_unsuccess {
    uint8_t ton, npi;
    const uint8_t *addr;
    size_t len;
    uint32_t error_status_code;
};
bool pdu_unsuccess_next(const struct pdu *pdu, uint32_t *pos, struct pdu_unsuccess *u); /* *pos starts at 0 */

/* The receipt bits of the notes: message type 0x04 or 0x20, or 0 with receipted_message_id and message_state both
 * there. deliver_sm and data_sm only, false for others. */
bool pdu_is_receipt(const struct pdu *pdu);
/* 0x20, or a state (TLV, else the text's stat) that is not final. */
bool pdu_is_intermediate(const struct pdu *pdu);

/* What is to be encoded. Unset fields are 0 or "". Pointers belong to the caller. */
struct pdu_out {
    uint32_t command_id, command_status, sequence_number;
    bool header_only; /* a response with an error status: no body */
    struct {
        const uint8_t *p;
        uint32_t n;    /* length, or the value of an INT; for DESTS and UNSUCCESS the entries' octets */
        uint8_t count; /* DESTS, UNSUCCESS: how many entries */
    } v[PDU_FIELD_COUNT];
    const uint8_t *tlvs; /* already encoded (pdu_put_tlv), or NULL */
    uint32_t tlvs_len;
};

/* The octets it takes, header included. */
size_t pdu_encoded_size(const struct pdu_out *out);
/* Writes it into cap octets at to. Returns its length, or 0 with *bad naming the field that is too long or, a
 * CSTRING, has a NUL in it (PDU_FIELD_COUNT: cap was too small or the command is unknown). Nothing is cut off. */
size_t pdu_encode(const struct pdu_out *out, uint8_t *to, size_t cap, enum pdu_field *bad);
/* A PDU without a body, or a response with an error status: 16 octets. */
void pdu_put_header(uint8_t to[SMPP_HEADER_SIZE], uint32_t command_id, uint32_t status, uint32_t sequence_number);

static inline uint32_t pdu_raw_command_id(const uint8_t *raw);
static inline uint32_t pdu_raw_status(const uint8_t *raw);
static inline uint32_t pdu_raw_sequence(const uint8_t *raw);

#include "wire.h"
static inline uint32_t pdu_raw_command_id(const uint8_t *raw)
{
    return wire_u32_at(raw + 4);
}
static inline uint32_t pdu_raw_status(const uint8_t *raw)
{
    return wire_u32_at(raw + 8);
}
static inline uint32_t pdu_raw_sequence(const uint8_t *raw)
{
    return wire_u32_at(raw + 12);
}
static inline void pdu_raw_set_sequence(uint8_t *raw, uint32_t sequence_number)
{
    wire_u32_set(raw + 12, sequence_number);
}
/* Appends one optional parameter. */
static inline void pdu_put_tlv(struct wire *w, uint16_t tag, const void *value, uint16_t len)
{
    wire_put_u16(w, tag);
    wire_put_u16(w, len);
    wire_put_octets(w, value, len);
}

#endif
