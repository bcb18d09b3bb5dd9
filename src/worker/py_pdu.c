/* Pdu, as handlers see it: a view of the received octets whose fields are made into Python objects when they are read.
 */
#include "py_int.h"

#include <stdlib.h>

#include "receipt.h"
#include "util.h"

typedef struct {
    PyObject_HEAD
    const struct pdu *pdu; /* the session's during the handler's first step, then &own */
    struct pdu *own;       /* with a copy of the octets right behind it; NULL while borrowed */
} Pdu;

PyTypeObject py_Pdu_type;

/* ---- life ---- */

PyObject *py_pdu_borrow(const struct pdu *pdu)
{
    Pdu *self = PyObject_New(Pdu, &py_Pdu_type);
    if (self) {
        self->pdu = pdu;
        self->own = NULL;
    }
    return (PyObject *)self;
}

void py_pdu_release(PyObject *object, bool suspended)
{
    Pdu *self = (Pdu *)object;
    if (suspended || Py_REFCNT(object) > 1) {
        const struct pdu *from = self->pdu;
        self->own = xmalloc(sizeof(*self->own) + from->command_length);
        *self->own = *from;
        self->own->raw = (uint8_t *)(self->own + 1);
        memcpy(self->own + 1, from->raw, from->command_length);
        self->pdu = self->own;
    }
    Py_DECREF(object);
}

static void pdu_dealloc(Pdu *self)
{
    free(self->own);
    PyObject_Free(self);
}

/* ---- fields ---- */

PyObject *py_text(const uint8_t *p, size_t n)
{
    return PyUnicode_DecodeLatin1((const char *)p, (Py_ssize_t)n, NULL);
}

#define FIELD_OF(closure) ((enum pdu_field)(intptr_t)(closure))

static PyObject *get_text(Pdu *self, void *field)
{
    size_t n;
    const uint8_t *p = pdu_str(self->pdu, FIELD_OF(field), &n);
    return py_text(p, n);
}

static PyObject *get_int(Pdu *self, void *field)
{
    return PyLong_FromLong(pdu_int(self->pdu, FIELD_OF(field)));
}

static PyObject *get_short_message(Pdu *self, void *unused)
{
    (void)unused;
    size_t n;
    const uint8_t *p = pdu_str(self->pdu, PDU_short_message, &n);
    return PyBytes_FromStringAndSize((const char *)p, (Py_ssize_t)n);
}

static PyObject *get_sm_length(Pdu *self, void *unused)
{
    (void)unused;
    size_t n;
    pdu_str(self->pdu, PDU_short_message, &n);
    return PyLong_FromSize_t(n);
}

static PyObject *get_body(Pdu *self, void *unused)
{
    (void)unused;
    size_t n;
    const uint8_t *p = pdu_body(self->pdu, &n);
    return PyBytes_FromStringAndSize((const char *)p, (Py_ssize_t)n);
}

static PyObject *get_command(Pdu *self, void *unused)
{
    (void)unused;
    int slot = py_command_slot(self->pdu->command_id);
    return PyUnicode_FromString(slot >= 0 ? py_command_slot_name(slot) : smpp_command_name(self->pdu->command_id));
}

static PyObject *get_sequence_number(Pdu *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(self->pdu->sequence_number);
}

