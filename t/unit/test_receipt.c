/* Receipt texts in the shapes that SMSCs send, and the one that is written. */
#include <string.h>

#include "receipt.h"
#include "unit.h"

/* What is expected of a text: a value for each key, NULL where the key is not there. */
struct shape {
    const char *text;
    const char *want[RECEIPT_KEY_COUNT];
};

#define ID [RECEIPT_id]
#define SUB [RECEIPT_sub]
#define DLVRD [RECEIPT_dlvrd]
#define SUBMITTED [RECEIPT_submit_date]
#define DONE [RECEIPT_done_date]
#define STAT [RECEIPT_stat]
#define ERR [RECEIPT_err]
#define TEXT [RECEIPT_text]

static const struct shape shapes[] = {
    /* Appendix B */
    {"id:0123456789 sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 stat:DELIVRD err:000 text:Hello you",
     {ID = "0123456789", SUB = "001", DLVRD = "001", SUBMITTED = "2601011200", DONE = "2601011201", STAT = "DELIVRD",
      ERR = "000", TEXT = "Hello you"}},
    /* any order and case */
    {"Stat:UNDELIV ERR:011 Id:A-7 DONE DATE:260101120130 Text:",
     {STAT = "UNDELIV", ERR = "011", ID = "A-7", DONE = "260101120130", TEXT = ""}},
    /* dates of 10, 12 and 14 digits, with one word keys */
    {"id:1 submit_date:20260101120000 donedate:2601011200",
     {ID = "1", SUBMITTED = "20260101120000", DONE = "2601011200"}},
    /* a date has no blank, but may have colons */
    {"submit date:2026-01-01T12:00:00 done date:2026-01-01 12:00:01 stat:EXPIRED",
     {SUBMITTED = "2026-01-01T12:00:00", DONE = "2026-01-01", STAT = "EXPIRED"}},
    {"submit date:2026-01-01 12:00:00", {SUBMITTED = "2026-01-01"}},
    {"date:2601011200 stat:X", {STAT = "X"}},
    /* blanks around values and before colons, more than one between words */
    {"  id: 12 ab   sub : 001  submit  date:  2601011200 stat:\tDELIVRD\r\nerr: 0 ",
     {ID = "12 ab", SUB = "001", SUBMITTED = "2601011200", STAT = "DELIVRD", ERR = "0"}},
    /* an error that is no number, and is more than one word */
    {"id:1 err:Absent Subscriber stat:UNDELIV", {ID = "1", ERR = "Absent Subscriber", STAT = "UNDELIV"}},
    /* text is never searched for keys */
    {"id:1 stat:DELIVRD text:id:2 stat:EXPIRED err:5 text:x",
     {ID = "1", STAT = "DELIVRD", TEXT = "id:2 stat:EXPIRED err:5 text:x"}},
    {"text:id:2 stat:EXPIRED", {TEXT = "id:2 stat:EXPIRED"}},
    /* no blank between the fields */
    {"id:12sub:001dlvrd:001submit date:2601011200done date:2601011201stat:DELIVRDerr:000text:abc",
     {ID = "12", SUB = "001", DLVRD = "001", SUBMITTED = "2601011200", DONE = "2601011201", STAT = "DELIVRD",
      ERR = "000", TEXT = "abc"}},
    {"id:12,sub:001;stat:REJECTD, err:1", {ID = "12", SUB = "001", STAT = "REJECTD", ERR = "1"}},
    {"id: 12sub:001", {ID = "12", SUB = "001"}},
    {"err:a b,stat:X", {ERR = "a b", STAT = "X"}},
    {"id:1 text:a,b;", {ID = "1", TEXT = "a,b;"}},
    /* names that end like a key, and vendors' keys between */
    {"msgid:7 id:5 resub:3 stat:REJECTD mccmnc:26201 errtext:foo bar err:1", {ID = "5", STAT = "REJECTD", ERR = "1"}},
    {"id:1 area:2 stat:X zone:3 err:4 Area:5", {ID = "1", STAT = "X", ERR = "4"}},
    {"id:1 ZONE:2 stat:X op_name:3 err:4 op-name:5", {ID = "1", STAT = "X", ERR = "4"}},
    {"id:1 mnc0:2 stat:X mnc9:3", {ID = "1", STAT = "X"}},
    {"id:1 stat:grid:9", {ID = "1", STAT = "grid:9"}},
    /* a name begins with a letter */
    {"err:Absent at 12:30 stat:X", {ERR = "Absent at 12:30", STAT = "X"}},
    {"id:1 {7:2 @7:3 stat:X", {ID = "1 {7:2 @7:3", STAT = "X"}},
    {"smsc_id:7 stat:DELIVRD", {STAT = "DELIVRD"}},
    {"id:grid:9 stat:X", {ID = "grid:9", STAT = "X"}},
    {"id:urn:x:1 stat:X", {ID = "urn:x:1", STAT = "X"}},
    /* the first of a repeated key, empty values */
    {"id:1 id:2 stat: err:", {ID = "1", STAT = "", ERR = ""}},
    {"id:stat:X", {ID = "", STAT = "X"}},
    /* no receipts */
    {"", {NULL}},
    {":", {NULL}},
    {"id", {NULL}},
    {"Your order is on its way, tracking 12:30", {NULL}},
};

