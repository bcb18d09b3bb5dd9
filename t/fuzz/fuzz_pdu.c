/* Any octets as a PDU: decoding reads nothing beyond them, and what decodes encodes to the same octets
 * again. The length in the header is set right in a second go, so that the body is reached. */
#include <stdlib.h>

#include "pdu.h"
#include "pdu_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode_again(const struct pdu *pdu)
{
    struct pdu_out out;
    enum pdu_field bad;
    uint8_t *to = malloc(pdu->command_length);

    walk_to_out(pdu, &out);
    if (pdu_encoded_size(&out) != pdu->command_length)
        abort();
    if (pdu_encode(&out, to, pdu->command_length, &bad) != pdu->command_length)
        abort();
    if (memcmp(to, pdu->raw, pdu->command_length) != 0)
        abort();
    free(to);
}

/* A request's optional parameters, once it is taken, are whole to the last octet. */
static void tlvs_to_the_end(const struct pdu *pdu)
{
    struct pdu_tlv tlv;
    uint32_t pos = pdu->tlv_off;

    while (pdu_tlv_next(pdu, &pos, &tlv))
        ;
    if (!(pdu->command_id & SMPP_RESPONSE_BIT) && pos != pdu->command_length)
        abort();
}

static void decode(const uint8_t *raw, size_t size)
{
    struct pdu pdu;
    volatile unsigned sum;
    uint32_t status = pdu_decode(&pdu, raw, size);

    sum = walk_pdu(&pdu);
    (void)sum;
    if (status != ESME_ROK)
        return;
    tlvs_to_the_end(&pdu);
    encode_again(&pdu);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode(data, size);
    if (size < SMPP_HEADER_SIZE)
        return 0;
    uint8_t *raw = malloc(size);
    memcpy(raw, data, size);
    wire_u32_set(raw, (uint32_t)size);
    decode(raw, size);
    free(raw);
    return 0;
}
