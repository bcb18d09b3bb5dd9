/* From a send helper's keyword arguments to an encoded PDU. */
#include "py_int.h"

#include "util.h"

#define TLVS_MAX 66000
#define PDU_MAX (TLVS_MAX + 1024)

static PyObject *field_ids; /* name → enum pdu_field */
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
    return field_ids ? 0 : -1;
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

static int put_tlv_mapping(struct wire *w, PyObject *mapping)
{
    PyObject *items = PyMapping_Items(mapping);
    for (Py_ssize_t i = 0; items && i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);
        const uint8_t *end = w->p;
        uint16_t tag;
        if (put_tlv(w, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), &tag) < 0)
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
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_Format(PyExc_TypeError, "tlvs[%zd] is a (tag, value) pair, not %R", i, pair);
            Py_CLEAR(list);
        } else if (put_tlv(w, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), &tag) < 0) {
            Py_CLEAR(list);
        }
    }
    Py_XDECREF(list);
    return list ? 0 : -1;
}

static int take_tlvs(struct pdu_out *out, PyObject *value)
{
    struct wire w = wire_of(tlv_buffer, sizeof(tlv_buffer));
    if ((PyDict_Check(value) || !PySequence_Check(value) ? put_tlv_mapping(&w, value) : put_tlv_pairs(&w, value)) < 0)
        return -1;
    if (w.error) {
        PyErr_SetString(PyExc_ValueError, "tlvs: more than 66000 octets altogether");
        return -1;
    }
    out->tlvs = tlv_buffer;
    out->tlvs_len = (uint32_t)wire_done(&w);
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

static int take_text(struct pdu_out *out, enum pdu_field f, PyObject *value)
{
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s is a str, not %s", pdu_field_name(f), Py_TYPE(value)->tp_name);
        return -1;
    }
    size_t n = (size_t)PyUnicode_GET_LENGTH(value);
    if (PyUnicode_READY(value) < 0)
        return -1;
    if (PyUnicode_KIND(value) != PyUnicode_1BYTE_KIND || (n && memchr(PyUnicode_1BYTE_DATA(value), 0, n))) {
        PyErr_Format(PyExc_ValueError, "%s has a character that is no octet: %R", pdu_field_name(f), value);
        return -1;
    }
    out->v[f].p = PyUnicode_1BYTE_DATA(value);
    out->v[f].n = (uint32_t)n;
    return 0;
}

static int take_short_message(struct pdu_out *out, PyObject *value)
{
    Py_ssize_t n;
    const char *p;
    if (PyBytes_Check(value)) {
        p = PyBytes_AS_STRING(value);
        n = PyBytes_GET_SIZE(value);
    } else if (PyUnicode_Check(value)) {
        p = PyUnicode_AsUTF8AndSize(value, &n);
        if (!p)
            return -1;
    } else {
        PyErr_Format(PyExc_TypeError, "short_message is bytes, not %s", Py_TYPE(value)->tp_name);
        return -1;
    }
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

static const struct pdu_item *item_of(const struct pdu_layout *layout, enum pdu_field f)
{
    for (int i = 0; i < layout->count; i++)
        if (layout->items[i].field == f)
            return &layout->items[i];
    return NULL;
}

static int take_field(struct pdu_out *out, const struct pdu_layout *layout, PyObject *name, PyObject *value)
{
    if (PyUnicode_CompareWithASCIIString(name, "tlvs") == 0)
        return take_tlvs(out, value);
    PyObject *id = PyDict_GetItemWithError(field_ids, name);
    enum pdu_field f = id ? (enum pdu_field)PyLong_AsLong(id) : PDU_FIELD_COUNT;
    const struct pdu_item *item = id ? item_of(layout, f) : NULL;
    if (!item) {
        PyErr_Format(PyExc_TypeError, "%s has no field %R", layout->name, name);
        return -1;
    }
    switch (item->type) {
    case PDU_INT:
        return take_int(out, f, value);
    case PDU_CSTRING:
        return take_text(out, f, value);
    case PDU_OCTETS:
        return take_short_message(out, value);
    default:
        PyErr_Format(PyExc_NotImplementedError, "%s is not built yet", pdu_field_name(f));
        return -1;
    }
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

size_t py_fields_encode(uint32_t command_id, PyObject *fields, const uint8_t **raw)
{
    const struct pdu_layout *layout = pdu_layout(command_id);
    struct pdu_out out = {.command_id = command_id};
    PyObject *name, *value;
    for (Py_ssize_t pos = 0; PyDict_Next(fields, &pos, &name, &value);)
        if (value != Py_None && take_field(&out, layout, name, value) < 0)
            return 0;
    return encode(&out, raw);
}
