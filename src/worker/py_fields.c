/* From a send helper's keyword arguments to an encoded PDU. */
#include "py_int.h"

#include "util.h"

#define TLVS_MAX 66000
#define PDU_MAX (TLVS_MAX + 1024)

static PyObject *field_ids; /* name → enum pdu_field */
static PyObject *name_short_message;
static uint8_t tlv_buffer[TLVS_MAX], pdu_buffer[PDU_MAX];

int py_fields_init(void)
{
    field_ids = PyDict_New();
    for (int f = 0; field_ids && f < PDU_FIELD_COUNT; f++) {
        PyObject *id = PyLong_FromLong(f);
        if (!id || PyDict_SetItemString(field_ids, pdu_field_name(f), id) < 0)
            return -1;
        Py_DECREF(id);
    }
    name_short_message = PyUnicode_InternFromString("short_message");
    return PyErr_Occurred() ? -1 : 0;
}

/* ---- optional parameters ---- */

static const struct smpp_tlv_def *tlv_by_text(PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);
    char lower[64];
    size_t n = 0;
    for (; text && text[n] && n < sizeof(lower) - 1; n++)
        lower[n] = (char)(text[n] >= 'A' && text[n] <= 'Z' ? text[n] + 32 : text[n]);
    lower[n] = 0;
    PyErr_Clear();
    return smpp_tlv_by_name(lower);
}

int py_tlv_tag(PyObject *key, uint16_t *tag)
{
    if (PyUnicode_Check(key)) {
        const struct smpp_tlv_def *def = tlv_by_text(key);
        if (!def) {
            PyErr_Format(PyExc_ValueError, "%R is no optional parameter of SMPP 3.4 (a vendor's is given by number)",
                         key);
            return -1;
        }
        *tag = def->tag;
        return 0;
    }
    long n = PyLong_Check(key) ? PyLong_AsLong(key) : -1;
    if (n < 0 || n > 0xffff) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "a tag is a name of the standard or an int 0-0xFFFF, not %R", key);
        return -1;
    }
    *tag = (uint16_t)n;
    return 0;
}

static int put_tlv_int(struct wire *w, uint16_t tag, PyObject *value)
{
    const struct smpp_tlv_def *def = smpp_tlv_by_tag(tag);
    if (!def || def->type != SMPP_TLV_INT) {
        PyErr_Format(PyExc_ValueError, "optional parameter %s (0x%04x) is not an integer: give bytes, not %R",
                     def ? def->name : "of a vendor", tag, value);
        return -1;
    }
    unsigned long long n = PyLong_AsUnsignedLongLong(value);
    if (PyErr_Occurred() || n >> (8 * def->max)) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s: %R does not fit into %d octets", def->name, value, def->max);
        return -1;
    }
    uint8_t octets[4];
    for (int i = 0; i < def->max; i++)
        octets[i] = (uint8_t)(n >> (8 * (def->max - 1 - i)));
    pdu_put_tlv(w, tag, octets, def->max);
    return 0;
}

static int put_tlv_octets(struct wire *w, uint16_t tag, const void *data, Py_ssize_t n, bool nul)
{
    if (n + nul > 0xffff) {
        PyErr_Format(PyExc_ValueError, "optional parameter 0x%04x: %zd octets are too many", tag, n);
        return -1;
    }
    wire_put_u16(w, tag);
    wire_put_u16(w, (uint16_t)(n + nul));
    wire_put_octets(w, data, (size_t)n);
    if (nul)
        wire_put_u8(w, 0);
    return 0;
}

static int put_tlv(struct wire *w, PyObject *key, PyObject *value, uint16_t *tag)
{
    if (py_tlv_tag(key, tag) < 0)
        return -1;
    if (PyBytes_Check(value))
        return put_tlv_octets(w, *tag, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), false);
    if (PyLong_Check(value))
        return put_tlv_int(w, *tag, value);
    Py_ssize_t n = 0;
    const char *text = PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &n) : NULL;
    if (!text) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "an optional parameter's value is bytes, str or int, not %s",
                         Py_TYPE(value)->tp_name);
        return -1;
    }
    return put_tlv_octets(w, *tag, text, n, true);
}

static bool tag_seen(const uint8_t *from, const uint8_t *to, uint16_t tag)
{
    while (from < to) {
        if ((uint16_t)(from[0] << 8 | from[1]) == tag)
            return true;
        from += 4 + (from[2] << 8 | from[3]);
    }
    return false;
}

static bool is_pair(PyObject *pair, Py_ssize_t i)
{
    if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2)
        return true;
    PyErr_Format(PyExc_TypeError, "tlvs[%zd] is a (tag, value) pair, not %R", i, pair);
    return false;
}

