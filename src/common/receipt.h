/* The text of a delivery receipt (SMPP 3.4 Appendix B, and what SMSCs make of it): read and written. Pure. */
#ifndef SMSCD_RECEIPT_H
#define SMSCD_RECEIPT_H

#include "pdu.h"

/* The keys that are known: X(name). In the text `submit_date` is "submit date" and so on. */
#define RECEIPT_KEYS(X)                                                                                                \
    X(id)                                                                                                              \
    X(sub)                                                                                                             \
    X(dlvrd)                                                                                                           \
    X(submit_date)                                                                                                     \
    X(done_date)                                                                                                       \
    X(stat)                                                                                                            \
    X(err)                                                                                                             \
    X(text)

#define X(name) RECEIPT_##name,
enum receipt_key { RECEIPT_KEYS(X) RECEIPT_KEY_COUNT };
#undef X

struct receipt {
    struct {
        const uint8_t *p; /* into the text; NULL when the key was not there */
        size_t n;
    } v[RECEIPT_KEY_COUNT];
};

/* "id" for RECEIPT_id, "submit_date" for RECEIPT_submit_date: the name scripts see. */
const char *receipt_key_name(enum receipt_key key);
/* Reads keys in any order and letter case; blanks around a value are left out, `text` runs to the end, colons and all.
 * "submit date", "submit_date" and "submitdate" are the same; a date may be of any length and contain no blank.
 * Returns how many keys were found. */
unsigned receipt_parse(struct receipt *r, const uint8_t *text, size_t len);
/* Writes the Appendix B text into cap octets; missing keys are left away, except that sub and dlvrd become "001".
 * Returns its length, or 0 when cap is too small. */
size_t receipt_format(const struct receipt *r, char *to, size_t cap);

#endif
