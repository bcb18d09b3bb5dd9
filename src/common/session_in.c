/* What the peer sends: framing, which PDU is right in which state, the window of its requests and those parked.
 * SMPP 3.4 sections 2.2 to 2.4. */
#include "session_int.h"

#include <limits.h>

#include "log.h"
#include "util.h"

enum {
    DISPATCH_BUDGET = 256, /* parked requests of one session in one turn */
    NOTE_EVERY_MS = 1000
};

/* A line a second at most, whatever a peer sends. */
static bool may_note(struct session *s)
{
    if (s->read_ms - s->noted_ms < NOTE_EVERY_MS)
        return false;
    s->noted_ms = s->read_ms;
    return true;
}

static void odd(struct session *s, const char *what, const uint8_t *raw)
{
    if (!log_enabled(LOG_DEBUG_) || !may_note(s))
        return;
    const char *name = smpp_command_name(pdu_raw_command_id(raw));
    log_debug(s->name, "%s: %s (0x%08x), sequence_number %u", what, name ? name : "unknown command",
              (unsigned)pdu_raw_command_id(raw), (unsigned)pdu_raw_sequence(raw));
}

/* ---- which request when: SMPP 3.4 table 2-1 ---- */

unsigned session_may_send(uint32_t command_id, enum session_role sender)
{
    bool esme = sender == SESSION_ESME;
    switch (command_id) {
    case SMPP_submit_sm:
    case SMPP_submit_multi:
    case SMPP_query_sm:
    case SMPP_cancel_sm:
    case SMPP_replace_sm:
        return esme ? AS_TX : 0;
    case SMPP_deliver_sm:
    case SMPP_alert_notification:
        return esme ? 0 : AS_RX;
    case SMPP_data_sm:
        return esme ? AS_TX : AS_RX;
    default:
        return UINT_MAX;
    }
}

static enum session_role peer_role(const struct session *s)
{
    return s->role == SESSION_SMSC ? SESSION_ESME : SESSION_SMSC;
}

static bool has_response(uint32_t command_id)
{
    return command_id != SMPP_alert_notification && command_id != SMPP_outbind;
}

/* ---- the peer's requests ---- */

static void dispatch(struct session *s, const uint8_t *raw, uint32_t len)
{
    struct pdu pdu;
    uint32_t status = pdu_decode(&pdu, raw, len);
    if (status != ESME_ROK) {
        odd(s, "does not decode", raw);
        if (has_response(pdu.command_id))
            session_write_status(s, pdu.command_id, status, pdu.sequence_number);
        return;
    }
    s->in_hand += has_response(pdu.command_id);
    s->ops->request(s, s->owner, &pdu);
}

static void park(struct session *s, const uint8_t *raw, uint32_t len)
{
    if (!s->park)
        s->park = xcalloc(1, sizeof(*s->park));
    if (park_add(s->park, raw, len, s->conf->park_bytes)) {
        io_run(s->io, &s->work);
        return;
    }
    odd(s, "too much waits", raw);
    if (has_response(pdu_raw_command_id(raw)))
        session_write_status(s, pdu_raw_command_id(raw), s->conf->park_status, pdu_raw_sequence(raw));
}

static void on_message(struct session *s, const uint8_t *raw, uint32_t len)
{
    uint32_t id = pdu_raw_command_id(raw);
    unsigned types = session_may_send(id, peer_role(s));
    if (types == UINT_MAX) {
        odd(s, "not known", raw);
        session_write_header(s, SMPP_generic_nack, ESME_RINVCMDID, pdu_raw_sequence(raw));
        return;
    }
    if (s->state != SESSION_BOUND || !(types >> s->bind_type & 1)) {
        odd(s, "wrong in this state", raw);
        if (has_response(id))
            session_write_status(s, id, ESME_RINVBNDSTS, pdu_raw_sequence(raw));
        return;
    }
    s->request_ms = s->read_ms;
    if (s->in_hand < s->conf->window_in && !session_parked(s) && !s->doomed)
        dispatch(s, raw, len);
    else
        park(s, raw, len);
}

static enum session_bind_type bind_type_of(uint32_t command_id)
{
    return command_id == SMPP_bind_transmitter ? SESSION_TX
           : command_id == SMPP_bind_receiver  ? SESSION_RX
                                               : SESSION_TRX;
}

static void on_bind(struct session *s, const uint8_t *raw, uint32_t len)
{
    struct pdu pdu;
    uint32_t id = pdu_raw_command_id(raw), sequence = pdu_raw_sequence(raw);
    if (s->role == SESSION_ESME || s->state == SESSION_UNBINDING) {
        session_write_status(s, id, ESME_RINVBNDSTS, sequence);
        return;
    }
    if (s->state != SESSION_OPEN) {
        session_write_status(s, id, ESME_RALYBND, sequence);
        return;
    }
    uint32_t status = pdu_decode(&pdu, raw, len);
    if (status != ESME_ROK) {
        odd(s, "does not decode", raw);
        session_write_status(s, id, status, sequence);
        return;
    }
    s->state = SESSION_BINDING;
    s->bind_id = id;
    s->bind_sequence = sequence;
    s->bind_type = (uint8_t)bind_type_of(id);
    s->interface_version = pdu_int(&pdu, PDU_interface_version);
    s->ops->bind(s, s->owner, &pdu);
}