static int put_tlv_mapping(struct wire *w, PyObject *mapping)
{
    PyObject *items = PyMapping_Items(mapping);
    for (Py_ssize_t i = 0; items && !w->error && i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);
        const uint8_t *end = w->p;
        uint16_t tag;
        if (!is_pair(pair, i) || put_tlv(w, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), &tag) < 0)
            Py_CLEAR(items);
        else if (tag_seen(w->start, end, tag)) {
            PyErr_Format(PyExc_ValueError, "tlvs names tag 0x%04x twice", tag);
            Py_CLEAR(items);
        }
    }
    Py_XDECREF(items);
    return items ? 0 : -1;
}

static int put_tlv_pairs(struct wire *w, PyObject *pairs)
{
    PyObject *list = PySequence_Fast(pairs, "tlvs is a mapping or a list of (tag, value) pairs");
    for (Py_ssize_t i = 0; list && i < PySequence_Fast_GET_SIZE(list); i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(list, i);
        uint16_t tag;
        if (!is_pair(pair, i) || put_tlv(w, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), &tag) < 0)
            Py_CLEAR(list);
    }
    Py_XDECREF(list);
    return list ? 0 : -1;
}

int py_tlvs_encode(PyObject *value, const uint8_t **octets, size_t *len)
{
    struct wire w = wire_of(tlv_buffer, sizeof(tlv_buffer));
    bool list = PyList_Check(value) || PyTuple_Check(value);
    bool mapping = PyDict_Check(value) || (!list && PyObject_HasAttrString(value, "items"));
    if ((mapping ? put_tlv_mapping(&w, value) : put_tlv_pairs(&w, value)) < 0)
        return -1;
    if (w.error) {
        PyErr_Format(PyExc_ValueError, "tlvs: more than %d octets altogether", TLVS_MAX);
        return -1;
    }
    *octets = tlv_buffer;
    *len = wire_done(&w);
    return 0;
}

static int take_tlvs(struct pdu_out *out, PyObject *value)
{
    size_t len;
    if (py_tlvs_encode(value, &out->tlvs, &len) < 0)
        return -1;
    out->tlvs_len = (uint32_t)len;
    return 0;
}

/* ---- mandatory fields ---- */

static int take_int(struct pdu_out *out, enum pdu_field f, PyObject *value)
{
    long n = PyLong_Check(value) ? PyLong_AsLong(value) : -1;
    if (n < 0 || n > 255) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s is an int 0-255, not %R", pdu_field_name(f), value);
        return -1;
    }
    out->v[f].n = (uint32_t)n;
    return 0;
}

int py_text_octets(const char *name, PyObject *value, const uint8_t **octets, size_t *len)
{
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s is a str, not %s", name, Py_TYPE(value)->tp_name);
        return -1;
    }
    if (PyUnicode_READY(value) < 0)
        return -1;
    *len = (size_t)PyUnicode_GET_LENGTH(value);
    if (PyUnicode_KIND(value) != PyUnicode_1BYTE_KIND || (*len && memchr(PyUnicode_1BYTE_DATA(value), 0, *len))) {
        PyErr_Format(PyExc_ValueError, "%s has a character that is no octet: %R", name, value);
        return -1;
    }
    *octets = PyUnicode_1BYTE_DATA(value);
    return 0;
}

static int take_text(struct pdu_out *out, enum pdu_field f, PyObject *value)
{
    size_t len;
    if (py_text_octets(pdu_field_name(f), value, &out->v[f].p, &len) < 0)
        return -1;
    out->v[f].n = (uint32_t)len;
    return 0;
}

/* The octets of a body: bytes, or a str as UTF-8. */
static const char *body_octets(PyObject *value, Py_ssize_t *n)
{
    if (PyUnicode_Check(value))
        return PyUnicode_AsUTF8AndSize(value, n);
    if (!PyBytes_Check(value))
        return (const char *)PyErr_Format(PyExc_TypeError, "short_message is bytes, not %s", Py_TYPE(value)->tp_name);
    *n = PyBytes_GET_SIZE(value);
    return PyBytes_AS_STRING(value);
}

static int take_short_message(struct pdu_out *out, PyObject *value)
{
    Py_ssize_t n;
    const char *p = body_octets(value, &n);
    if (!p)
        return -1;
    if (n > 254) {
        PyErr_Format(
            PyExc_ValueError,
            "short_message has %zd octets, 254 at the most: a longer body goes into tlvs={\"MESSAGE_PAYLOAD\": ...}",
            n);
        return -1;
    }
    out->v[PDU_short_message].p = (const uint8_t *)p;
    out->v[PDU_short_message].n = (uint32_t)n;
    return 0;
}

/* ---- destinations of submit_multi, section 4.5.1.1 ---- */