static PyObject *get_destinations(Pdu *self, void *unused)
{
    (void)unused;
    PyObject *list = PyList_New(0);
    struct pdu_dest dest;
    for (uint32_t pos = 0; list && pdu_dest_next(self->pdu, &pos, &dest);) {
        PyObject *one = py_destination_new(&dest);
        if (!one || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

/* ---- optional parameters ---- */

static PyObject *tlv_pair(const struct pdu_tlv *tlv)
{
    return Py_BuildValue("(iy#)", tlv->tag, tlv->value, (Py_ssize_t)tlv->len);
}

PyObject *py_tlv_list(const struct pdu *pdu)
{
    PyObject *list = PyList_New(0);
    struct pdu_tlv tlv;
    for (uint32_t pos = pdu->tlv_off; list && pdu_tlv_next(pdu, &pos, &tlv);) {
        PyObject *pair = tlv_pair(&tlv);
        if (!pair || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    return list;
}

PyObject *py_tlv_dict(const struct pdu *pdu)
{
    PyObject *dict = PyDict_New();
    struct pdu_tlv tlv;
    for (uint32_t pos = pdu->tlv_off; dict && pdu_tlv_next(pdu, &pos, &tlv);) {
        PyObject *tag = PyLong_FromLong(tlv.tag);
        PyObject *value = PyBytes_FromStringAndSize((const char *)tlv.value, tlv.len);
        if (!tag || !value || !PyDict_SetDefault(dict, tag, value))
            Py_CLEAR(dict);
        Py_XDECREF(tag);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *get_tlvs(Pdu *self, void *unused)
{
    (void)unused;
    return py_tlv_dict(self->pdu);
}

static PyObject *get_tlv_list(Pdu *self, void *unused)
{
    (void)unused;
    return py_tlv_list(self->pdu);
}

static PyObject *pdu_tlv_method(Pdu *self, PyObject *key)
{
    uint16_t tag;
    struct pdu_tlv tlv;
    if (py_tlv_tag(key, &tag) < 0)
        return NULL;
    if (!pdu_tlv_find(self->pdu, tag, &tlv))
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)tlv.value, tlv.len);
}

#define TAG_OF(closure) ((uint16_t)(intptr_t)(closure))

static PyObject *get_tlv_int(Pdu *self, void *tag)
{
    uint32_t value;
    if (!pdu_tlv_int(self->pdu, TAG_OF(tag), &value))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(value);
}

static PyObject *get_tlv_bytes(Pdu *self, void *tag)
{
    struct pdu_tlv tlv;
    if (!pdu_tlv_find(self->pdu, TAG_OF(tag), &tlv))
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)tlv.value, tlv.len);
}

/* A C-octet string parameter without its NUL; peers that leave the NUL away are understood. */
static PyObject *get_tlv_text(Pdu *self, void *tag)
{
    struct pdu_tlv tlv;
    if (!pdu_tlv_find(self->pdu, TAG_OF(tag), &tlv))
        Py_RETURN_NONE;
    return py_text(tlv.value, strnlen((const char *)tlv.value, tlv.len));
}

static PyObject *get_network_error_code(Pdu *self, void *unused)
{
    (void)unused;
    struct pdu_tlv tlv;
    if (!pdu_tlv_find(self->pdu, SMPP_TLV_network_error_code, &tlv) || tlv.len != 3)
        Py_RETURN_NONE;
    return Py_BuildValue("(ii)", tlv.value[0], tlv.value[1] << 8 | tlv.value[2]);
}

/* ---- receipts ---- */

static PyObject *get_is_dlr(Pdu *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(pdu_is_receipt(self->pdu));
}

static PyObject *get_is_intermediate(Pdu *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(pdu_is_intermediate(self->pdu));
}

static PyObject *get_is_tpdu(Pdu *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(pdu_int(self->pdu, PDU_esm_class) & SMPP_ESM_UDHI);
}

static int dict_put(PyObject *dict, const char *key, PyObject *value)
{
    int r = value ? PyDict_SetItemString(dict, key, value) : -1;
    Py_XDECREF(value);
    return r;
}

/* What the optional parameters say, where the text does not. */
static int receipt_from_tlvs(Pdu *self, PyObject *dict)
{
    struct pdu_tlv tlv;
    uint32_t state;
    if (!PyDict_GetItemString(dict, "id") && pdu_tlv_find(self->pdu, SMPP_TLV_receipted_message_id, &tlv) &&
        dict_put(dict, "id", py_text(tlv.value, strnlen((const char *)tlv.value, tlv.len))) < 0)
        return -1;
    if (!pdu_tlv_int(self->pdu, SMPP_TLV_message_state, &state))
        return 0;
    if (dict_put(dict, "message_state", PyLong_FromUnsignedLong(state)) < 0)
        return -1;
    const char *stat = smpp_state_stat(state);
    if (stat && !PyDict_GetItemString(dict, "stat"))
        return dict_put(dict, "stat", PyUnicode_FromString(stat));
    return 0;
}

static int receipt_from_text(PyObject *dict, const uint8_t *text, size_t len)
{
    struct receipt receipt;
    receipt_parse(&receipt, text, len);
    for (int key = 0; key < RECEIPT_KEY_COUNT; key++)
        if (receipt.v[key].p && dict_put(dict, receipt_key_name(key), py_text(receipt.v[key].p, receipt.v[key].n)) < 0)
            return -1;
    const char *stat = receipt.v[RECEIPT_stat].p ? (const char *)receipt.v[RECEIPT_stat].p : NULL;
    unsigned state = stat ? smpp_state_by_stat(stat, receipt.v[RECEIPT_stat].n) : 0;
    return state ? dict_put(dict, "message_state", PyLong_FromUnsignedLong(state)) : 0;
}

static PyObject *get_receipt(Pdu *self, void *unused)
{
    (void)unused;
    if (!pdu_is_receipt(self->pdu))
        Py_RETURN_NONE;
    size_t len;
    const uint8_t *text = pdu_body(self->pdu, &len);
    PyObject *dict = PyDict_New();
    if (!dict)
        return NULL;
    if (receipt_from_text(dict, text, len) < 0 || receipt_from_tlvs(self, dict) < 0) {
        Py_DECREF(dict);
        return NULL;
    }
    if (PyDict_GET_SIZE(dict) == 0) { /* neither in the text nor in the parameters */
        Py_DECREF(dict);
        Py_RETURN_NONE;
    }
    if (dict_put(dict, "raw", PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)len, "replace")) < 0)
        Py_CLEAR(dict);
    return dict;
}

/* ---- replies ---- */

static PyObject *pdu_reply(Pdu *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    return py_reply(self->pdu, args, n, names);
}

static PyObject *pdu_reply_query(Pdu *self, PyObject *args, PyObject *kwargs)
{
    return py_reply_query(self->pdu, args, kwargs);
}

static PyObject *pdu_repr(Pdu *self)
{
    size_t from_len, to_len, len;
    const uint8_t *from = pdu_str(self->pdu, PDU_source_addr, &from_len);
    const uint8_t *to = pdu_str(self->pdu, PDU_destination_addr, &to_len);
    pdu_body(self->pdu, &len);
    PyObject *source = py_text(from, from_len), *destination = py_text(to, to_len), *text = NULL;
    if (source && destination)
        text = PyUnicode_FromFormat("Pdu(command=%s, sequence_number=%u, source_addr=%R, destination_addr=%R, "
                                    "esm_class=0x%x, data_coding=0x%x, %zu octets)",
                                    smpp_command_name(self->pdu->command_id), self->pdu->sequence_number, source,
                                    destination, pdu_int(self->pdu, PDU_esm_class), pdu_int(self->pdu, PDU_data_coding),
                                    len);
    Py_XDECREF(source);
    Py_XDECREF(destination);
    return text;
}

/* ---- tables ---- */

#define TEXT(name, doc)                                                                                                \
    {                                                                                                                  \
#name, (getter)get_text, NULL, doc, (void *)(intptr_t)PDU_##name                                               \
    }
#define INT(name, doc)                                                                                                 \
    {                                                                                                                  \
#name, (getter)get_int, NULL, doc, (void *)(intptr_t)PDU_##name                                                \
    }
#define TLV_INT(name, doc)                                                                                             \
    {                                                                                                                  \
#name, (getter)get_tlv_int, NULL, doc, (void *)(intptr_t)SMPP_TLV_##name                                       \
    }

static PyGetSetDef pdu_getset[] = {
    {"command", (getter)get_command, NULL, "str: \"submit_sm\", \"deliver_sm\", ...", NULL},
    {"sequence_number", (getter)get_sequence_number, NULL, "int: SMPP 3.4 section 3.2.", NULL},
    TEXT(service_type, "str: section 5.2.11."),
    INT(source_addr_ton, "int: type of number, section 5.2.5."),
    INT(source_addr_npi, "int: numbering plan, section 5.2.6."),
    TEXT(source_addr, "str: section 5.2.8."),
    INT(dest_addr_ton, "int: type of number, section 5.2.5."),
    INT(dest_addr_npi, "int: numbering plan, section 5.2.6."),
    TEXT(destination_addr, "str: section 5.2.9."),
    INT(esm_class, "int: message mode, type and features, section 5.2.12."),
    INT(protocol_id, "int: section 5.2.13."),
    INT(priority_flag, "int: 0-3, section 5.2.14."),
    TEXT(schedule_delivery_time, "str: SMPP time format, section 5.2.15."),
    TEXT(validity_period, "str: SMPP time format, section 5.2.16."),
    INT(registered_delivery, "int: whether the sender wants a receipt, section 5.2.17."),
    INT(replace_if_present_flag, "int: section 5.2.18."),
    INT(data_coding, "int: section 5.2.19."),
    INT(sm_default_msg_id, "int: section 5.2.20."),
    {"sm_length", (getter)get_sm_length, NULL, "int: octets of short_message, section 5.2.21.", NULL},
    {"short_message", (getter)get_short_message, NULL, "bytes: as they came, section 5.2.22.", NULL},
    TEXT(message_id, "str: section 5.2.23; of responses and of cancel_sm, query_sm, replace_sm."),
    {"body", (getter)get_body, NULL, "bytes: message_payload when the peer used it, else short_message.", NULL},
    {"destinations", (getter)get_destinations, NULL, "list: of submit_sm_multi, section 4.5.1.1.", NULL},
    {"tlvs", (getter)get_tlvs, NULL, "dict[int, bytes]: optional parameters, the first of a repeated tag.", NULL},
    {"tlv_list", (getter)get_tlv_list, NULL, "list[tuple[int, bytes]]: every optional parameter in wire order.", NULL},
    {"message_payload", (getter)get_tlv_bytes, NULL, "bytes | None: section 5.3.2.32.",
     (void *)(intptr_t)SMPP_TLV_message_payload},
    {"receipted_message_id", (getter)get_tlv_text, NULL, "str | None: section 5.3.2.12.",
     (void *)(intptr_t)SMPP_TLV_receipted_message_id},
    TLV_INT(message_state, "int | None: section 5.3.2.35."),
    TLV_INT(user_message_reference, "int | None: section 5.3.2.17."),
    TLV_INT(sar_msg_ref_num, "int | None: section 5.3.2.22."),
    TLV_INT(sar_total_segments, "int | None: section 5.3.2.23."),
    TLV_INT(sar_segment_seqnum, "int | None: section 5.3.2.24."),
    TLV_INT(more_messages_to_send, "int | None: section 5.3.2.34."),
    {"network_error_code", (getter)get_network_error_code, NULL,
     "tuple[int, int] | None: network type and code, section 5.3.2.31.", NULL},
    {"is_dlr", (getter)get_is_dlr, NULL, "bool: a delivery receipt (or an intermediate notification).", NULL},
    {"is_intermediate", (getter)get_is_intermediate, NULL, "bool: a receipt after which another one comes.", NULL},
    {"is_tpdu", (getter)get_is_tpdu, NULL, "bool: the UDHI bit of esm_class.", NULL},
    {"receipt", (getter)get_receipt, NULL, "dict | None: the parsed receipt, Appendix B.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef pdu_methods[] = {
    {"reply", (PyCFunction)(void (*)(void))pdu_reply, METH_FASTCALL | METH_KEYWORDS,
     "reply(*, command_status=\"ESME_ROK\", message_id=None, tlvs=None, unsuccessful=None) -> PduReply\n\n"
     "The answer to return from the handler. command_status: a name of SMPP 3.4 section 5.1.3, or an int in the vendor "
     "range 0x400-0x4FF. tlvs: data_sm only. unsuccessful: submit_sm_multi only, [(address, status)]. ValueError for "
     "an "
     "unknown status and for what the command's response does not have."},
    {"reply_query", (PyCFunction)(void (*)(void))pdu_reply_query, METH_VARARGS | METH_KEYWORDS,
     "reply_query(*, message_state, message_id=None, final_date=\"\", error_code=0) -> PduReply\n\n"
     "The answer to a query_sm (section 4.8.2). message_state: 1-8 (section 5.2.28); message_id: that of the query "
     "when "
     "None; final_date: SMPP time format, \"\" when the state is not final; error_code: 0-255."},
    {"tlv", (PyCFunction)pdu_tlv_method, METH_O, "tlv(name_or_tag) -> bytes | None: the first optional parameter."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject py_Pdu_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "siphon.smpp.Pdu",
    .tp_doc = "An SMPP message as it came from a peer (SMPP 3.4 section 4). Made by smscd, not by scripts.",
    .tp_basicsize = sizeof(Pdu),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)pdu_dealloc,
    .tp_repr = (reprfunc)pdu_repr,
    .tp_methods = pdu_methods,
    .tp_getset = pdu_getset,
};

int py_pdu_add(PyObject *module)
{
    if (PyType_Ready(&py_Pdu_type) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "Pdu", (PyObject *)&py_Pdu_type);
}
