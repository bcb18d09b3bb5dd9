/* Bind, BindResult and Session: the small objects that handlers see; and the exceptions. */
#include "py_int.h"

#include <structmember.h>

PyObject *py_SmppError, *py_UnknownBind, *py_BindDown, *py_SessionGone, *py_WindowFull, *py_ResponseTimeout,
    *py_CacheError;

/* ---- statuses ---- */

PyObject *py_status_text(uint32_t status)
{
    const char *name = smpp_status_name(status);
    if (name)
        return PyUnicode_InternFromString(name);
    char digits[SMPP_STATUS_DIGITS];
    return PyUnicode_FromString(smpp_status_text(status, digits));
}

int py_status_from(PyObject *value, uint32_t *status)
{
    if (PyUnicode_Check(value)) {
        Py_ssize_t len;
        const char *text = PyUnicode_AsUTF8AndSize(value, &len);
        if (!text)
            return -1;
        bool whole = strlen(text) == (size_t)len;
        if (whole && (smpp_status_by_name(text, status) == 0 || smpp_status_by_digits(text, status) == 0))
            return 0;
        PyErr_Format(PyExc_ValueError, "unknown SMPP status: %R", value);
        return -1;
    }
    if (!PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a status is a name or an int, not %s", Py_TYPE(value)->tp_name);
        return -1;
    }
    long n = PyLong_AsLong(value);
    if ((n == -1 && PyErr_Occurred()) || n < (long)SMPP_STATUS_VENDOR_MIN || n > (long)SMPP_STATUS_VENDOR_MAX) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "a status given as a number is a vendor's, 0x400-0x4FF: %R", value);
        return -1;
    }
    *status = (uint32_t)n;
    return 0;
}

/* ---- Bind ---- */

typedef struct {
    PyObject_HEAD
    PyObject *system_id, *password, *client_addr, *bind_type, *system_type, *addr_range;
    int interface_version;
} Bind;

typedef struct {
    PyObject_HEAD
    char accept;
    uint32_t status;
    PyObject *reason;
    PyObject *reason_utf8;
} BindResult;

static const char *bind_type_of(uint32_t command_id)
{
    return command_id == SMPP_bind_transmitter ? "transmitter"
           : command_id == SMPP_bind_receiver  ? "receiver"
                                               : "transceiver";
}

static PyObject *field_text(const struct pdu *pdu, enum pdu_field field)
{
    size_t n;
    const uint8_t *p = pdu_str(pdu, field, &n);
    return py_text(p, n);
}