long py_octet_attribute(PyObject *object, const char *name, long otherwise)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    long n = value ? PyLong_AsLong(value) : otherwise;
    Py_XDECREF(value);
    PyErr_Clear();
    return n >= 0 && n <= 255 ? n : otherwise;
}

static int put_destination(struct wire *w, PyObject *to)
{
    const uint8_t *address;
    size_t len;
    bool list = py_octet_attribute(to, "is_distribution_list", 0);
    if (py_text_octets("a destination", to, &address, &len) < 0)
        return -1;
    if (len == 0 || len > PDU_DEST_ADDR_MAX - 1) {
        PyErr_Format(PyExc_ValueError, "a destination has 1-%d characters, not %R", PDU_DEST_ADDR_MAX - 1, to);
        return -1;
    }
    wire_put_u8(w, list ? PDU_DEST_LIST : PDU_DEST_SME);
    if (!list) {
        wire_put_u8(w, (uint8_t)py_octet_attribute(to, "ton", 1));
        wire_put_u8(w, (uint8_t)py_octet_attribute(to, "npi", 1));
    }
    wire_put_cstring(w, address, len);
    return 0;
}

static int take_destinations(struct pdu_out *out, PyObject *value)
{
    static uint8_t octets[255 * (3 + PDU_DEST_ADDR_MAX)];
    struct wire w = wire_of(octets, sizeof(octets));
    if (PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "destinations is a list of addresses, not one str");
        return -1;
    }
    PyObject *list = PySequence_Fast(value, "destinations is a list of addresses");
    Py_ssize_t n = list ? PySequence_Fast_GET_SIZE(list) : -1;
    if (list && (n < 1 || n > 254)) {
        PyErr_Format(PyExc_ValueError, "destinations has 1-254 entries, not %zd", n);
        n = -1;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        if (put_destination(&w, PySequence_Fast_GET_ITEM(list, i)) < 0)
            n = -1;
    Py_XDECREF(list);
    out->v[PDU_dest_address].p = octets;
    out->v[PDU_dest_address].n = (uint32_t)wire_done(&w);
    out->v[PDU_dest_address].count = (uint8_t)(n < 0 ? 0 : n);
    return n < 0 ? -1 : 0;
}

/* ---- the whole ---- */

static const struct pdu_item *item_of(const struct pdu_layout *layout, enum pdu_field f)
{
    for (int i = 0; i < layout->count; i++)
        if (layout->items[i].field == f)
            return &layout->items[i];
    return NULL;
}

/* What an argument is to a command. */
struct target {
    PyObject *name;
    const struct pdu_layout *layout;
    enum { NO_FIELD, TAKE_FIELD, TAKE_TLVS, TAKE_DESTINATIONS } what;
    const struct pdu_item *item;
};

static struct target look_up(const struct pdu_layout *layout, PyObject *name)
{
    struct target t = {.name = name, .layout = layout};
    PyObject *id = PyDict_GetItemWithError(field_ids, name);
    t.item = id ? item_of(layout, (enum pdu_field)PyLong_AsLong(id)) : NULL;
    if (PyUnicode_CompareWithASCIIString(name, "tlvs") == 0)
        t.what = TAKE_TLVS;
    else if (PyUnicode_CompareWithASCIIString(name, "destinations") == 0 && item_of(layout, PDU_dest_address))
        t.what = TAKE_DESTINATIONS;
    else if (t.item && (t.item->type == PDU_INT || t.item->type == PDU_CSTRING || t.item->type == PDU_OCTETS))
        t.what = TAKE_FIELD;
    return t;
}

/* The names are nearly always the interned ones of a script's text: by their address there is nothing to compare. */
static struct target target_of(const struct pdu_layout *layout, PyObject *name)
{
    static struct target known[512];
    struct target *t = &known[((uintptr_t)name >> 4 ^ (uintptr_t)layout >> 2) % ARRAY_LEN(known)];
    if (t->name == name && t->layout == layout)
        return *t;
    struct target found = look_up(layout, name);
    if (found.what != NO_FIELD && PyUnicode_CHECK_INTERNED(name)) {
        Py_INCREF(name);
        Py_XDECREF(t->name);
        *t = found;
    }
    return found;
}

static int take_field(struct pdu_out *out, const struct pdu_layout *layout, PyObject *name, PyObject *value)
{
    struct target t = target_of(layout, name);
    switch (t.what) {
    case TAKE_TLVS:
        return take_tlvs(out, value);
    case TAKE_DESTINATIONS:
        return take_destinations(out, value);
    case TAKE_FIELD:
        break;
    case NO_FIELD:
        PyErr_Format(PyExc_TypeError, "%s has no field %R", layout->name, name);
        return -1;
    }
    if (t.item->type == PDU_INT)
        return take_int(out, t.item->field, value);
    return t.item->type == PDU_CSTRING ? take_text(out, t.item->field, value) : take_short_message(out, value);
}

