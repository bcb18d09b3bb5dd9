/* SmppResp and QueryResp: a peer's answer to something we sent. */
#include "py_int.h"

#include <structmember.h>

typedef struct {
    PyObject_HEAD
    uint32_t status;
    PyObject *message_id;
    PyObject *tlv_list, *unsuccessful; /* NULL: there are none, and nobody has asked */
} SmppResp;

typedef struct {
    PyObject_HEAD
    uint32_t status;
    PyObject *message_id, *final_date;
    int message_state, error_code;
} QueryResp;

static PyTypeObject SmppResp_type, QueryResp_type;

static PyObject *text_of(const struct pdu *pdu, enum pdu_field field)
{
    size_t n;
    const uint8_t *p = pdu_str(pdu, field, &n);
    return py_text(p, n);
}

/* [(address, status)] of submit_multi_resp. */
static PyObject *unsuccessful_of(const struct pdu *pdu)
{
    PyObject *list = PyList_New(0);
    struct pdu_unsuccess u;
    for (uint32_t pos = 0; list && pdu_unsuccess_next(pdu, &pos, &u);) {
        struct pdu_dest dest = {.dest_flag = PDU_DEST_SME, .ton = u.ton, .npi = u.npi, .addr = u.addr, .len = u.len};
        PyObject *pair = Py_BuildValue("(NN)", py_destination_new(&dest), py_status_text(u.error_status_code));
        if (!pair || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    return list;
}

static PyObject *query_resp_new(const struct pdu *pdu)
{
    QueryResp *self = PyObject_New(QueryResp, &QueryResp_type);
    if (!self)
        return NULL;
    self->status = pdu->command_status;
    self->message_id = text_of(pdu, PDU_message_id);
    self->final_date = text_of(pdu, PDU_final_date);
    self->message_state = pdu_int(pdu, PDU_message_state);
    self->error_code = pdu_int(pdu, PDU_error_code);
    if (!self->message_id || !self->final_date)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static PyObject *smpp_resp_new(const struct pdu *pdu)
{
    SmppResp *self = PyObject_New(SmppResp, &SmppResp_type);
    if (!self)
        return NULL;
    self->status = pdu->command_status;
    self->message_id = text_of(pdu, PDU_message_id);
    self->tlv_list = pdu->tlv_off < pdu->command_length ? py_tlv_list(pdu) : NULL;
    self->unsuccessful = pdu_has(pdu, PDU_unsuccess_sme) ? unsuccessful_of(pdu) : NULL;
    if (!self->message_id || PyErr_Occurred())
        Py_CLEAR(self);
    return (PyObject *)self;
}

PyObject *py_resp_new(uint32_t request_id, const uint8_t *raw, size_t len)
{
    struct pdu pdu;
    if (pdu_decode(&pdu, raw, len) != ESME_ROK) {
        pdu.present = 0; /* generic_nack and what does not decode: the status is all there is */
        pdu.tlv_off = pdu.command_length;
    }
    if (pdu.command_id == (uint32_t)SMPP_generic_nack && pdu.command_status == ESME_ROK)
        pdu.command_status = ESME_RUNKNOWNERR; /* whatever it says, nothing was accepted */
    return request_id == SMPP_query_sm ? query_resp_new(&pdu) : smpp_resp_new(&pdu);
}

PyObject *py_resp_accepted(PyObject *resp)
{
    SmppResp *self = (SmppResp *)resp;
    return Py_TYPE(resp) == &SmppResp_type && self->status == ESME_ROK ? self->message_id : NULL;
}

static void smpp_resp_dealloc(SmppResp *self)
{
    Py_XDECREF(self->message_id);
    Py_XDECREF(self->tlv_list);
    Py_XDECREF(self->unsuccessful);
    PyObject_Free(self);
}

static void query_resp_dealloc(QueryResp *self)
{
    Py_XDECREF(self->message_id);
    Py_XDECREF(self->final_date);
    PyObject_Free(self);
}

/* Both begin alike. */
static PyObject *resp_ok(SmppResp *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(self->status == ESME_ROK);
}

static PyObject *resp_status(SmppResp *self, void *unused)
{
    (void)unused;
    return py_status_text(self->status);
}

static PyObject *list_at(PyObject **list)
{
    if (!*list)
        *list = PyList_New(0);
    return Py_XNewRef(*list);
}

static PyObject *smpp_resp_tlv_list(SmppResp *self, void *unused)
{
    (void)unused;
    return list_at(&self->tlv_list);
}

static PyObject *smpp_resp_unsuccessful(SmppResp *self, void *unused)
{
    (void)unused;
    return list_at(&self->unsuccessful);
}

static PyObject *smpp_resp_tlvs(SmppResp *self, void *unused)
{
    (void)unused;
    PyObject *dict = PyDict_New();
    for (Py_ssize_t i = 0; dict && self->tlv_list && i < PyList_GET_SIZE(self->tlv_list); i++) {
        PyObject *pair = PyList_GET_ITEM(self->tlv_list, i);
        if (!PyDict_SetDefault(dict, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1)))
            Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *smpp_resp_repr(SmppResp *self)
{
    PyObject *status = py_status_text(self->status);
    PyObject *text =
        status ? PyUnicode_FromFormat("SmppResp(command_status=%R, message_id=%R)", status, self->message_id) : NULL;
    Py_XDECREF(status);
    return text;
}

static PyObject *query_resp_repr(QueryResp *self)
{
    PyObject *status = py_status_text(self->status);
    PyObject *text =
        status ? PyUnicode_FromFormat("QueryResp(command_status=%R, message_id=%R, message_state=%d, "
                                      "final_date=%R, error_code=%d)",
                                      status, self->message_id, self->message_state, self->final_date, self->error_code)
               : NULL;
    Py_XDECREF(status);
    return text;
}

static PyMemberDef smpp_resp_members[] = {
    {"message_id", T_OBJECT, offsetof(SmppResp, message_id), READONLY,
     "str: The peer's id of the message, or \"\" (section 5.2.23)."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef smpp_resp_getset[] = {
    {"ok", (getter)resp_ok, NULL, "bool: Whether command_status is ESME_ROK.", NULL},
    {"command_status", (getter)resp_status, NULL,
     "str: The name of the status, or its number as \"0x00000400\" when it has none (section 5.1.3).", NULL},
    {"tlv_list", (getter)smpp_resp_tlv_list, NULL,
     "list[tuple[int, bytes]]: Every optional parameter as (tag, value) in wire order, with repeats (section 5.3).",
     NULL},
    {"unsuccessful", (getter)smpp_resp_unsuccessful, NULL,
     "list[tuple[Destination, str]]: Of submit_multi_via: the destinations that were refused, each with its status' "
     "name (section 4.5.2.1).",
     NULL},
    {"tlvs", (getter)smpp_resp_tlvs, NULL,
     "dict[int, bytes]: The optional parameters by tag, in wire order, the first of a repeated one (section 5.3).",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef query_resp_members[] = {
    {"message_id", T_OBJECT, offsetof(QueryResp, message_id), READONLY,
     "str: The message that was asked about (section 5.2.23)."},
    {"message_state", T_INT, offsetof(QueryResp, message_state), READONLY,
     "int: 1-8 (section 5.2.28); 0 with an error."},
    {"final_date", T_OBJECT, offsetof(QueryResp, final_date), READONLY,
     "str: When the message reached its final state, in SMPP's time format (section 7.1.1), or \"\"."},
    {"error_code", T_INT, offsetof(QueryResp, error_code), READONLY,
     "int: The network's error code, 0-255; 0 when there is none."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef query_resp_getset[] = {
    {"ok", (getter)resp_ok, NULL, "bool: Whether command_status is ESME_ROK.", NULL},
    {"command_status", (getter)resp_status, NULL,
     "str: The name of the status, or its number as \"0x00000400\" when it has none (section 5.1.3).", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject SmppResp_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "siphon.smpp.SmppResp",
    .tp_doc = "A peer's answer to something we sent. A negative one is a value, not an exception.",
    .tp_basicsize = sizeof(SmppResp),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)smpp_resp_dealloc,
    .tp_repr = (reprfunc)smpp_resp_repr,
    .tp_members = smpp_resp_members,
    .tp_getset = smpp_resp_getset,
};

static PyTypeObject QueryResp_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "siphon.smpp.QueryResp",
    .tp_doc =
        "An upstream's answer to query_via (SMPP 3.4 section 4.8.2). A negative one is a value, not an exception.",
    .tp_basicsize = sizeof(QueryResp),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)query_resp_dealloc,
    .tp_repr = (reprfunc)query_resp_repr,
    .tp_members = query_resp_members,
    .tp_getset = query_resp_getset,
};

int py_resp_add(PyObject *module)
{
    if (PyType_Ready(&SmppResp_type) < 0 || PyType_Ready(&QueryResp_type) < 0 ||
        PyModule_AddObjectRef(module, "SmppResp", (PyObject *)&SmppResp_type) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "QueryResp", (PyObject *)&QueryResp_type);
}
