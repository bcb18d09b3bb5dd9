/* The name tables of smpp.h's lists. Numbers are looked up directly, names through a small hash that is filled
 * before main: scripts name statuses and optional parameters in every message. */
#include "smpp.h"
#include "util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct named {
    const char *name;
    uint32_t value;
};

#define X(name, id) {#name, id},
static const struct named commands[] = {SMPP_COMMANDS(X)};
#undef X
#define X(name, value) {#name, value},
static const struct named statuses[] = {SMPP_STATUSES(X)};
#undef X
#define X(name, tag, type, min, max) {#name, tag},
static const struct named tlv_names[] = {SMPP_TLVS(X)};
#undef X

#define X(name, tag, type, min, max) {#name, tag, SMPP_TLV_##type, min, max},
static const struct smpp_tlv_def tlvs[] = {SMPP_TLVS(X)};
#undef X

/* Place in tlvs[] plus 1 of each tag; 0: not the standard's. */
#define X(name, tag, type, min, max) TLV_AT_##name,
enum { SMPP_TLVS(X) };
#undef X
#define X(name, tag, type, min, max) [tag] = TLV_AT_##name + 1,
static const uint8_t tlv_at[] = {SMPP_TLVS(X)};
#undef X

#define X(name, value) [value] = #name,
static const char *const status_names[] = {SMPP_STATUSES(X)};
#undef X

#define X(name, id) [(id) >> 31][(id) & ~SMPP_RESPONSE_BIT] = #name,
static const char *const command_names[2][SMPP_data_sm + 1] = {SMPP_COMMANDS(X)};
#undef X

/* name -> place in `entries`: open addressing, at most half full. */
#define SLOTS 128u
struct name_hash {
    const struct named *entries;
    uint8_t slot[SLOTS]; /* place plus 1; 0: empty */
};
static struct name_hash command_hash = {.entries = commands};
static struct name_hash status_hash = {.entries = statuses};
static struct name_hash tlv_hash = {.entries = tlv_names};

_Static_assert(ARRAY_LEN(commands) <= SLOTS / 2 && ARRAY_LEN(statuses) <= SLOTS / 2 && ARRAY_LEN(tlvs) <= SLOTS / 2,
               "a name hash is at most half full");

static unsigned name_slot(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return (hash ^ hash >> 16) % SLOTS;
}

static void fill(struct name_hash *hash, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned at = name_slot(hash->entries[i].name);
        while (hash->slot[at])
            at = (at + 1) % SLOTS;
        hash->slot[at] = (uint8_t)(i + 1);
    }
}

__attribute__((constructor)) static void fill_all(void)
{
    fill(&command_hash, ARRAY_LEN(commands));
    fill(&status_hash, ARRAY_LEN(statuses));
    fill(&tlv_hash, ARRAY_LEN(tlv_names));
}

/* The place of the name in the hash's entries, or -1. */
static int find(const struct name_hash *hash, const char *name)
{
    for (unsigned at = name_slot(name); hash->slot[at]; at = (at + 1) % SLOTS)
        if (strcmp(hash->entries[hash->slot[at] - 1].name, name) == 0)
            return hash->slot[at] - 1;
    return -1;
}

const char *smpp_command_name(uint32_t command_id)
{
    uint32_t low = command_id & ~SMPP_RESPONSE_BIT;
    return low < ARRAY_LEN(command_names[0]) ? command_names[command_id >> 31][low] : NULL;
}

uint32_t smpp_command_by_name(const char *name)
{
    int at = find(&command_hash, name);
    return at < 0 ? 0 : commands[at].value;
}

const char *smpp_status_name(uint32_t status)
{
    return status < ARRAY_LEN(status_names) ? status_names[status] : NULL;
}

const char *smpp_status_text(uint32_t status, char digits[SMPP_STATUS_DIGITS])
{
    const char *name = smpp_status_name(status);
    if (!name)
        snprintf(digits, SMPP_STATUS_DIGITS, "0x%08" PRIX32, status);
    return name ? name : digits;
}

int smpp_status_by_name(const char *name, uint32_t *status)
{
    int at = find(&status_hash, name);
    if (at < 0)
        return -1;
    *status = statuses[at].value;
    return 0;
}

int smpp_status_by_digits(const char *text, uint32_t *status)
{
    if (strncmp(text, "0x", 2) != 0 || strspn(text + 2, "0123456789abcdefABCDEF") != 8 || text[10])
        return -1;
    unsigned long value = strtoul(text + 2, NULL, 16);
    if (value < SMPP_STATUS_VENDOR_MIN || value > SMPP_STATUS_VENDOR_MAX)
        return -1;
    *status = (uint32_t)value;
    return 0;
}

const struct smpp_tlv_def *smpp_tlv_by_tag(uint16_t tag)
{
    return tag < ARRAY_LEN(tlv_at) && tlv_at[tag] ? &tlvs[tlv_at[tag] - 1] : NULL;
}

const struct smpp_tlv_def *smpp_tlv_by_name(const char *name)
{
    int at = find(&tlv_hash, name);
    return at < 0 ? NULL : &tlvs[at];
}

#define X(name, value, stat, final) [value] = stat,
static const char *const state_stats[] = {SMPP_MESSAGE_STATES(X)};
#undef X

/* What SMSCs write besides Appendix B's seven letters. */
#define X(name, value, stat, final) {#name, value},
static const struct named state_spellings[] = {
    {"EN_ROUTE", SMPP_STATE_ENROUTE}, {"UNDELIVERED", SMPP_STATE_UNDELIVERABLE}, SMPP_MESSAGE_STATES(X)};
#undef X

static bool same_text(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && strncasecmp(name, text, len) == 0;
}

const char *smpp_state_stat(unsigned state)
{
    return state < ARRAY_LEN(state_stats) ? state_stats[state] : NULL;
}

unsigned smpp_state_by_stat(const char *stat, size_t len)
{
    for (unsigned i = 1; i < ARRAY_LEN(state_stats); i++)
        if (same_text(state_stats[i], stat, len))
            return i;
    for (unsigned i = 0; i < ARRAY_LEN(state_spellings); i++)
        if (same_text(state_spellings[i].name, stat, len))
            return state_spellings[i].value;
    return 0;
}

bool smpp_state_final(unsigned state)
{
#define X(name, value, stat, final) [value] = !(final),
    static const bool goes_on[] = {SMPP_MESSAGE_STATES(X)};
#undef X
    return state >= ARRAY_LEN(goes_on) || !goes_on[state];
}
