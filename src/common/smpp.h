/* SMPP 3.4 in lists: commands, statuses, optional parameters, and the constants that go with them.
 * Every name table is made from these lists, so that no two can drift apart. */
#ifndef SMSCD_SMPP_H
#define SMSCD_SMPP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMPP_HEADER_SIZE 16
#define SMPP_VERSION_3_4 0x34
#define SMPP_RESPONSE_BIT 0x80000000u
#define SMPP_SEQUENCE_MAX 0x7fffffffu

/* SMPP 3.4 section 5.1.2.1: X(name, command_id) */
#define SMPP_COMMANDS(X)                                                                                               \
    X(generic_nack, 0x80000000)                                                                                        \
    X(bind_receiver, 0x00000001)                                                                                       \
    X(bind_receiver_resp, 0x80000001)                                                                                  \
    X(bind_transmitter, 0x00000002)                                                                                    \
    X(bind_transmitter_resp, 0x80000002)                                                                               \
    X(query_sm, 0x00000003)                                                                                            \
    X(query_sm_resp, 0x80000003)                                                                                       \
    X(submit_sm, 0x00000004)                                                                                           \
    X(submit_sm_resp, 0x80000004)                                                                                      \
    X(deliver_sm, 0x00000005)                                                                                          \
    X(deliver_sm_resp, 0x80000005)                                                                                     \
    X(unbind, 0x00000006)                                                                                              \
    X(unbind_resp, 0x80000006)                                                                                         \
    X(replace_sm, 0x00000007)                                                                                          \
    X(replace_sm_resp, 0x80000007)                                                                                     \
    X(cancel_sm, 0x00000008)                                                                                           \
    X(cancel_sm_resp, 0x80000008)                                                                                      \
    X(bind_transceiver, 0x00000009)                                                                                    \
    X(bind_transceiver_resp, 0x80000009)                                                                               \
    X(outbind, 0x0000000b)                                                                                             \
    X(enquire_link, 0x00000015)                                                                                        \
    X(enquire_link_resp, 0x80000015)                                                                                   \
    X(submit_multi, 0x00000021)                                                                                        \
    X(submit_multi_resp, 0x80000021)                                                                                   \
    X(alert_notification, 0x00000102)                                                                                  \
    X(data_sm, 0x00000103)                                                                                             \
    X(data_sm_resp, 0x80000103)

/* SMPP 3.4 section 5.1.3: X(name, value) */
#define SMPP_STATUSES(X)                                                                                               \
    X(ESME_ROK, 0x00000000)                                                                                            \
    X(ESME_RINVMSGLEN, 0x00000001)                                                                                     \
    X(ESME_RINVCMDLEN, 0x00000002)                                                                                     \
    X(ESME_RINVCMDID, 0x00000003)                                                                                      \
    X(ESME_RINVBNDSTS, 0x00000004)                                                                                     \
    X(ESME_RALYBND, 0x00000005)                                                                                        \
    X(ESME_RINVPRTFLG, 0x00000006)                                                                                     \
    X(ESME_RINVREGDLVFLG, 0x00000007)                                                                                  \
    X(ESME_RSYSERR, 0x00000008)                                                                                        \
    X(ESME_RINVSRCADR, 0x0000000a)                                                                                     \
    X(ESME_RINVDSTADR, 0x0000000b)                                                                                     \
    X(ESME_RINVMSGID, 0x0000000c)                                                                                      \
    X(ESME_RBINDFAIL, 0x0000000d)                                                                                      \
    X(ESME_RINVPASWD, 0x0000000e)                                                                                      \
    X(ESME_RINVSYSID, 0x0000000f)                                                                                      \
    X(ESME_RCANCELFAIL, 0x00000011)                                                                                    \
    X(ESME_RREPLACEFAIL, 0x00000013)                                                                                   \
    X(ESME_RMSGQFUL, 0x00000014)                                                                                       \
    X(ESME_RINVSERTYP, 0x00000015)                                                                                     \
    X(ESME_RINVNUMDESTS, 0x00000033)                                                                                   \
    X(ESME_RINVDLNAME, 0x00000034)                                                                                     \
    X(ESME_RINVDESTFLAG, 0x00000040)                                                                                   \
    X(ESME_RINVSUBREP, 0x00000042)                                                                                     \
    X(ESME_RINVESMCLASS, 0x00000043)                                                                                   \
    X(ESME_RCNTSUBDL, 0x00000044)                                                                                      \
    X(ESME_RSUBMITFAIL, 0x00000045)                                                                                    \
    X(ESME_RINVSRCTON, 0x00000048)                                                                                     \
    X(ESME_RINVSRCNPI, 0x00000049)                                                                                     \
    X(ESME_RINVDSTTON, 0x00000050)                                                                                     \
    X(ESME_RINVDSTNPI, 0x00000051)                                                                                     \
    X(ESME_RINVSYSTYP, 0x00000053)                                                                                     \
    X(ESME_RINVREPFLAG, 0x00000054)                                                                                    \
    X(ESME_RINVNUMMSGS, 0x00000055)                                                                                    \
    X(ESME_RTHROTTLED, 0x00000058)                                                                                     \
    X(ESME_RINVSCHED, 0x00000061)                                                                                      \
    X(ESME_RINVEXPIRY, 0x00000062)                                                                                     \
    X(ESME_RINVDFTMSGID, 0x00000063)                                                                                   \
    X(ESME_RX_T_APPN, 0x00000064)                                                                                      \
    X(ESME_RX_P_APPN, 0x00000065)                                                                                      \
    X(ESME_RX_R_APPN, 0x00000066)                                                                                      \
    X(ESME_RQUERYFAIL, 0x00000067)                                                                                     \
    X(ESME_RINVOPTPARSTREAM, 0x000000c0)                                                                               \
    X(ESME_ROPTPARNOTALLWD, 0x000000c1)                                                                                \
    X(ESME_RINVPARLEN, 0x000000c2)                                                                                     \
    X(ESME_RMISSINGOPTPARAM, 0x000000c3)                                                                               \
    X(ESME_RINVOPTPARAMVAL, 0x000000c4)                                                                                \
    X(ESME_RDELIVERYFAILURE, 0x000000fe)                                                                               \
    X(ESME_RUNKNOWNERR, 0x000000ff)

