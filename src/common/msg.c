/* Names of the message types, and the one body that is more than a few integers. */
#include "msg.h"

const char *msg_type_name(enum msg_type type)
{
    static const char *const names[] = {
#define X(name) #name,
        MSG_TYPES(X)
#undef X
    };
    return (unsigned)type < MSG_TYPE_COUNT ? names[type] : "unknown";
}

void msg_put_bind_state(struct wire *w, const struct msg_bind_state *state)
{
    wire_put_u32(w, state->bind);
    wire_put_u8(w, state->up);
    wire_put_u8(w, state->bind_type);
    wire_put_u8(w, state->notify);
    wire_put_cstring(w, state->system_id, strnlen(state->system_id, sizeof(state->system_id) - 1));
    wire_put_cstring(w, state->addr, strnlen(state->addr, sizeof(state->addr) - 1));
}

static void get_text(struct wire *w, char *to, size_t cap)
{
    size_t len;
    const uint8_t *text = wire_get_cstring(w, cap, &len);
    if (text)
        memcpy(to, text, len);
}

int msg_get_bind_state(struct wire *w, struct msg_bind_state *state)
{
    *state = (struct msg_bind_state){.bind = wire_get_u32(w)};
    state->up = wire_get_u8(w);
    state->bind_type = wire_get_u8(w);
    state->notify = wire_get_u8(w);
    get_text(w, state->system_id, sizeof(state->system_id));
    get_text(w, state->addr, sizeof(state->addr));
    return w->error || wire_left(w) ? -1 : 0;
}