static size_t encode(const struct pdu_out *out, const uint8_t **raw)
{
    enum pdu_field bad = PDU_FIELD_COUNT;
    size_t n = pdu_encode(out, pdu_buffer, sizeof(pdu_buffer), &bad);
    if (n == 0 && bad != PDU_FIELD_COUNT) {
        const struct pdu_item *item = item_of(pdu_layout(out->command_id), bad);
        PyErr_Format(PyExc_ValueError, "%s has %u octets, %d at the most", pdu_field_name(bad), out->v[bad].n,
                     item->max - (item->type == PDU_CSTRING));
    } else if (n == 0) {
        PyErr_SetString(PyExc_ValueError, "the message is too long");
    }
    *raw = pdu_buffer;
    return n;
}

/* data_sm has no short_message: the body travels as message_payload, behind the other parameters. */
static int add_payload(struct pdu_out *out, PyObject *body)
{
    Py_ssize_t n = 0;
    const char *p = body && body != Py_None ? body_octets(body, &n) : "";
    struct wire w = wire_of(tlv_buffer, sizeof(tlv_buffer));
    if (!p)
        return -1;
    if (n == 0)
        return 0;
    if (tag_seen(tlv_buffer, tlv_buffer + out->tlvs_len, SMPP_TLV_message_payload)) {
        PyErr_SetString(PyExc_ValueError, "both short_message and MESSAGE_PAYLOAD are given");
        return -1;
    }
    wire_take(&w, out->tlvs_len);
    if (n > 0xffff || wire_left(&w) < (size_t)n + 4) {
        PyErr_Format(PyExc_ValueError, "short_message has %zd octets, too many for message_payload", n);
        return -1;
    }
    pdu_put_tlv(&w, SMPP_TLV_message_payload, p, (uint16_t)n);
    out->tlvs = tlv_buffer;
    out->tlvs_len = (uint32_t)wire_done(&w);
    return 0;
}

/* How submit_via and deliver_to hand over their arguments, `tlvs` last (siphon/smpp.py). */
static const enum pdu_field message_order[] = {
    PDU_source_addr,       PDU_destination_addr,    PDU_short_message,           PDU_source_addr_ton,
    PDU_source_addr_npi,   PDU_dest_addr_ton,       PDU_dest_addr_npi,           PDU_service_type,
    PDU_esm_class,         PDU_protocol_id,         PDU_priority_flag,           PDU_schedule_delivery_time,
    PDU_validity_period,   PDU_registered_delivery, PDU_replace_if_present_flag, PDU_data_coding,
    PDU_sm_default_msg_id,
};

static int take_message_field(struct pdu_out *out, enum pdu_field f, PyObject *value)
{
    switch (f) {
    case PDU_source_addr:
    case PDU_destination_addr:
    case PDU_service_type:
    case PDU_schedule_delivery_time:
    case PDU_validity_period:
        return take_text(out, f, value);
    case PDU_short_message:
        return take_short_message(out, value);
    default:
        return take_int(out, f, value);
    }
}

static int take_message(struct pdu_out *out, PyObject *fields)
{
    enum { COUNT = ARRAY_LEN(message_order) };
    if (PyTuple_GET_SIZE(fields) != COUNT + 1) {
        PyErr_Format(PyExc_TypeError, "a message has %d fields, not %zd", COUNT + 1, PyTuple_GET_SIZE(fields));
        return -1;
    }
    for (int i = 0; i < COUNT; i++) {
        PyObject *value = PyTuple_GET_ITEM(fields, i);
        if (value != Py_None && take_message_field(out, message_order[i], value) < 0)
            return -1;
    }
    PyObject *tlvs = PyTuple_GET_ITEM(fields, COUNT);
    return tlvs == Py_None ? 0 : take_tlvs(out, tlvs);
}

size_t py_fields_encode(uint32_t command_id, PyObject *fields, const uint8_t **raw)
{
    const struct pdu_layout *layout = pdu_layout(command_id);
    struct pdu_out out = {.command_id = command_id};
    bool payload = command_id == SMPP_data_sm;
    PyObject *name, *value;
    if (PyTuple_Check(fields))
        return take_message(&out, fields) < 0 ? 0 : encode(&out, raw);
    for (Py_ssize_t pos = 0; PyDict_Next(fields, &pos, &name, &value);) {
        if (value == Py_None || (payload && PyUnicode_Compare(name, name_short_message) == 0))
            continue;
        if (take_field(&out, layout, name, value) < 0)
            return 0;
    }
    if (payload && add_payload(&out, PyDict_GetItemWithError(fields, name_short_message)) < 0)
        return 0;
    return encode(&out, raw);
}
