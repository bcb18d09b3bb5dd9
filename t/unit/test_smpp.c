/* The name tables: each entry of the lists is found both ways, and nothing else is. */
#include <string.h>

#include "smpp.h"
#include "unit.h"
#include "util.h"

START_TEST(commands_both_ways)
{
#define X(name, id)                                                                                                    \
    ck_assert_str_eq(smpp_command_name(id), #name);                                                                    \
    ck_assert_uint_eq(smpp_command_by_name(#name), id);
    SMPP_COMMANDS(X)
#undef X
    ck_assert_ptr_null(smpp_command_name(0));
    ck_assert_ptr_null(smpp_command_name(0x104));
    ck_assert_ptr_null(smpp_command_name(0x7fffffff));
    ck_assert_ptr_null(smpp_command_name(0x80000102));
    ck_assert_ptr_null(smpp_command_name(0xffffffff));
    ck_assert_uint_eq(smpp_command_by_name("submit"), 0);
    ck_assert_uint_eq(smpp_command_by_name(""), 0);
}
END_TEST

START_TEST(statuses_both_ways)
{
    uint32_t status;
#define X(name, value)                                                                                                 \
    ck_assert_str_eq(smpp_status_name(value), #name);                                                                  \
    ck_assert_int_eq(smpp_status_by_name(#name, &status), 0);                                                          \
    ck_assert_uint_eq(status, value);
    SMPP_STATUSES(X)
#undef X
    ck_assert_ptr_null(smpp_status_name(0x09));
    ck_assert_ptr_null(smpp_status_name(0x100));
    ck_assert_ptr_null(smpp_status_name(0x400));
    ck_assert_ptr_null(smpp_status_name(0xffffffff));
    ck_assert_int_eq(smpp_status_by_name("ESME_RNOSUCH", &status), -1);
    ck_assert_int_eq(smpp_status_by_name("esme_rok", &status), -1);
}
END_TEST

START_TEST(vendors_statuses_by_digits)
{
    static const char *const none[] = {"",           "0x",         "0x000003FF",  "0x00000500",  "0x00000000",
                                       "0x400",      "0X00000400", "0x0000040",   "0x000000400", "0x0000040G",
                                       "0x 0000400", "0x-0000400", "0x00000400 ", "0xFFFFFFFF",  "00x0000400"};
    uint32_t status;
    ck_assert_int_eq(smpp_status_by_digits("0x00000400", &status), 0);
    ck_assert_uint_eq(status, 0x400);
    ck_assert_int_eq(smpp_status_by_digits("0x000004fF", &status), 0);
    ck_assert_uint_eq(status, 0x4ff);
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        ck_assert_msg(smpp_status_by_digits(none[i], &status) == -1, "%s", none[i]);
}
END_TEST

START_TEST(statuses_as_text)
{
    char digits[SMPP_STATUS_DIGITS];
    ck_assert_str_eq(smpp_status_text(ESME_RINVPASWD, digits), "ESME_RINVPASWD");
    ck_assert_str_eq(smpp_status_text(0x4ff, digits), "0x000004FF");
    ck_assert_str_eq(smpp_status_text(UINT32_MAX, digits), "0xFFFFFFFF");
}
END_TEST

START_TEST(tlvs_both_ways)
{
#define X(name_, tag_, type_, min_, max_)                                                                              \
    {                                                                                                                  \
        const struct smpp_tlv_def *def = smpp_tlv_by_tag(tag_);                                                        \
        ck_assert_ptr_nonnull(def);                                                                                    \
        ck_assert_ptr_eq(smpp_tlv_by_name(#name_), def);                                                               \
        ck_assert_str_eq(def->name, #name_);                                                                           \
        ck_assert_uint_eq(def->tag, tag_);                                                                             \
        ck_assert(def->type == SMPP_TLV_##type_ && def->min == (min_) && def->max == (max_));                          \
    }
    SMPP_TLVS(X)
#undef X
    ck_assert_ptr_null(smpp_tlv_by_tag(0));
    ck_assert_ptr_null(smpp_tlv_by_tag(0x1400));
    ck_assert_ptr_null(smpp_tlv_by_tag(0xffff));
    ck_assert_ptr_null(smpp_tlv_by_name("message_payloa"));
}
END_TEST

/* Only so many octets as the PDU has are read: the text has no NUL of its own. */
static unsigned state_of(const char *text)
{
    size_t n = strlen(text);
    char *block = malloc(n ? n : 1);
    memcpy(block, text, n);
    unsigned state = smpp_state_by_stat(block, n);
    free(block);
    return state;
}

START_TEST(states_in_all_spellings)
{
#define X(name, value, stat, final)                                                                                    \
    ck_assert_str_eq(smpp_state_stat(value), stat);                                                                    \
    ck_assert_uint_eq(state_of(stat), value);                                                                          \
    ck_assert_uint_eq(state_of(#name), value);                                                                         \
    ck_assert_int_eq(smpp_state_final(value), final);
    SMPP_MESSAGE_STATES(X)
#undef X
    ck_assert_uint_eq(state_of("delivrd"), SMPP_STATE_DELIVERED);
    ck_assert_uint_eq(state_of("Undelivered"), SMPP_STATE_UNDELIVERABLE);
    ck_assert_uint_eq(state_of("DELIVR"), 0);
    ck_assert_uint_eq(state_of("DELIVRDX"), 0);
    ck_assert_uint_eq(state_of(""), 0);
    ck_assert_ptr_null(smpp_state_stat(0));
    ck_assert_ptr_null(smpp_state_stat(9));
    ck_assert(smpp_state_final(0) && smpp_state_final(9) && smpp_state_final(0xffffffff));
}
END_TEST

int main(void)
{
    return UNIT_RUN("smpp", commands_both_ways, statuses_both_ways, vendors_statuses_by_digits, statuses_as_text,
                    tlvs_both_ways, states_in_all_spellings);
}
