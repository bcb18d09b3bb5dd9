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

/* The names a receipt's dict can have beside those of its text. */
enum { KEY_message_state = RECEIPT_KEY_COUNT, KEY_raw, KEY_COUNT };
static PyObject *keys[KEY_COUNT];

static int keys_init(void)
{
    for (int key = 0; key < RECEIPT_KEY_COUNT; key++)
        keys[key] = PyUnicode_InternFromString(receipt_key_name(key));
    keys[KEY_message_state] = PyUnicode_InternFromString("message_state");
    keys[KEY_raw] = PyUnicode_InternFromString("raw");
    return PyErr_Occurred() ? -1 : 0;
}

static int dict_put(PyObject *dict, int key, PyObject *value)
{
    int r = value ? PyDict_SetItem(dict, keys[key], value) : -1;
    Py_XDECREF(value);
    return r;
}

/* What the optional parameters say, where the text does not. */
static int receipt_from_tlvs(Pdu *self, PyObject *dict)
{
    struct pdu_tlv tlv;
    uint32_t state;
    if (!PyDict_GetItemWithError(dict, keys[RECEIPT_id]) &&
        pdu_tlv_find(self->pdu, SMPP_TLV_receipted_message_id, &tlv) &&
        dict_put(dict, RECEIPT_id, py_text(tlv.value, strnlen((const char *)tlv.value, tlv.len))) < 0)
        return -1;
    if (!pdu_tlv_int(self->pdu, SMPP_TLV_message_state, &state))
        return 0;
    if (dict_put(dict, KEY_message_state, PyLong_FromUnsignedLong(state)) < 0)
        return -1;
    const char *stat = smpp_state_stat(state);
    if (stat && !PyDict_GetItemWithError(dict, keys[RECEIPT_stat]))
        return dict_put(dict, RECEIPT_stat, PyUnicode_FromString(stat));
    return 0;
}