/* The text in a block of exactly its size. */
static unsigned parse(struct receipt *r, uint8_t **block, const char *text, size_t n)
{
    *block = malloc(n ? n : 1);
    memcpy(*block, text, n);
    return receipt_parse(r, *block, n);
}

static void check_value(const struct receipt *r, unsigned key, const char *want, const char *text)
{
    const char *name = receipt_key_name((enum receipt_key)key);
    ck_assert_msg(!want == !r->v[key].p, "%s of <%s>: %s", name, text, want ? "missing" : "there");
    if (want)
        ck_assert_msg(r->v[key].n == strlen(want) && memcmp(r->v[key].p, want, r->v[key].n) == 0,
                      "%s of <%s>: <%.*s>, not <%s>", name, text, (int)r->v[key].n, (const char *)r->v[key].p, want);
}

START_TEST(all_shapes)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct receipt r;
        uint8_t *block;
        unsigned found = parse(&r, &block, shapes[i].text, strlen(shapes[i].text)), want = 0;
        for (unsigned key = 0; key < RECEIPT_KEY_COUNT; key++) {
            check_value(&r, key, shapes[i].want[key], shapes[i].text);
            want += shapes[i].want[key] != NULL;
        }
        ck_assert_uint_eq(found, want);
        free(block);
    }
}
END_TEST

START_TEST(nul_octets_are_blanks)
{
    static const char text[] = "id:1\0stat:DELIVRD\0\0err:0 text:a\0b\0";
    struct receipt r;
    uint8_t *block;
    ck_assert_uint_eq(parse(&r, &block, text, sizeof(text)), 4);
    check_value(&r, RECEIPT_id, "1", text);
    check_value(&r, RECEIPT_stat, "DELIVRD", text);
    check_value(&r, RECEIPT_err, "0", text);
    ck_assert_uint_eq(r.v[RECEIPT_text].n, 3);
    free(block);
}
END_TEST

/* Each text cut off anywhere: no octet beyond is read, every value lies within. */
START_TEST(every_truncation)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        for (size_t n = 0; n <= strlen(shapes[i].text); n++) {
            struct receipt r;
            uint8_t *block;
            parse(&r, &block, shapes[i].text, n);
            for (unsigned key = 0; key < RECEIPT_KEY_COUNT; key++)
                if (r.v[key].p)
                    ck_assert(r.v[key].p >= block && r.v[key].p + r.v[key].n <= block + n);
            free(block);
        }
}
END_TEST

static const char appendix_b[] =
    "id:0123456789 sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 stat:DELIVRD err:000 text:Hello";

START_TEST(written_as_in_appendix_b)
{
    struct receipt r;
    char to[sizeof(appendix_b) - 1];
    receipt_parse(&r, (const uint8_t *)appendix_b, sizeof(to));
    ck_assert_uint_eq(receipt_format(&r, to, sizeof(to)), sizeof(to));
    ck_assert_mem_eq(to, appendix_b, sizeof(to));
    for (size_t cap = 0; cap < sizeof(to); cap++)
        ck_assert_uint_eq(receipt_format(&r, to, cap), 0);
}
END_TEST

START_TEST(written_without_what_is_missing)
{
    static const char want[] = "id:7 sub:001 dlvrd:001 stat:EXPIRED text:";
    struct receipt r;
    char to[100];
    receipt_parse(&r, (const uint8_t *)"stat:EXPIRED id:7 text:", 23);
    size_t n = receipt_format(&r, to, sizeof(to));
    ck_assert_uint_eq(n, sizeof(want) - 1);
    ck_assert_mem_eq(to, want, n);
}
END_TEST

START_TEST(key_names)
{
    ck_assert_str_eq(receipt_key_name(RECEIPT_id), "id");
    ck_assert_str_eq(receipt_key_name(RECEIPT_submit_date), "submit_date");
    ck_assert_str_eq(receipt_key_name(RECEIPT_text), "text");
}
END_TEST

int main(void)
{
    return UNIT_RUN("receipt", all_shapes, nul_octets_are_blanks, every_truncation, written_as_in_appendix_b,
                    written_without_what_is_missing, key_names);
}
