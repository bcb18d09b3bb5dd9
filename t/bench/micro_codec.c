/* What it costs to decode and encode a PDU, and to read the text of a receipt. */
#include "micro_pdu.h"
#include "receipt.h"

struct codec {
    struct pdu_out out;
    uint8_t raw[512], to[512];
    size_t len;
};

static void decode(void *arg, unsigned n)
{
    struct codec *c = arg;
    struct pdu pdu;
    for (; n; n--) {
        if (pdu_decode(&pdu, c->raw, c->len) != ESME_ROK)
            micro_die("does not decode");
        micro_keep(&pdu);
    }
}

static void decode_tlvs(void *arg, unsigned n)
{
    struct codec *c = arg;
    struct pdu pdu;
    struct pdu_tlv tlv;
    uint32_t state;
    for (; n; n--) {
        if (pdu_decode(&pdu, c->raw, c->len) != ESME_ROK || !pdu_tlv_find(&pdu, SMPP_TLV_receipted_message_id, &tlv) ||
            !pdu_tlv_int(&pdu, SMPP_TLV_message_state, &state))
            micro_die("does not decode");
        micro_keep(&tlv);
    }
}

static void encode(void *arg, unsigned n)
{
    struct codec *c = arg;
    enum pdu_field bad;
    for (; n; n--) {
        c->out.sequence_number = n;
        if (!pdu_encode(&c->out, c->to, sizeof(c->to), &bad))
            micro_die("does not encode");
        micro_keep(c->to);
    }
}

static void prepare(struct codec *c, struct pdu_out out)
{
    c->out = out;
    c->len = 0;
    micro_append(&c->out, c->raw, sizeof(c->raw), &c->len);
}

static void parse_receipt(void *arg, unsigned n)
{
    struct receipt r;
    (void)arg;
    for (; n; n--) {
        if (receipt_parse(&r, (const uint8_t *)MICRO_RECEIPT, sizeof(MICRO_RECEIPT) - 1) != RECEIPT_KEY_COUNT)
            micro_die("not all keys were found");
        micro_keep(&r);
    }
}

static void format_receipt(void *arg, unsigned n)
{
    struct receipt r;
    char to[254];
    (void)arg;
    receipt_parse(&r, (const uint8_t *)MICRO_RECEIPT, sizeof(MICRO_RECEIPT) - 1);
    for (; n; n--) {
        receipt_format(&r, to, sizeof(to));
        micro_keep(to);
    }
}

int main(int argc, char **argv)
{
    static struct codec c;
    uint8_t tlvs[64];
    struct wire w = wire_of(tlvs, sizeof(tlvs));
    micro_init(argc, argv);

    prepare(&c, micro_message(SMPP_submit_sm, MICRO_TEXT));
    micro("codec", "submit_sm, decode", decode, &c);
    micro("codec", "submit_sm, encode", encode, &c);

    struct pdu_out resp = {.command_id = SMPP_submit_sm_resp};
    micro_put(&resp, PDU_message_id, "0123456789");
    prepare(&c, resp);
    micro("codec", "submit_sm_resp, decode", decode, &c);
    micro("codec", "submit_sm_resp, encode", encode, &c);

    struct pdu_out receipt = micro_message(SMPP_deliver_sm, MICRO_RECEIPT);
    receipt.v[PDU_esm_class].n = SMPP_ESM_RECEIPT;
    pdu_put_tlv(&w, SMPP_TLV_receipted_message_id, "0123456789", 11);
    pdu_put_tlv(&w, SMPP_TLV_message_state, "\2", 1);
    pdu_put_tlv(&w, SMPP_TLV_network_error_code, "\3\0\1", 3);
    receipt.tlvs = tlvs;
    receipt.tlvs_len = (uint32_t)wire_done(&w);
    prepare(&c, receipt);
    micro("codec", "deliver_sm with 3 TLVs, decode and read two", decode_tlvs, &c);
    micro("codec", "deliver_sm with 3 TLVs, encode", encode, &c);

    micro("receipt", "parse", parse_receipt, NULL);
    micro("receipt", "format", format_receipt, NULL);
    return 0;
}