static void on_unbind(struct session *s, uint32_t sequence)
{
    if (s->phase == PHASE_UNBIND_SENT) { /* both at once */
        session_write_header(s, SMPP_unbind_resp, ESME_ROK, sequence);
        session_leave(s, "unbound by both sides");
        return;
    }
    if ((s->state != SESSION_BOUND && s->phase != PHASE_FINISHING) || s->peer_unbinds) {
        session_write_header(s, SMPP_unbind_resp, ESME_RINVBNDSTS, sequence);
        return;
    }
    uint64_t by_ms = s->read_ms + s->conf->response_ms;
    s->state = SESSION_UNBINDING;
    s->unbind_ms = s->phase == PHASE_FINISHING ? earlier(s->unbind_ms, by_ms) : by_ms;
    s->phase = PHASE_FINISHING;
    s->peer_unbinds = true;
    s->peer_unbind_sequence = sequence;
    s->enquire_sequence = 0;
    session_arm(s, s->unbind_ms);
    io_run(s->io, &s->work);
}

static void on_request(struct session *s, const uint8_t *raw, uint32_t len)
{
    switch (pdu_raw_command_id(raw)) {
    case SMPP_enquire_link:
        session_write_header(s, SMPP_enquire_link_resp, ESME_ROK, pdu_raw_sequence(raw));
        break;
    case SMPP_unbind:
        on_unbind(s, pdu_raw_sequence(raw));
        break;
    case SMPP_bind_receiver:
    case SMPP_bind_transmitter:
    case SMPP_bind_transceiver:
        on_bind(s, raw, len);
        break;
    case SMPP_outbind:
        if (may_note(s))
            log_info(s->name, "outbind ignored");
        break;
    default:
        on_message(s, raw, len);
    }
}

/* ---- the peer's responses ---- */

/* Answers to our bind differ more from the standard than anything else: what does not decode counts by its status. */
static void on_bind_resp(struct session *s, const uint8_t *raw, uint32_t len)
{
    struct pdu pdu;
    uint32_t version = 0;
    if (pdu_decode(&pdu, raw, len) != ESME_ROK) {
        log_warn(s->name, "the body of the bind response does not decode, ignored");
        pdu.present = 0;
        pdu.tlv_off = pdu.command_length;
    }
    if (pdu.command_id == (uint32_t)SMPP_generic_nack && pdu.command_status == ESME_ROK)
        pdu.command_status = ESME_RBINDFAIL;
    pdu_tlv_int(&pdu, SMPP_TLV_sc_interface_version, &version);
    s->interface_version = (uint8_t)version;
    s->init_ms = 0;
    bool bound = pdu.command_status == ESME_ROK;
    if (bound) {
        s->state = SESSION_BOUND;
        s->request_ms = s->read_ms;
        session_arm_next(s, s->read_ms);
    }
    s->ops->bind_resp(s, s->owner, &pdu);
    if (!bound)
        session_close(s, "the bind was rejected");
}

static void on_response(struct session *s, const uint8_t *raw, uint32_t len)
{
    uint32_t id = pdu_raw_command_id(raw), sequence = pdu_raw_sequence(raw);
    bool nack = id == (uint32_t)SMPP_generic_nack;
    if (s->enquire_sequence && sequence == s->enquire_sequence && (nack || id == (uint32_t)SMPP_enquire_link_resp))
        s->enquire_sequence = 0; /* a nack shows life too */
    else if (s->phase == PHASE_UNBIND_SENT && sequence == s->unbind_sequence &&
             (nack || id == (uint32_t)SMPP_unbind_resp))
        session_close(s, s->reason ? s->reason : "unbound");
    else if (s->role == SESSION_ESME && s->state == SESSION_BINDING && sequence == s->bind_sequence &&
             (nack || id == (s->bind_id | SMPP_RESPONSE_BIT)))
        on_bind_resp(s, raw, len);
    else if (!session_out_answer(s, raw, len))
        odd(s, "nobody waits for", raw);
}

/* ---- framing ---- */

static void bad_length(struct session *s, uint32_t length, uint32_t sequence)
{
    log_warn(s->name, "command_length %u, closing", (unsigned)length);
    session_write_header(s, SMPP_generic_nack, ESME_RINVCMDLEN, sequence);
    session_leave(s, "command_length out of range");
}

size_t session_in_data(struct conn *conn, void *owner, uint8_t *data, size_t len)
{
    struct session *s = owner;
    size_t used = 0;
    s->read_ms = util_now_ms();
    while (len - used >= SMPP_HEADER_SIZE) {
        const uint8_t *raw = data + used;
        uint32_t n = wire_u32_at(raw);
        if (n < SMPP_HEADER_SIZE || n > s->conf->max_pdu_bytes) {
            bad_length(s, n, pdu_raw_sequence(raw));
            return len;
        }
        if (n > len - used)
            break;
        used += n;
        if (pdu_raw_command_id(raw) & SMPP_RESPONSE_BIT)
            on_response(s, raw, n);
        else
            on_request(s, raw, n);
        if (session_deaf(s))
            return len;
    }
    size_t left = len - used;
    if (left >= 4 && left < SMPP_HEADER_SIZE && wire_u32_at(data + used) < SMPP_HEADER_SIZE)
        bad_length(s, wire_u32_at(data + used), 0);
    else if (conn_congested(conn))
        session_choke(s);
    return used;
}

/* ---- requests that waited ---- */

void session_in_unpark(struct session *s)
{
    unsigned budget = DISPATCH_BUDGET;
    uint32_t len;
    while (session_parked(s) && s->in_hand < s->conf->window_in && !conn_congested(s->conn) && !s->doomed) {
        if (budget-- == 0) {
            io_run(s->io, &s->work);
            return;
        }
        const uint8_t *raw = park_first(s->park, &len);
        dispatch(s, raw, len);
        if (session_deaf(s))
            return;
        park_drop_first(s->park);
    }
}
