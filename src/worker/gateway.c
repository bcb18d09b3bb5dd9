/* What every gateway has, whoever carries out its wishes. */
#include "gateway.h"

#include <stdio.h>

size_t gateway_message_id(const struct gateway *gateway, char to[40])
{
    static const char hex[] = "0123456789abcdef";
    static uint64_t counter;
    static char prefix[32];
    static size_t prefix_len;
    if (prefix_len == 0)
        prefix_len =
            (size_t)snprintf(prefix, sizeof(prefix), "%s%02x%04x", gateway->node, gateway->worker, gateway->generation);
    memcpy(to, prefix, prefix_len);
    uint64_t n = ++counter;
    for (int i = 7; i >= 0; i--, n >>= 4)
        to[prefix_len + (size_t)i] = hex[n & 15];
    to[prefix_len + 8] = 0;
    return prefix_len + 8;
}
