/* Any octets as a receipt's text: every value lies within them, and none after text begins. */
#include <stdlib.h>

#include "receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct receipt r;
    char to[512];
    unsigned found = receipt_parse(&r, data, size);

    for (unsigned key = 0; key < RECEIPT_KEY_COUNT; key++) {
        const uint8_t *p = r.v[key].p, *text = r.v[RECEIPT_text].p;
        if (!p)
            continue;
        if (p < data || r.v[key].n > size || p + r.v[key].n > data + size)
            abort();
        if (text && key != RECEIPT_text && p + r.v[key].n > text)
            abort();
        found--;
    }
    if (found)
        abort();
    if (receipt_format(&r, to, sizeof(to)) > sizeof(to))
        abort();
    return 0;
}