#define SMPP_STATUS_VENDOR_MIN 0x400u
#define SMPP_STATUS_VENDOR_MAX 0x4ffu

/* What an optional parameter's value is. */
enum smpp_tlv_type {
    SMPP_TLV_INT,     /* big-endian unsigned integer of exactly `max` octets */
    SMPP_TLV_CSTRING, /* octets ended by a NUL that counts in the length */
    SMPP_TLV_OCTETS,  /* octets as they are */
    SMPP_TLV_EMPTY    /* no value: alert_on_message_delivery */
};

/* SMPP 3.4 section 5.3.2: X(name, tag, type, min length, max length) */
#define SMPP_TLVS(X)                                                                                                   \
    X(dest_addr_subunit, 0x0005, INT, 1, 1)                                                                            \
    X(dest_network_type, 0x0006, INT, 1, 1)                                                                            \
    X(dest_bearer_type, 0x0007, INT, 1, 1)                                                                             \
    X(dest_telematics_id, 0x0008, INT, 2, 2)                                                                           \
    X(source_addr_subunit, 0x000d, INT, 1, 1)                                                                          \
    X(source_network_type, 0x000e, INT, 1, 1)                                                                          \
    X(source_bearer_type, 0x000f, INT, 1, 1)                                                                           \
    X(source_telematics_id, 0x0010, INT, 1, 1)                                                                         \
    X(qos_time_to_live, 0x0017, INT, 4, 4)                                                                             \
    X(payload_type, 0x0019, INT, 1, 1)                                                                                 \
    X(additional_status_info_text, 0x001d, CSTRING, 1, 256)                                                            \
    X(receipted_message_id, 0x001e, CSTRING, 1, 65)                                                                    \
    X(ms_msg_wait_facilities, 0x0030, INT, 1, 1)                                                                       \
    X(privacy_indicator, 0x0201, INT, 1, 1)                                                                            \
    X(source_subaddress, 0x0202, OCTETS, 2, 23)                                                                        \
    X(dest_subaddress, 0x0203, OCTETS, 2, 23)                                                                          \
    X(user_message_reference, 0x0204, INT, 2, 2)                                                                       \
    X(user_response_code, 0x0205, INT, 1, 1)                                                                           \
    X(source_port, 0x020a, INT, 2, 2)                                                                                  \
    X(destination_port, 0x020b, INT, 2, 2)                                                                             \
    X(sar_msg_ref_num, 0x020c, INT, 2, 2)                                                                              \
    X(language_indicator, 0x020d, INT, 1, 1)                                                                           \
    X(sar_total_segments, 0x020e, INT, 1, 1)                                                                           \
    X(sar_segment_seqnum, 0x020f, INT, 1, 1)                                                                           \
    X(sc_interface_version, 0x0210, INT, 1, 1)                                                                         \
    X(callback_num_pres_ind, 0x0302, INT, 1, 1)                                                                        \
    X(callback_num_atag, 0x0303, OCTETS, 0, 65)                                                                        \
    X(number_of_messages, 0x0304, INT, 1, 1)                                                                           \
    X(callback_num, 0x0381, OCTETS, 4, 19)                                                                             \
    X(dpf_result, 0x0420, INT, 1, 1)                                                                                   \
    X(set_dpf, 0x0421, INT, 1, 1)                                                                                      \
    X(ms_availability_status, 0x0422, INT, 1, 1)                                                                       \
    X(network_error_code, 0x0423, OCTETS, 3, 3)                                                                        \
    X(message_payload, 0x0424, OCTETS, 0, 65535)                                                                       \
    X(delivery_failure_reason, 0x0425, INT, 1, 1)                                                                      \
    X(more_messages_to_send, 0x0426, INT, 1, 1)                                                                        \
    X(message_state, 0x0427, INT, 1, 1)                                                                                \
    X(ussd_service_op, 0x0501, OCTETS, 1, 1)                                                                           \
    X(display_time, 0x1201, INT, 1, 1)                                                                                 \
    X(sms_signal, 0x1203, INT, 2, 2)                                                                                   \
    X(ms_validity, 0x1204, INT, 1, 1)                                                                                  \
    X(alert_on_message_delivery, 0x130c, EMPTY, 0, 0)                                                                  \
    X(its_reply_type, 0x1380, INT, 1, 1)                                                                               \
    X(its_session_info, 0x1383, OCTETS, 2, 2)

