/* What every gateway has, whoever carries out its wishes. */
#include "gateway.h"
#include "smpp.h"

#include <stdio.h>

/* The next number in hexadecimal digits, in place. */
static void count_up(char *digits, size_t n)
{
    for (char *d = digits + n; d-- > digits;) {
        if (*d != 'f') {
            *d = (char)(*d == '9' ? 'a' : *d + 1);
            return;
        }
        *d = '0';
    }
}

size_t gateway_message_id(const struct gateway *gateway, char to[40])
{
    enum { DIGITS = 8 };
    static char id[40];
    static size_t len;
    if (len == 0)
        len =
            (size_t)snprintf(id, sizeof(id), "%s%02x%04x00000000", gateway->node, gateway->worker, gateway->generation);
    count_up(id + len - DIGITS, DIGITS);
    memcpy(to, id, len + 1);
    return len;
}

uint32_t gateway_fail_status(uint32_t command_id, bool of_upstream)
{
    if (of_upstream)
        return ESME_RX_T_APPN;
    switch (command_id) {
    case SMPP_cancel_sm:
        return ESME_RCANCELFAIL;
    case SMPP_query_sm:
        return ESME_RQUERYFAIL;
    case SMPP_replace_sm:
        return ESME_RREPLACEFAIL;
    default:
        return ESME_RSYSERR;
    }
}
