/* Whole PDUs of every command as they are on the wire, written by hand from SMPP 3.4: hexadecimal octets, and text
 * between quotes. */
#ifndef SMSCD_PDU_SAMPLES_H
#define SMSCD_PDU_SAMPLES_H

#include "smpp.h"
#include "util.h"

struct sample {
    enum smpp_command command;
    const char *text;
};

static const struct sample samples[] = {
    {SMPP_generic_nack, "00000010 80000000 00000002 00000001"},
    {SMPP_bind_receiver, "0000002A 00000001 00000000 00000002"
                         " 'esme1' 00 's3cret' 00 'VMA' 00 34 01 01 '^4915' 00"},
    {SMPP_bind_transmitter, "0000002A 00000002 00000000 00000003"
                            " 'esme1' 00 's3cret' 00 'VMA' 00 34 01 01 '^4915' 00"},
    {SMPP_bind_transceiver, "0000002A 00000009 00000000 00000004"
                            " 'esme1' 00 's3cret' 00 'VMA' 00 34 01 01 '^4915' 00"},
    {SMPP_bind_receiver_resp, "0000001B 80000001 00000000 00000005"
                              " 'smscd' 00 0210 0001 34"},
    {SMPP_bind_transmitter_resp, "0000001B 80000002 00000000 00000006"
                                 " 'smscd' 00 0210 0001 34"},
    {SMPP_bind_transceiver_resp, "0000001B 80000009 00000000 00000007"
                                 " 'smscd' 00 0210 0001 34"},
    {SMPP_bind_transceiver_resp, "00000010 80000009 0000000D 00000008"},
    {SMPP_outbind, "0000001D 0000000B 00000000 00000009"
                   " 'smscd' 00 'secret' 00"},
    {SMPP_unbind, "00000010 00000006 00000000 0000000A"},
    {SMPP_unbind_resp, "00000010 80000006 00000000 0000000B"},
    {SMPP_enquire_link, "00000010 00000015 00000000 0000000C"},
    {SMPP_enquire_link_resp, "00000010 80000015 00000000 0000000D"},
    {SMPP_submit_sm, "00000064 00000004 00000000 0000000E"
                     " 'WAP' 00 01 02 '15550100' 00 03 04 '4915112345678' 00 40 05 01 '260101120000000+' 00 "
                     "'000001000000000R' 00 11 01 08 07 05 'hello' 0204 0002 1234"},
    {SMPP_submit_sm, "0000003C 00000004 00000000 0000000F"
                     " 00 00 00 00 01 01 '491' 00 00 00 00 00 00 00 00 00 00 00 0424 0003 'abc' 0381 0005 010101 '23' "
                     "0381 0004 010101 '4'"},
    {SMPP_submit_sm_resp, "00000021 80000004 00000000 00000010"
                          " '0123456789abcdef' 00"},
    {SMPP_submit_sm_resp, "00000010 80000004 00000058 00000011"},
    {SMPP_submit_multi, "00000040 00000021 00000000 00000012"
                        " 00 01 02 '1000' 00 03 01 01 01 '4911' 00 02 'list1' 00 01 05 00 '77' 00 00 00 00 00 00 01 00 "
                        "00 00 02 'hi' 0204 0002 0001"},
    {SMPP_submit_multi_resp, "00000029 80000021 00000000 00000013"
                             " 'm-1' 00 02 01 01 '4911' 00 0000000B 00 00 '77' 00 00000008"},
    {SMPP_deliver_sm, "00000069 00000005 00000000 00000014"
                      " 00 01 01 '4915112345678' 00 01 01 '15550100' 00 04 00 00 00 00 00 00 00 00 1D 'id:msg-1 "
                      "stat:DELIVRD err:000' 001E 0006 'msg-1' 00 0427 0001 02 0423 0003 030000"},
    {SMPP_deliver_sm_resp, "00000011 80000005 00000000 00000015"
                           " 00"},
    {SMPP_data_sm, "0000002F 00000103 00000000 00000016"
                   " 'CMT' 00 01 01 '4911' 00 01 01 '4922' 00 00 01 00 0424 0002 'yo' 130C 0000"},
    {SMPP_data_sm_resp, "00000019 80000103 00000000 00000017"
                        " 'd-1' 00 0425 0001 00"},
    {SMPP_query_sm, "0000001B 00000003 00000000 00000018"
                    " 'm-1' 00 01 01 '4911' 00"},
    {SMPP_query_sm_resp, "00000027 80000003 00000000 00000019"
                         " 'm-1' 00 '260101120000000+' 00 02 00"},
    {SMPP_cancel_sm, "00000026 00000008 00000000 0000001A"
                     " 'CMT' 00 'm-1' 00 01 01 '4911' 00 01 01 '4922' 00"},
    {SMPP_cancel_sm_resp, "00000010 80000008 00000011 0000001B"},
    {SMPP_replace_sm, "00000033 00000007 00000000 0000001C"
                      " 'm-1' 00 01 01 '4911' 00 00 '000001000000000R' 00 01 00 03 'new'"},
    {SMPP_replace_sm_resp, "00000010 80000007 00000000 0000001D"},
    {SMPP_alert_notification, "00000027 00000102 00000000 0000001E"
                              " 01 01 '4911' 00 01 01 '15550100' 00 0422 0001 00"},
};

#define SAMPLE_MAX 1024

static inline unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* The octets of such a text; returns how many. */
static inline size_t sample_octets(const char *text, uint8_t to[SAMPLE_MAX])
{
    size_t n = 0;
    bool quoted = false;
    for (; *text && n < SAMPLE_MAX; text++) {
        if (*text == '\'')
            quoted = !quoted;
        else if (quoted)
            to[n++] = (uint8_t)*text;
        else if (*text != ' ') {
            to[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
            text++;
        }
    }
    return n;
}

#endif