/* SMPP 3.4 section 5.2.28: X(name, value, stat in the text of a receipt (Appendix B), final) */
#define SMPP_MESSAGE_STATES(X)                                                                                         \
    X(ENROUTE, 1, "ENROUTE", false)                                                                                    \
    X(DELIVERED, 2, "DELIVRD", true)                                                                                   \
    X(EXPIRED, 3, "EXPIRED", true)                                                                                     \
    X(DELETED, 4, "DELETED", true)                                                                                     \
    X(UNDELIVERABLE, 5, "UNDELIV", true)                                                                               \
    X(ACCEPTED, 6, "ACCEPTD", false)                                                                                   \
    X(UNKNOWN, 7, "UNKNOWN", true)                                                                                     \
    X(REJECTED, 8, "REJECTD", true)

#define X(name, id) SMPP_##name = (int)(id),
enum smpp_command { SMPP_COMMANDS(X) };
#undef X
#define X(name, value) name = value,
enum smpp_status { SMPP_STATUSES(X) };
#undef X
#define X(name, tag, type, min, max) SMPP_TLV_##name = tag,
enum smpp_tlv_tag { SMPP_TLVS(X) };
#undef X
#define X(name, value, stat, final) SMPP_STATE_##name = value,
enum smpp_message_state { SMPP_MESSAGE_STATES(X) };
#undef X

/* esm_class, section 5.2.12 */
#define SMPP_ESM_TYPE_MASK 0x3c
#define SMPP_ESM_RECEIPT 0x04
#define SMPP_ESM_INTERMEDIATE 0x20
#define SMPP_ESM_UDHI 0x40

struct smpp_tlv_def {
    const char *name;
    uint16_t tag;
    enum smpp_tlv_type type;
    uint16_t min, max;
};

/* The standard's name of a command ("submit_sm"), or NULL. */
const char *smpp_command_name(uint32_t command_id);
/* The command's id, or 0 when the name is none. */
uint32_t smpp_command_by_name(const char *name);
/* The standard's name of a status ("ESME_ROK"), or NULL. */
const char *smpp_status_name(uint32_t status);
/* The same, or its digits ("0x000004FF") when the standard has no name for it. */
#define SMPP_STATUS_DIGITS 11
const char *smpp_status_text(uint32_t status, char digits[SMPP_STATUS_DIGITS]);
/* 0 and *status, or -1 when the name is none of the standard's. */
int smpp_status_by_name(const char *name, uint32_t *status);
/* The same for "0x00000400" to "0x000004FF", eight digits in either case: the vendors' statuses, which have no name. */
int smpp_status_by_digits(const char *text, uint32_t *status);
/* The definition, or NULL for a tag or name that the standard does not know. */
const struct smpp_tlv_def *smpp_tlv_by_tag(uint16_t tag);
const struct smpp_tlv_def *smpp_tlv_by_name(const char *name);
/* "DELIVRD" for 2 and so on, or NULL. */
const char *smpp_state_stat(unsigned state);
/* 1..8 for a stat text in any letter case (also the longer spellings "DELIVERED", "UNDELIVERABLE", ...), 0 when none.
 */
unsigned smpp_state_by_stat(const char *stat, size_t len);
/* Whether no further receipt follows this state. Unknown values are final. */
bool smpp_state_final(unsigned state);

#endif
