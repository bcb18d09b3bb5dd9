/* PduReply: what a handler answers to a PDU. */
#include "py_int.h"

#include <limits.h>

typedef struct {
    PyObject_HEAD
    uint32_t status, command_id;
    PyObject *message_id; /* str, or NULL for none */
    PyObject *final_date; /* query_sm: str */
    PyObject *tlvs;       /* data_sm: bytes, encoded; or NULL */
    PyObject *unsuccess;  /* submit_multi: bytes, encoded; or NULL */
    uint8_t unsuccess_count, message_state, error_code;
} Reply;

static PyTypeObject Reply_type;

static Reply *reply_new(const struct pdu *pdu, uint32_t status, PyObject *message_id)
{
    const uint8_t *octets;
    size_t len;
    if (message_id == Py_None)
        message_id = NULL;
    if (message_id && py_text_octets("message_id", message_id, &octets, &len) < 0)
        return NULL;
    if (message_id && len > 64) {
        PyErr_Format(PyExc_ValueError, "message_id has %zu octets, 64 at the most", len);
        return NULL;
    }
    Reply *self = PyObject_New(Reply, &Reply_type);
    if (!self)
        return NULL;
    self->status = status;
    self->command_id = pdu->command_id;
    self->message_id = Py_XNewRef(message_id);
    self->final_date = self->tlvs = self->unsuccess = NULL;
    self->unsuccess_count = self->message_state = self->error_code = 0;
    return self;
}

static void reply_dealloc(Reply *self)
{
    Py_XDECREF(self->message_id);
    Py_XDECREF(self->final_date);
    Py_XDECREF(self->tlvs);
    Py_XDECREF(self->unsuccess);
    PyObject_Free(self);
}

/* ---- reply ---- */

struct reply_args {
    PyObject *message_id, *tlvs, *unsuccessful;
    uint32_t status;
};

static int read_argument(struct reply_args *a, PyObject *name, PyObject *value)
{
    if (PyUnicode_CompareWithASCIIString(name, "message_id") == 0)
        a->message_id = value;
    else if (PyUnicode_CompareWithASCIIString(name, "command_status") == 0)
        return value == Py_None ? 0 : py_status_from(value, &a->status);
    else if (PyUnicode_CompareWithASCIIString(name, "tlvs") == 0)
        a->tlvs = value == Py_None ? NULL : value;
    else if (PyUnicode_CompareWithASCIIString(name, "unsuccessful") == 0)
        a->unsuccessful = value == Py_None ? NULL : value;
    else {
        PyErr_Format(PyExc_TypeError, "reply() has no argument %R", name);
        return -1;
    }
    return 0;
}

static int set_tlvs(Reply *self, PyObject *tlvs)
{
    const uint8_t *octets;
    size_t len;
    if (self->command_id != SMPP_data_sm) {
        PyErr_Format(PyExc_ValueError, "reply(tlvs=...) is for data_sm only, not for %s",
                     smpp_command_name(self->command_id));
        return -1;
    }
    if (py_tlvs_encode(tlvs, &octets, &len) < 0)
        return -1;
    self->tlvs = PyBytes_FromStringAndSize((const char *)octets, (Py_ssize_t)len);
    return self->tlvs ? 0 : -1;
}

/* One (address, status); a Destination brings its TON and NPI along. Section 4.5.2.1. */
static int put_unsuccess(struct wire *w, PyObject *pair)
{
    const uint8_t *address;
    size_t len;
    uint32_t status;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_Format(PyExc_TypeError, "unsuccessful is a list of (address, status), not of %R", pair);
        return -1;
    }
    PyObject *to = PyTuple_GET_ITEM(pair, 0);
    if (py_text_octets("address", to, &address, &len) < 0 || py_status_from(PyTuple_GET_ITEM(pair, 1), &status) < 0)
        return -1;
    if (len > PDU_DEST_ADDR_MAX - 1) {
        PyErr_Format(PyExc_ValueError, "unsuccessful: address %R is too long", to);
        return -1;
    }
    wire_put_u8(w, (uint8_t)py_octet_attribute(to, "ton", 1));
    wire_put_u8(w, (uint8_t)py_octet_attribute(to, "npi", 1));
    wire_put_cstring(w, address, len);
    wire_put_u32(w, status);
    return 0;
}

