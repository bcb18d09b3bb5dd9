/* AlertNotification (section 4.12), and Destination, an entry of submit_multi. */
#include "py_int.h"

#include <structmember.h>

/* ---- AlertNotification ---- */

typedef struct {
    PyObject_HEAD
    PyObject *source_addr, *esme_addr, *ms_availability_status;
    int source_addr_ton, source_addr_npi, esme_addr_ton, esme_addr_npi;
} Alert;

static PyTypeObject Alert_type;

static PyObject *text_of(const struct pdu *pdu, enum pdu_field field)
{
    size_t n;
    const uint8_t *p = pdu_str(pdu, field, &n);
    return py_text(p, n);
}

PyObject *py_alert_new(const struct pdu *pdu)
{
    uint32_t status;
    Alert *self = PyObject_New(Alert, &Alert_type);
    if (!self)
        return NULL;
    self->source_addr = text_of(pdu, PDU_source_addr);
    self->source_addr_ton = pdu_int(pdu, PDU_source_addr_ton);
    self->source_addr_npi = pdu_int(pdu, PDU_source_addr_npi);
    self->esme_addr = text_of(pdu, PDU_esme_addr);
    self->esme_addr_ton = pdu_int(pdu, PDU_esme_addr_ton);
    self->esme_addr_npi = pdu_int(pdu, PDU_esme_addr_npi);
    self->ms_availability_status = pdu_tlv_int(pdu, SMPP_TLV_ms_availability_status, &status)
                                       ? PyLong_FromUnsignedLong(status)
                                       : Py_NewRef(Py_None);
    if (!self->source_addr || !self->esme_addr || !self->ms_availability_status)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void alert_dealloc(Alert *self)
{
    Py_XDECREF(self->source_addr);
    Py_XDECREF(self->esme_addr);
    Py_XDECREF(self->ms_availability_status);
    PyObject_Free(self);
}

static PyObject *alert_command(Alert *self, void *unused)
{
    (void)self, (void)unused;
    return PyUnicode_InternFromString("alert_notification");
}

static PyObject *alert_repr(Alert *self)
{
    return PyUnicode_FromFormat("AlertNotification(source_addr=%R, esme_addr=%R, ms_availability_status=%R)",
                                self->source_addr, self->esme_addr, self->ms_availability_status);
}

static PyMemberDef alert_members[] = {
    {"source_addr", T_OBJECT, offsetof(Alert, source_addr), READONLY,
     "str: Address of the station that is available (section 5.2.8)."},
    {"source_addr_ton", T_INT, offsetof(Alert, source_addr_ton), READONLY,
     "int: Type of number of source_addr (section 5.2.5)."},
    {"source_addr_npi", T_INT, offsetof(Alert, source_addr_npi), READONLY,
     "int: Numbering plan of source_addr (section 5.2.6)."},
    {"esme_addr", T_OBJECT, offsetof(Alert, esme_addr), READONLY,
     "str: Address of the ESME that asked to be told (section 5.2.10)."},
    {"esme_addr_ton", T_INT, offsetof(Alert, esme_addr_ton), READONLY,
     "int: Type of number of esme_addr (section 5.2.5)."},
    {"esme_addr_npi", T_INT, offsetof(Alert, esme_addr_npi), READONLY,
     "int: Numbering plan of esme_addr (section 5.2.6)."},
    {"ms_availability_status", T_OBJECT, offsetof(Alert, ms_availability_status), READONLY,
     "int | None: 0 available, 1 denied, 2 unavailable; None when it is not said (section 5.3.2.30)."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef alert_getset[] = {
    {"command", (getter)alert_command, NULL, "str: Always \"alert_notification\".", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject Alert_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "siphon.smpp.AlertNotification",
    .tp_doc =
        "An upstream says that a mobile station is available again (SMPP 3.4 section 4.12). There is nothing to reply.",
    .tp_basicsize = sizeof(Alert),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)alert_dealloc,
    .tp_repr = (reprfunc)alert_repr,
    .tp_members = alert_members,
    .tp_getset = alert_getset,
};

/* ---- Destination: a str with three attributes, so a Python class does ---- */

PyObject *py_destination_new(const struct pdu_dest *dest)
{
    static PyObject *class;
    if (!class) {
        PyObject *module = PyImport_ImportModule("siphon._types");
        class = module ? PyObject_GetAttrString(module, "Destination") : NULL;
        Py_XDECREF(module);
        if (!class)
            return NULL;
    }
    PyObject *address = py_text(dest->addr, dest->len);
    PyObject *made = address ? PyObject_CallFunction(class, "OiiO", address, dest->ton, dest->npi,
                                                     dest->dest_flag == PDU_DEST_LIST ? Py_True : Py_False)
                             : NULL;
    Py_XDECREF(address);
    return made;
}

int py_alert_add(PyObject *module)
{
    if (PyType_Ready(&Alert_type) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "AlertNotification", (PyObject *)&Alert_type);
}