static int receipt_from_text(PyObject *dict, const uint8_t *text, size_t len)
{
    struct receipt receipt;
    receipt_parse(&receipt, text, len);
    for (int key = 0; key < RECEIPT_KEY_COUNT; key++)
        if (receipt.v[key].p && dict_put(dict, key, py_text(receipt.v[key].p, receipt.v[key].n)) < 0)
            return -1;
    const char *stat = receipt.v[RECEIPT_stat].p ? (const char *)receipt.v[RECEIPT_stat].p : NULL;
    unsigned state = stat ? smpp_state_by_stat(stat, receipt.v[RECEIPT_stat].n) : 0;
    return state ? dict_put(dict, KEY_message_state, PyLong_FromUnsignedLong(state)) : 0;
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
    if (dict_put(dict, KEY_raw, PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)len, "replace")) < 0)
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
    {"command", (getter)get_command, NULL,
     "str: Which request it is, as @smpp.on_pdu names it: \"submit_sm\", \"submit_sm_multi\", \"deliver_sm\" (section "
     "5.1.2.1).",
     NULL},
    {"sequence_number", (getter)get_sequence_number, NULL,
     "int: The number that joins the request with its response, 1 to 0x7FFFFFFF (section 5.1.4).", NULL},
    TEXT(service_type, "str: The service the message belongs to, \"\" for the default (section 5.2.11)."),
    INT(source_addr_ton,
        "int: Type of number of source_addr: 1 international, 2 national, 5 alphanumeric (section 5.2.5)."),
    INT(source_addr_npi, "int: Numbering plan of source_addr: 1 is E.164 (section 5.2.6)."),
    TEXT(source_addr, "str: Address of the sender (section 5.2.8)."),
    INT(dest_addr_ton, "int: Type of number of destination_addr (section 5.2.5)."),
    INT(dest_addr_npi, "int: Numbering plan of destination_addr (section 5.2.6)."),
    TEXT(destination_addr, "str: Address of the recipient (section 5.2.9)."),
    INT(esm_class,
        "int: Bits for the message's mode, type (0x04: delivery receipt) and features (0x40: UDHI) (section 5.2.12)."),
    INT(protocol_id, "int: The network's own; in GSM TP-PID (section 5.2.13)."),
    INT(priority_flag, "int: 0 lowest to 3 highest (section 5.2.14)."),
    TEXT(schedule_delivery_time,
         "str: When to deliver, in SMPP's time format (section 7.1.1); \"\" for at once (section 5.2.15)."),
    TEXT(
        validity_period,
        "str: Until when to try, in SMPP's time format (section 7.1.1); \"\" for the SMSC's default (section 5.2.16)."),
    INT(registered_delivery, "int: Which receipts the sender asks for: bits 0-1 are 1 for any outcome, 2 for failures "
                             "only; bit 4 (0x10) asks for intermediate ones (section 5.2.17)."),
    INT(replace_if_present_flag,
        "int: 1: replace a waiting message with the same addresses and service_type (section 5.2.18)."),
    INT(data_coding,
        "int: How the text is encoded: 0 the SMSC's default alphabet, 1 ASCII, 3 latin-1, 8 UCS-2 (section 5.2.19)."),
    INT(sm_default_msg_id, "int: The number of a message that the SMSC holds (section 5.2.20)."),
    {"sm_length", (getter)get_sm_length, NULL, "int: Octets of short_message, 0 to 254 (section 5.2.21).", NULL},
    {"short_message", (getter)get_short_message, NULL,
     "bytes: The text as it came, with its user data header if there is one; not decoded (section 5.2.22).", NULL},
    TEXT(message_id, "str: The message that cancel_sm, query_sm or replace_sm is about (section 5.2.23)."),
    {"body", (getter)get_body, NULL, "bytes: message_payload when the peer used it, else short_message.", NULL},
    {"destinations", (getter)get_destinations, NULL,
     "list[Destination]: The addresses and distribution lists of a submit_sm_multi (section 4.5.1.1); [] for every "
     "other command.",
     NULL},
    {"tlvs", (getter)get_tlvs, NULL,
     "dict[int, bytes]: The optional parameters by tag, in wire order, the first of a repeated one (section 5.3).",
     NULL},
    {"tlv_list", (getter)get_tlv_list, NULL,
     "list[tuple[int, bytes]]: Every optional parameter as (tag, value) in wire order, with repeats: for relays to "
     "pass on (section 5.3).",
     NULL},
    {"message_payload", (getter)get_tlv_bytes, NULL,
     "bytes | None: The optional parameter that a long text comes in (section 5.3.2.32).",
     (void *)(intptr_t)SMPP_TLV_message_payload},
    {"receipted_message_id", (getter)get_tlv_text, NULL,
     "str | None: The SMSC's id of the message that a receipt is about (section 5.3.2.12).",
     (void *)(intptr_t)SMPP_TLV_receipted_message_id},
    TLV_INT(message_state, "int | None: The state that a receipt reports, 1-8 (section 5.2.28, 5.3.2.35)."),
    TLV_INT(user_message_reference, "int | None: The ESME's own number of the message (section 5.3.2.17)."),
    TLV_INT(sar_msg_ref_num, "int | None: Joins the parts of a long message (section 5.3.2.22)."),
    TLV_INT(sar_total_segments, "int | None: How many parts the long message has (section 5.3.2.23)."),
    TLV_INT(sar_segment_seqnum, "int | None: Which part this is, from 1 (section 5.3.2.24)."),
    TLV_INT(more_messages_to_send, "int | None: 1 when more messages to the same recipient follow (section 5.3.2.34)."),
    {"network_error_code", (getter)get_network_error_code, NULL,
     "tuple[int, int] | None: Network type (3: GSM) and error code of a failed delivery (section 5.3.2.31).", NULL},
    {"is_dlr", (getter)get_is_dlr, NULL,
     "bool: Whether a deliver_sm or data_sm is a delivery receipt or an intermediate notification: by esm_class, or, "
     "where that says nothing, by receipted_message_id and message_state both being there (section 5.2.12).",
     NULL},
    {"is_intermediate", (getter)get_is_intermediate, NULL,
     "bool: Whether it is a receipt after which another comes: by esm_class (0x20) or by a state that is not final.",
     NULL},
    {"is_tpdu", (getter)get_is_tpdu, NULL,
     "bool: Whether the text begins with a user data header: the UDHI bit (0x40) of esm_class (section 5.2.12).", NULL},
    {"receipt", (getter)get_receipt, NULL,
     "ReceiptFields | None: The parsed receipt (Appendix B), from the text and, where that lacks them, the optional "
     "parameters; None when is_dlr is false or neither says anything. A new dict each time.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef pdu_methods[] = {
    {"reply", (PyCFunction)(void (*)(void))pdu_reply, METH_FASTCALL | METH_KEYWORDS,
     "reply($self, /, *, command_status='ESME_ROK', message_id=None, tlvs=None, unsuccessful=None)\n--\n\nMakes the "
     "answer, for the handler to return.\n\ncommand_status: a name of section 5.1.3, or one in the vendor range "
     "0x400-0x4FF, as an int or as a response's command_status (\"0x000004FF\"). message_id: up to 64 characters "
     "(section 5.2.23); without one, smscd gives an accepted submit_sm one that is unique. tlvs: optional parameters, "
     "for data_sm only. unsuccessful: (address, status) of each destination that is refused, each status written "
     "alike, for submit_sm_multi only (section 4.5.2.1).\n\nRaises ValueError for an unknown status, for what the "
     "command's response does not have and for a value that cannot be sent, TypeError for a wrong type."},
    {"reply_query", (PyCFunction)(void (*)(void))pdu_reply_query, METH_VARARGS | METH_KEYWORDS,
     "reply_query($self, /, *, message_state, message_id=None, final_date='', error_code=0)\n--\n\nMakes the answer to "
     "a query_sm (section 4.8.2), for the handler to return.\n\nmessage_state: 1-8 (section 5.2.28). message_id: that "
     "of the query unless given. final_date: when it reached its final state, in SMPP's time format (section 7.1.1), "
     "16 characters, or \"\" when it has not. error_code: the network's, 0-255.\n\nRaises ValueError for another "
     "command and for a value out of its range, TypeError for a wrong type."},
    {"tlv", (PyCFunction)pdu_tlv_method, METH_O,
     "tlv($self, name_or_tag, /)\n--\n\nThe value of an optional parameter, the first of a repeated one; None when it "
     "is not there (section 5.3).\n\nname_or_tag: the standard's name in either case (\"MESSAGE_PAYLOAD\"), or the "
     "tag's number. Raises ValueError for an unknown name."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject py_Pdu_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "siphon.smpp.Pdu",
    .tp_doc = "A request as it came from a peer (SMPP 3.4 section 4). Made by smscd, not by scripts.\n\nA field that "
              "the command does not have reads as \"\", b\"\", 0, or None where the type says so. Texts are the octets "
              "of the wire as latin-1. A Pdu may be kept after its handler has ended.",
    .tp_basicsize = sizeof(Pdu),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)pdu_dealloc,
    .tp_repr = (reprfunc)pdu_repr,
    .tp_methods = pdu_methods,
    .tp_getset = pdu_getset,
};

int py_pdu_add(PyObject *module)
{
    if (PyType_Ready(&py_Pdu_type) < 0 || keys_init() < 0)
        return -1;
    return PyModule_AddObjectRef(module, "Pdu", (PyObject *)&py_Pdu_type);
}