static int set_unsuccessful(Reply *self, PyObject *pairs)
{
    uint8_t octets[255 * (2 + PDU_DEST_ADDR_MAX + 4)];
    struct wire w = wire_of(octets, sizeof(octets));
    if (self->command_id != SMPP_submit_multi) {
        PyErr_Format(PyExc_ValueError, "reply(unsuccessful=...) is for submit_sm_multi only, not for %s",
                     smpp_command_name(self->command_id));
        return -1;
    }
    PyObject *list = PySequence_Fast(pairs, "unsuccessful is a list of (address, status)");
    Py_ssize_t n = list ? PySequence_Fast_GET_SIZE(list) : -1;
    if (n > 255) {
        PyErr_Format(PyExc_ValueError, "unsuccessful: %zd entries, 255 at the most", n);
        n = -1;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        if (put_unsuccess(&w, PySequence_Fast_GET_ITEM(list, i)) < 0)
            n = -1;
    Py_XDECREF(list);
    if (n < 0)
        return -1;
    self->unsuccess_count = (uint8_t)n;
    self->unsuccess = PyBytes_FromStringAndSize((const char *)octets, (Py_ssize_t)wire_done(&w));
    return self->unsuccess ? 0 : -1;
}

PyObject *py_reply(const struct pdu *pdu, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    struct reply_args a = {.status = ESME_ROK};
    if (n > 0)
        return PyErr_Format(PyExc_TypeError, "reply() takes keyword arguments only");
    for (Py_ssize_t i = 0; i < (names ? PyTuple_GET_SIZE(names) : 0); i++)
        if (read_argument(&a, PyTuple_GET_ITEM(names, i), args[i]) < 0)
            return NULL;
    Reply *self = reply_new(pdu, a.status, a.message_id);
    if (self &&
        ((a.tlvs && set_tlvs(self, a.tlvs) < 0) || (a.unsuccessful && set_unsuccessful(self, a.unsuccessful) < 0)))
        Py_CLEAR(self);
    return (PyObject *)self;
}

/* ---- reply_query ---- */

PyObject *py_reply_query(const struct pdu *pdu, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"message_state", "message_id", "final_date", "error_code", NULL};
    PyObject *message_id = Py_None, *final_date = NULL;
    int message_state = INT_MIN, error_code = 0;
    const uint8_t *octets;
    size_t len = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$iOUi:reply_query", names, &message_state, &message_id,
                                     &final_date, &error_code))
        return NULL;
    if (message_state == INT_MIN)
        return PyErr_Format(PyExc_TypeError, "reply_query() needs message_state");
    if (pdu->command_id != SMPP_query_sm)
        return PyErr_Format(PyExc_ValueError, "reply_query() answers query_sm, not %s",
                            smpp_command_name(pdu->command_id));
    if (message_state < 0 || message_state > 255 || error_code < 0 || error_code > 255)
        return PyErr_Format(PyExc_ValueError, "message_state and error_code are 0-255, not %d and %d", message_state,
                            error_code);
    if (final_date && py_text_octets("final_date", final_date, &octets, &len) < 0)
        return NULL;
    if (len != 0 && len != 16)
        return PyErr_Format(PyExc_ValueError, "final_date is \"\" or an SMPP time of 16 characters, not %R",
                            final_date);
    const uint8_t *queried = pdu_str(pdu, PDU_message_id, &len);
    PyObject *id = message_id == Py_None ? py_text(queried, len) : Py_NewRef(message_id);
    Reply *self = id ? reply_new(pdu, ESME_ROK, id) : NULL;
    Py_XDECREF(id);
    if (!self)
        return NULL;
    self->message_state = (uint8_t)message_state;
    self->error_code = (uint8_t)error_code;
    self->final_date = Py_XNewRef(final_date);
    return (PyObject *)self;
}

/* ---- into a response ---- */

static void put_text(struct pdu_out *out, enum pdu_field field, PyObject *text)
{
    if (text) {
        out->v[field].p = PyUnicode_1BYTE_DATA(text);
        out->v[field].n = (uint32_t)PyUnicode_GET_LENGTH(text);
    }
}

/* The responses that have more than a message_id; NULL for the others. */
static struct pdu_out *response_body(const Reply *r)
{
    static struct pdu_out out;
    out = (struct pdu_out){.command_status = r->status};
    put_text(&out, PDU_message_id, r->message_id);
    if (r->command_id == SMPP_query_sm) {
        put_text(&out, PDU_final_date, r->final_date);
        out.v[PDU_message_state].n = r->message_state ? r->message_state : SMPP_STATE_UNKNOWN;
        out.v[PDU_error_code].n = r->error_code;
        return &out;
    }
    if (r->unsuccess) {
        out.v[PDU_unsuccess_sme].p = (const uint8_t *)PyBytes_AS_STRING(r->unsuccess);
        out.v[PDU_unsuccess_sme].n = (uint32_t)PyBytes_GET_SIZE(r->unsuccess);
        out.v[PDU_unsuccess_sme].count = r->unsuccess_count;
    }
    if (r->tlvs) {
        out.tlvs = (const uint8_t *)PyBytes_AS_STRING(r->tlvs);
        out.tlvs_len = (uint32_t)PyBytes_GET_SIZE(r->tlvs);
    }
    return r->tlvs || r->unsuccess || r->command_id == SMPP_submit_multi ? &out : NULL;
}