PyObject *py_bind_new(const struct pdu *pdu, const char *client_addr)
{
    Bind *self = PyObject_New(Bind, &py_Bind_type);
    if (!self)
        return NULL;
    self->system_id = field_text(pdu, PDU_system_id);
    self->password = field_text(pdu, PDU_password);
    self->system_type = field_text(pdu, PDU_system_type);
    self->addr_range = field_text(pdu, PDU_address_range);
    self->bind_type = PyUnicode_FromString(bind_type_of(pdu->command_id));
    self->client_addr = PyUnicode_FromString(client_addr);
    self->interface_version = pdu_int(pdu, PDU_interface_version);
    if (PyErr_Occurred())
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void bind_dealloc(Bind *self)
{
    Py_XDECREF(self->system_id);
    Py_XDECREF(self->password);
    Py_XDECREF(self->client_addr);
    Py_XDECREF(self->bind_type);
    Py_XDECREF(self->system_type);
    Py_XDECREF(self->addr_range);
    PyObject_Free(self);
}

static PyObject *bind_repr(Bind *self)
{
    return PyUnicode_FromFormat("Bind(system_id=%R, client_addr=%R, bind_type=%R)", self->system_id, self->client_addr,
                                self->bind_type);
}

static PyObject *bind_result_new(bool accept, uint32_t status, PyObject *reason)
{
    BindResult *self = PyObject_New(BindResult, &py_BindResult_type);
    if (!self)
        return NULL;
    self->accept = accept;
    self->status = status;
    self->reason = Py_NewRef(reason);
    return (PyObject *)self;
}

static PyObject *bind_accept(Bind *self, PyObject *unused)
{
    (void)self, (void)unused;
    PyObject *reason = PyUnicode_FromString("");
    PyObject *result = reason ? bind_result_new(true, ESME_ROK, reason) : NULL;
    Py_XDECREF(reason);
    return result;
}

static PyObject *bind_reject(Bind *self, PyObject *args, PyObject *kwargs)
{
    (void)self;
    static char *names[] = {"status", "reason", NULL};
    PyObject *status = NULL, *reason = NULL;
    uint32_t value = ESME_RBINDFAIL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OU:reject", names, &status, &reason))
        return NULL;
    if (status && py_status_from(status, &value) < 0)
        return NULL;
    if (value == ESME_ROK) {
        PyErr_SetString(PyExc_ValueError, "reject() with ESME_ROK");
        return NULL;
    }
    PyObject *none = reason ? NULL : PyUnicode_FromString("");
    PyObject *result = reason || none ? bind_result_new(false, value, reason ? reason : none) : NULL;
    Py_XDECREF(none);
    return result;
}

int py_bind_result_read(PyObject *result, struct py_answer *answer)
{
    *answer = (struct py_answer){.status = ESME_RBINDFAIL};
    if (Py_IS_TYPE(result, &py_BindResult_type)) {
        BindResult *r = (BindResult *)result;
        answer->status = r->status;
        answer->reason = PyUnicode_AsUTF8(r->reason);
        PyErr_Clear();
        return 0;
    }
    int truth = PyObject_IsTrue(result);
    if (truth > 0)
        answer->status = ESME_ROK;
    return truth < 0 ? -1 : 0;
}

static void bind_result_dealloc(BindResult *self)
{
    Py_XDECREF(self->reason);
    PyObject_Free(self);
}

static int bind_result_bool(BindResult *self)
{
    return self->accept;
}

static PyObject *bind_result_status(BindResult *self, void *unused)
{
    (void)unused;
    return py_status_text(self->status);
}

static PyObject *bind_result_repr(BindResult *self)
{
    if (self->accept)
        return PyUnicode_FromString("BindResult(accept)");
    PyObject *status = py_status_text(self->status);
    PyObject *text =
        status ? PyUnicode_FromFormat("BindResult(reject, status=%R, reason=%R)", status, self->reason) : NULL;
    Py_XDECREF(status);
    return text;
}

static PyObject *none_attribute(PyObject *self, void *unused)
{
    (void)self, (void)unused;
    Py_RETURN_NONE;
}

static PyMemberDef bind_members[] = {
    {"system_id", T_OBJECT, offsetof(Bind, system_id), READONLY,
     "str: Whom the ESME claims to be, up to 15 characters (section 5.2.1)."},
    {"password", T_OBJECT, offsetof(Bind, password), READONLY,
     "str: The password to check, up to 8 characters (section 5.2.2). smscd never logs it."},
    {"client_addr", T_OBJECT, offsetof(Bind, client_addr), READONLY,
     "str: The peer's address and port: \"192.0.2.1:40000\" or \"[2001:db8::1]:40000\"."},
    {"bind_type", T_OBJECT, offsetof(Bind, bind_type), READONLY,
     "str: One of \"transceiver\", \"transmitter\" and \"receiver\" (section 2.2)."},
    {"system_type", T_OBJECT, offsetof(Bind, system_type), READONLY,
     "str: The kind of system the ESME says it is, often \"\" (section 5.2.3)."},
    {"addr_range", T_OBJECT, offsetof(Bind, addr_range), READONLY,
     "str: The addresses the ESME serves, a pattern: address_range (section 5.2.7)."},
    {"interface_version", T_INT, offsetof(Bind, interface_version), READONLY,
     "int: The version of SMPP the ESME speaks: 0x34 is 3.4 (section 5.2.4)."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef bind_getset[] = {
    {"tls", none_attribute, NULL,
     "dict[str, str] | None: version and cipher of the connection, and the client certificate's subject; None when it "
     "is not encrypted.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef bind_methods[] = {
    {"accept", (PyCFunction)bind_accept, METH_NOARGS,
     "accept($self, /)\n--\n\nLets the ESME in: for the handler to return."},
    {"reject", (PyCFunction)(void (*)(void))bind_reject, METH_VARARGS | METH_KEYWORDS,
     "reject($self, /, status='ESME_RBINDFAIL', reason='')\n--\n\nKeeps the ESME out: for the handler to "
     "return.\n\nstatus: a name of section 5.1.3, or one in the vendor range 0x400-0x4FF, as an int or as a "
     "response's command_status (\"0x000004FF\"). reason: text for the log, which the ESME does not see. Raises "
     "ValueError for an unknown status and for ESME_ROK, TypeError for another type."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject py_Bind_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "siphon.smpp.Bind",
    .tp_doc =
        "An ESME that asks to be let in (SMPP 3.4 section 4.1), as @smpp.on_bind gets it. Made by smscd, not scripts.",
    .tp_basicsize = sizeof(Bind),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)bind_dealloc,
    .tp_repr = (reprfunc)bind_repr,
    .tp_members = bind_members,
    .tp_getset = bind_getset,
    .tp_methods = bind_methods,
};

static PyMemberDef bind_result_members[] = {
    {"accept", T_BOOL, offsetof(BindResult, accept), READONLY, "bool: Whether the ESME is let in."},
    {"reason", T_OBJECT, offsetof(BindResult, reason), READONLY, "str: What is logged; \"\" for nothing."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef bind_result_getset[] = {
    {"status", (getter)bind_result_status, NULL,
     "str: The name of the status that the bind response has (section 5.1.3).", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyNumberMethods bind_result_number = {.nb_bool = (inquiry)bind_result_bool};

PyTypeObject py_BindResult_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "siphon.smpp.BindResult",
    .tp_doc = "What bind.accept() and bind.reject() return. True when accepted.",
    .tp_basicsize = sizeof(BindResult),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)bind_result_dealloc,
    .tp_repr = (reprfunc)bind_result_repr,
    .tp_as_number = &bind_result_number,
    .tp_members = bind_result_members,
    .tp_getset = bind_result_getset,
};

/* ---- Session ---- */

typedef struct {
    PyObject_HEAD
    PyObject *kind, *session_id, *system_id, *client_addr, *bind_type, *bind, *peer_system_id, *node;
    double bound_at;
    unsigned worker;
} Session;

static PyObject *text_or_none(const char *s)
{
    return s ? PyUnicode_DecodeLatin1(s, (Py_ssize_t)strlen(s), NULL) : Py_NewRef(Py_None);
}

struct py_session *py_session_new(const struct py_session_info *info)
{
    Session *self = PyObject_New(Session, &py_Session_type);
    if (!self)
        Py_FatalError("no memory for a Session");
    self->kind = PyUnicode_InternFromString(info->kind);
    self->session_id = text_or_none(info->session_id);
    self->system_id = text_or_none(info->system_id);
    self->client_addr = text_or_none(info->client_addr);
    self->bind_type = PyUnicode_InternFromString(info->bind_type);
    self->bind = text_or_none(info->bind);
    self->peer_system_id = text_or_none(info->peer_system_id);
    self->node = PyUnicode_InternFromString(py_gateway->node);
    self->bound_at = info->bound_at;
    self->worker = py_gateway->worker;
    return (struct py_session *)self;
}

/* make_session(**row): a Session of another worker or node, as the registry has it. */
PyObject *py_make_session(PyObject *module, PyObject *args, PyObject *kwargs)
{
    (void)module;
    static char *names[] = {"session_id", "system_id", "client_addr", "bind_type", "bound_at", "node", "worker", NULL};
    PyObject *session_id, *system_id, *client_addr, *bind_type, *node;
    double bound_at;
    unsigned worker;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$UUUUdUI:make_session", names, &session_id, &system_id,
                                     &client_addr, &bind_type, &bound_at, &node, &worker))
        return NULL;
    Session *self = PyObject_New(Session, &py_Session_type);
    if (!self)
        return NULL;
    self->kind = PyUnicode_InternFromString("esme");
    self->session_id = Py_NewRef(session_id);
    self->system_id = Py_NewRef(system_id);
    self->client_addr = Py_NewRef(client_addr);
    self->bind_type = Py_NewRef(bind_type);
    self->bind = Py_NewRef(Py_None);
    self->peer_system_id = Py_NewRef(Py_None);
    self->node = Py_NewRef(node);
    self->bound_at = bound_at;
    self->worker = worker;
    return (PyObject *)self;
}

void py_session_free(struct py_session **session)
{
    Py_XDECREF((PyObject *)*session);
    *session = NULL;
}

PyObject *py_session_object(struct py_session *session)
{
    return (PyObject *)session;
}

static void session_dealloc(Session *self)
{
    Py_XDECREF(self->kind);
    Py_XDECREF(self->session_id);
    Py_XDECREF(self->system_id);
    Py_XDECREF(self->client_addr);
    Py_XDECREF(self->bind_type);
    Py_XDECREF(self->bind);
    Py_XDECREF(self->peer_system_id);
    Py_XDECREF(self->node);
    PyObject_Free(self);
}

static PyObject *session_repr(Session *self)
{
    return PyUnicode_FromFormat("Session(kind=%R, system_id=%R, session_id=%R, client_addr=%R)", self->kind,
                                self->system_id, self->session_id, self->client_addr);
}

static PyMemberDef session_members[] = {
    {"kind", T_OBJECT, offsetof(Session, kind), READONLY,
     "Literal['esme', 'bind']: Either \"esme\", for an application that is bound to us, or \"bind\", for one of our "
     "binds to an upstream."},
    {"session_id", T_OBJECT, offsetof(Session, session_id), READONLY,
     "str: Names the session for as long as it lasts, on all workers and nodes: the target of deliver_to, data_to and "
     "alert_to."},
    {"system_id", T_OBJECT, offsetof(Session, system_id), READONLY,
     "str: The ESME's system_id (section 5.2.1); of a bind its configured name."},
    {"client_addr", T_OBJECT, offsetof(Session, client_addr), READONLY,
     "str: The peer's address and port: \"192.0.2.1:40000\" or \"[2001:db8::1]:40000\"."},
    {"bind_type", T_OBJECT, offsetof(Session, bind_type), READONLY,
     "str: One of \"transceiver\", \"transmitter\" and \"receiver\" (section 2.2)."},
    {"bind", T_OBJECT, offsetof(Session, bind), READONLY,
     "str | None: The configured name of the bind; None for an ESME."},
    {"peer_system_id", T_OBJECT, offsetof(Session, peer_system_id), READONLY,
     "str | None: What the upstream called itself in its bind response (section 5.2.1); None for an ESME."},
    {"bound_at", T_DOUBLE, offsetof(Session, bound_at), READONLY, "float: When it was bound: seconds since 1970, UTC."},
    {"worker", T_UINT, offsetof(Session, worker), READONLY,
     "int: The number of the worker process, from 0, that has the session; for a bind the one that runs the handler."},
    {"node", T_OBJECT, offsetof(Session, node), READONLY,
     "str: Names the running smscd among those that share a Redis."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject py_Session_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "siphon.smpp.Session",
    .tp_doc = "Who sent a PDU: an ESME's session, or one of our outbound binds. Made by smscd, not by scripts.",
    .tp_basicsize = sizeof(Session),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)session_dealloc,
    .tp_repr = (reprfunc)session_repr,
    .tp_members = session_members,
};

/* ---- the module ---- */

static PyObject *exception_add(PyObject *module, const char *name, const char *full, PyObject *bases, const char *doc)
{
    PyObject *class = PyErr_NewExceptionWithDoc(full, doc, bases, NULL);
    if (class && PyModule_AddObjectRef(module, name, class) < 0)
        Py_CLEAR(class);
    return class;
}

int py_exceptions_add(PyObject *m)
{
    py_SmppError =
        exception_add(m, "SmppError", "siphon.smpp.SmppError", PyExc_RuntimeError,
                      "A send that failed for another reason than the peer's answer: the base of those below.");
    PyObject *both = py_SmppError ? PyTuple_Pack(2, py_SmppError, PyExc_KeyError) : NULL;
    if (!both)
        return -1;
    py_UnknownBind = exception_add(m, "UnknownBind", "siphon.smpp.UnknownBind", both,
                                   "The configuration has no outbound bind of that name. Nothing was sent.");
    py_BindDown =
        exception_add(m, "BindDown", "siphon.smpp.BindDown", py_SmppError,
                      "The outbound bind is not up, or went down while the message waited: not sent, for certain.");
    py_SessionGone = exception_add(
        m, "SessionGone", "siphon.smpp.SessionGone", py_SmppError,
        "There is no such ESME session, or it ended before its answer came: the message may have arrived.");
    py_WindowFull = exception_add(m, "WindowFull", "siphon.smpp.WindowFull", py_SmppError,
                                  "No place in the window or its queue in time: not sent, for certain.");
    py_ResponseTimeout = exception_add(
        m, "ResponseTimeout", "siphon.smpp.ResponseTimeout", py_SmppError,
        "Sent, and no answer came in time or before the connection ended: the outcome is unknown, not failed.");
    py_CacheError = exception_add(m, "CacheError", "siphon.cache.CacheError", PyExc_RuntimeError,
                                  "Redis is away, did not answer within redis.timeout_ms, or refused the command.");
    Py_DECREF(both);
    return PyErr_Occurred() ? -1 : 0;
}

int py_types_add(PyObject *module)
{
    static const struct {
        const char *name;
        PyTypeObject *type;
    } types[] = {{"Bind", &py_Bind_type}, {"BindResult", &py_BindResult_type}, {"Session", &py_Session_type}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (PyType_Ready(types[i].type) < 0 ||
            PyModule_AddObjectRef(module, types[i].name, (PyObject *)types[i].type) < 0)
            return -1;
    return 0;
}
