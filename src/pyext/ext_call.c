/* A test's events into the handlers, by the calls that a worker makes; the answers as the octets that a peer gets. */
#include "ext.h"

#include <stdlib.h>

/* Hands value (stolen) to the test. */
static void tell(PyObject *on_answer, PyObject *value)
{
    PyObject *r = value ? PyObject_CallOneArg(on_answer, value) : NULL;
    if (!r)
        PyErr_WriteUnraisable(on_answer);
    Py_XDECREF(r);
    Py_XDECREF(value);
    Py_DECREF(on_answer);
}

/* Which responses have a message_id that the gateway makes when the handler gave none; only towards an
 * ESME (session 0). */
static bool has_generated_id(const struct py_call *call)
{
    return !call->session && (call->command_id == SMPP_submit_sm || call->command_id == SMPP_submit_multi ||
                              call->command_id == SMPP_data_sm);
}

static void put_message_id(struct pdu_out *out, const struct py_call *call, const struct py_answer *answer,
                           char made[40])
{
    if (answer->message_id) {
        out->v[PDU_message_id].p = (const uint8_t *)answer->message_id;
        out->v[PDU_message_id].n = (uint32_t)answer->message_id_len;
    } else if (has_generated_id(call) && answer->status == ESME_ROK) {
        out->v[PDU_message_id].n = (uint32_t)gateway_message_id(&ext_gateway, made);
        out->v[PDU_message_id].p = (const uint8_t *)made;
    }
}

/* The response as a worker makes it. New reference, or NULL with ValueError. */
static PyObject *response_of(const struct py_call *call, const struct py_answer *answer)
{
    struct pdu_out out = {.command_status = answer->status};
    enum pdu_field bad = PDU_FIELD_COUNT;
    char made[40];
    if (answer->body)
        out = *answer->body;
    out.command_id = call->command_id | SMPP_RESPONSE_BIT;
    out.sequence_number = call->sequence_number;
    out.header_only = answer->status != ESME_ROK && !out.tlvs;
    put_message_id(&out, call, answer, made);
    PyObject *raw = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)pdu_encoded_size(&out));
    if (raw && pdu_encode(&out, (uint8_t *)PyBytes_AS_STRING(raw), (size_t)PyBytes_GET_SIZE(raw), &bad) == 0) {
        Py_CLEAR(raw);
        PyErr_Format(PyExc_ValueError, "the reply cannot be encoded: %s",
                     bad < PDU_FIELD_COUNT ? pdu_field_name(bad) : "too long");
    }
    return raw;
}

static void answer_pdu(const struct py_call *call, const struct py_answer *answer)
{
    tell(call->owner, response_of(call, answer));
}

/* encode_reply(raw, reply) -> bytes: the response of a peer to a request of ours; reply is a PduReply made for it. */
PyObject *ext_encode_reply(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *raw, *reply;
    struct pdu pdu;
    struct py_answer answer;
    if (!PyArg_ParseTuple(args, "OO", &raw, &reply) || ext_read(raw, &pdu) < 0 ||
        py_reply_read(reply, pdu.command_id, &answer) < 0)
        return NULL;
    struct py_call call = {.session = 1, .command_id = pdu.command_id, .sequence_number = pdu.sequence_number};
    return response_of(&call, &answer);
}

static void answer_bind(const struct py_call *call, const struct py_answer *answer)
{
    tell(call->owner, Py_BuildValue("(Ns)", py_status_text(answer->status), answer->reason ? answer->reason : ""));
}

/* call_pdu(raw, session, on_answer) -> bool: False when no handler is registered. on_answer(response)
 * comes once, perhaps before this returns; for an alert_notification never. */
PyObject *ext_call_pdu(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *raw, *session, *on_answer;
    struct pdu pdu;
    struct py_call call = {.answer = answer_pdu};
    if (!PyArg_ParseTuple(args, "OO!O", &raw, &py_Session_type, &session, &on_answer) || ext_read(raw, &pdu) < 0)
        return NULL;
    if (!py_host_has_handler(pdu.command_id))
        Py_RETURN_FALSE;
    PyObject *kind = PyObject_GetAttrString(session, "kind");
    call.session = kind && PyUnicode_CompareWithASCIIString(kind, "bind") == 0;
    Py_XDECREF(kind);
    call.owner = Py_NewRef(on_answer);
    call.command_id = pdu.command_id;
    call.sequence_number = pdu.sequence_number;
    call.fail_status = gateway_fail_status(pdu.command_id, call.session);
    py_host_pdu(&call, &pdu, (struct py_session *)session);
    if (pdu.command_id == SMPP_alert_notification)
        Py_DECREF(on_answer);
    Py_RETURN_TRUE;
}

/* call_bind(raw, client_addr, on_answer): on_answer((status, reason)). */
PyObject *ext_call_bind(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *raw, *on_answer;
    const char *client_addr;
    struct pdu pdu;
    if (!PyArg_ParseTuple(args, "OsO", &raw, &client_addr, &on_answer) || ext_read(raw, &pdu) < 0)
        return NULL;
    struct py_call call = {.answer = answer_bind,
                           .owner = Py_NewRef(on_answer),
                           .command_id = pdu.command_id,
                           .fail_status = gateway_fail_status(pdu.command_id, false)};
    py_host_bind(&call, &pdu, client_addr);
    Py_RETURN_NONE;
}

/* call_session(event, session) */
PyObject *ext_call_session(PyObject *module, PyObject *args)
{
    (void)module;
    const char *event;
    PyObject *session;
    if (!PyArg_ParseTuple(args, "sO!", &event, &py_Session_type, &session))
        return NULL;
    if (strcmp(event, "bound") != 0 && strcmp(event, "unbound") != 0)
        return PyErr_Format(PyExc_ValueError, "a session's event is \"bound\" or \"unbound\", not \"%s\"", event);
    py_host_session_event(event, (struct py_session *)session);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* bind(raw, client_addr) -> Bind, as on_bind gets it. */
PyObject *ext_make_bind(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *raw;
    const char *client_addr;
    struct pdu pdu;
    if (!PyArg_ParseTuple(args, "Os", &raw, &client_addr) || ext_read(raw, &pdu) < 0)
        return NULL;
    return py_bind_new(&pdu, client_addr);
}

/* session(*, kind, session_id, system_id, client_addr, bind_type, bound_at) -> Session. The system_id is
 * bytes, as on the wire; of a bind it is its name. */
PyObject *ext_session(PyObject *module, PyObject *args, PyObject *kwargs)
{
    (void)module;
    static char *names[] = {"kind", "session_id", "system_id", "client_addr", "bind_type", "bound_at", NULL};
    struct py_session_info info = {.kind = NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$ssyssd:session", names, &info.kind, &info.session_id,
                                     &info.system_id, &info.client_addr, &info.bind_type, &info.bound_at))
        return NULL;
    if (strcmp(info.kind, "esme") != 0 && strcmp(info.kind, "bind") != 0)
        return PyErr_Format(PyExc_ValueError, "session kind must be 'esme' or 'bind', got '%s'", info.kind);
    if (strcmp(info.kind, "bind") == 0)
        info.bind = info.peer_system_id = info.system_id;
    return py_session_object(py_session_new(&info));
}