int py_reply_read(PyObject *result, uint32_t command_id, struct py_answer *answer)
{
    static struct pdu_out unknown_state = {.v[PDU_message_state] = {.n = SMPP_STATE_UNKNOWN}};
    static struct pdu_out all_accepted;
    *answer = (struct py_answer){.status = ESME_ROK};
    if (result == Py_None) {
        answer->body = command_id == SMPP_query_sm       ? &unknown_state
                       : command_id == SMPP_submit_multi ? &all_accepted
                                                         : NULL;
        return 0;
    }
    if (!Py_IS_TYPE(result, &Reply_type)) {
        PyErr_Format(PyExc_TypeError, "the handler returned %s where pdu.reply(...) or None is expected",
                     Py_TYPE(result)->tp_name);
        return -1;
    }
    Reply *r = (Reply *)result;
    if (r->command_id != command_id) {
        PyErr_Format(PyExc_TypeError, "the handler of %s returned the reply to a %s", smpp_command_name(command_id),
                     smpp_command_name(r->command_id));
        return -1;
    }
    answer->status = r->status;
    if (r->message_id) {
        answer->message_id = (const char *)PyUnicode_1BYTE_DATA(r->message_id);
        answer->message_id_len = (size_t)PyUnicode_GET_LENGTH(r->message_id);
    }
    if (command_id != SMPP_submit_sm && command_id != SMPP_deliver_sm)
        answer->body = response_body(r);
    return 0;
}

/* ---- attributes ---- */

static PyObject *reply_get_status(Reply *self, void *unused)
{
    (void)unused;
    return py_status_text(self->status);
}

static PyObject *reply_get_message_id(Reply *self, void *unused)
{
    (void)unused;
    return Py_NewRef(self->message_id ? self->message_id : Py_None);
}

static PyObject *reply_get_ok(Reply *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(self->status == ESME_ROK);
}

static PyObject *reply_get_message_state(Reply *self, void *unused)
{
    (void)unused;
    return self->message_state ? PyLong_FromLong(self->message_state) : Py_NewRef(Py_None);
}

static PyObject *reply_get_final_date(Reply *self, void *unused)
{
    (void)unused;
    return self->final_date ? Py_NewRef(self->final_date) : PyUnicode_FromString("");
}

static PyObject *reply_get_error_code(Reply *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(self->error_code);
}

static PyObject *reply_repr(Reply *self)
{
    PyObject *status = py_status_text(self->status);
    if (!status)
        return NULL;
    PyObject *text = PyUnicode_FromFormat("PduReply(command_status=%R, message_id=%R)", status,
                                          self->message_id ? self->message_id : Py_None);
    Py_DECREF(status);
    return text;
}

static PyGetSetDef reply_getset[] = {
    {"command_status", (getter)reply_get_status, NULL,
     "str: The name of the status, or its number as \"0x00000400\" (section 5.1.3).", NULL},
    {"message_id", (getter)reply_get_message_id, NULL, "str | None: The id given to the message (section 5.2.23).",
     NULL},
    {"ok", (getter)reply_get_ok, NULL, "bool: Whether command_status is ESME_ROK.", NULL},
    {"message_state", (getter)reply_get_message_state, NULL,
     "int | None: Of reply_query: the state, 1-8 (section 5.2.28).", NULL},
    {"final_date", (getter)reply_get_final_date, NULL,
     "str: Of reply_query: when that was reached, in SMPP's time format (section 7.1.1), or \"\".", NULL},
    {"error_code", (getter)reply_get_error_code, NULL, "int: Of reply_query: the network's error code, 0-255.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject Reply_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "siphon.smpp.PduReply",
    .tp_doc = "What a handler returns to answer a Pdu: made by pdu.reply(...) or pdu.reply_query(...).",
    .tp_basicsize = sizeof(Reply),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)reply_dealloc,
    .tp_repr = (reprfunc)reply_repr,
    .tp_getset = reply_getset,
};

int py_reply_add(PyObject *module)
{
    if (PyType_Ready(&Reply_type) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "PduReply", (PyObject *)&Reply_type);
}
