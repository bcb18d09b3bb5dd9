/* The ids that join a message with its receipt: upstreams write the same one in different ways. Pure. */
#ifndef SMSCD_RECEIPT_ID_H
#define SMSCD_RECEIPT_ID_H

#include <stddef.h>

#define RECEIPT_ID_MAX 256

enum receipt_id_base { RECEIPT_ID_TEXT = 0, RECEIPT_ID_DECIMAL = 10, RECEIPT_ID_HEX = 16 };

/* Writes the id without blanks around it, leading zeros and regard to letter case, and, where it is a number of that
 * base (with or without 0x for hexadecimal ones), in hexadecimal. Returns its length, or 0 when it has more than
 * RECEIPT_ID_MAX octets. */
size_t receipt_id_canonical(const char *id, size_t len, enum receipt_id_base base, char to[RECEIPT_ID_MAX]);

#endif
