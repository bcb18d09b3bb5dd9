/* PDUs for a test: made from their fields, and taken apart again, by the worker's own codec. */
#include "ext.h"

static uint32_t command_of(PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);
    uint32_t id = !text ? 0 : strcmp(text, "submit_sm_multi") == 0 ? SMPP_submit_multi : smpp_command_by_name(text);
    if (text && (id == 0 || !pdu_layout(id))) {
        PyErr_Format(PyExc_ValueError, "no command is called %R", name);
        return 0;
    }
    return id;
}

int ext_read(PyObject *raw, struct pdu *pdu)
{
    if (!PyBytes_Check(raw)) {
        PyErr_SetString(PyExc_TypeError, "a PDU is bytes");
        return -1;
    }
    uint32_t error = pdu_decode(pdu, (const uint8_t *)PyBytes_AS_STRING(raw), (size_t)PyBytes_GET_SIZE(raw));
    if (error == ESME_ROK)
        return 0;
    PyObject *name = py_status_text(error);
    PyErr_Format(PyExc_ValueError, "the gateway would answer this PDU with %S", name ? name : Py_None);
    Py_XDECREF(name);
    return -1;
}

/* encode(command, status, sequence_number, fields) -> bytes. A status but ESME_ROK: the header is all. */
PyObject *ext_encode(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *command, *status, *fields;
    unsigned sequence;
    uint32_t code = ESME_ROK;
    const uint8_t *raw;
    if (!PyArg_ParseTuple(args, "UOIO!", &command, &status, &sequence, &PyDict_Type, &fields))
        return NULL;
    uint32_t id = command_of(command);
    if (id == 0 || py_status_from(status, &code) < 0)
        return NULL;
    uint8_t header[SMPP_HEADER_SIZE];
    pdu_put_header(header, id, code, sequence);
    if (code != ESME_ROK)
        return PyBytes_FromStringAndSize((const char *)header, sizeof(header));
    size_t len = py_fields_encode(id, fields, &raw);
    PyObject *made = len ? PyBytes_FromStringAndSize((const char *)raw, (Py_ssize_t)len) : NULL;
    if (made)
        pdu_raw_set_sequence((uint8_t *)PyBytes_AS_STRING(made), sequence);
    return made;
}

/* ---- taking apart ---- */

static PyObject *destinations_of(const struct pdu *pdu)
{
    PyObject *list = PyList_New(0);
    struct pdu_dest dest;
    for (uint32_t pos = 0; list && pdu_dest_next(pdu, &pos, &dest);) {
        PyObject *one = py_destination_new(&dest);
        if (!one || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

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

/* The value of a field under the name that scripts have for it. */
static PyObject *field_of(const struct pdu *pdu, const struct pdu_item *item, const char **name)
{
    size_t n;
    const uint8_t *p = pdu_str(pdu, item->field, &n);
    *name = pdu_field_name(item->field);
    switch (item->type) {
    case PDU_INT:
        return PyLong_FromLong(pdu_int(pdu, item->field));
    case PDU_CSTRING:
        return py_text(p, n);
    case PDU_DESTS:
        *name = "destinations";
        return destinations_of(pdu);
    case PDU_UNSUCCESS:
        *name = "unsuccessful";
        return unsuccessful_of(pdu);
    default:
        return PyBytes_FromStringAndSize((const char *)p, (Py_ssize_t)n);
    }
}

static int put(PyObject *dict, const char *name, PyObject *value)
{
    int rc = value ? PyDict_SetItemString(dict, name, value) : -1;
    Py_XDECREF(value);
    return rc;
}

static int put_fields(PyObject *dict, const struct pdu *pdu)
{
    const char *name = NULL;
    for (int i = 0; pdu->layout && i < pdu->layout->count; i++) {
        const struct pdu_item *item = &pdu->layout->items[i];
        PyObject *value = pdu_has(pdu, item->field) ? field_of(pdu, item, &name) : NULL;
        if ((value || PyErr_Occurred()) && put(dict, name, value) < 0)
            return -1;
    }
    return 0;
}

/* decode(raw) -> dict: command, command_status, sequence_number, the fields that are there, tlvs as a list of pairs. */
PyObject *ext_decode(PyObject *module, PyObject *raw)
{
    (void)module;
    struct pdu pdu;
    if (ext_read(raw, &pdu) < 0)
        return NULL;
    PyObject *dict = PyDict_New();
    if (!dict || put(dict, "command", PyUnicode_FromString(smpp_command_name(pdu.command_id))) < 0 ||
        put(dict, "command_status", py_status_text(pdu.command_status)) < 0 ||
        put(dict, "sequence_number", PyLong_FromUnsignedLong(pdu.sequence_number)) < 0 || put_fields(dict, &pdu) < 0 ||
        put(dict, "tlvs", py_tlv_list(&pdu)) < 0)
        Py_CLEAR(dict);
    return dict;
}

/* ---- the objects of scripts ---- */

/* pdu(raw) -> Pdu | AlertNotification, as a handler gets it. */
PyObject *ext_pdu(PyObject *module, PyObject *raw)
{
    (void)module;
    struct pdu pdu;
    if (ext_read(raw, &pdu) < 0)
        return NULL;
    if (pdu.command_id == SMPP_alert_notification)
        return py_alert_new(&pdu);
    PyObject *object = py_pdu_borrow(&pdu);
    if (object)
        py_pdu_release(Py_NewRef(object), true);
    return object;
}

/* resp(command, raw) -> SmppResp | QueryResp, as a send helper returns it for that request. */
PyObject *ext_resp(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *command, *raw;
    struct pdu pdu;
    if (!PyArg_ParseTuple(args, "UO", &command, &raw))
        return NULL;
    uint32_t id = command_of(command);
    if (id == 0 || ext_read(raw, &pdu) < 0)
        return NULL;
    return py_resp_new(id, pdu.raw, pdu.command_length);
}

/* fields(command) -> tuple of the names it has, without the optional parameters. */
PyObject *ext_fields(PyObject *module, PyObject *command)
{
    (void)module;
    uint32_t id = PyUnicode_Check(command) ? command_of(command) : 0;
    if (id == 0)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "a command is a str");
    const struct pdu_layout *layout = pdu_layout(id);
    PyObject *names = PyTuple_New(layout->count);
    for (int i = 0; names && i < layout->count; i++)
        PyTuple_SET_ITEM(names, i, PyUnicode_FromString(pdu_field_name(layout->items[i].field)));
    return names;
}
