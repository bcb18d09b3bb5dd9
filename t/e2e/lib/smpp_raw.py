"""SMPP 3.4 by hand, for tests that need every octet under control.

Made from the standard alone and independent of smscd's C code. Blocking sockets: a test reads as a conversation.
"""

import socket
import struct
import threading
import time

COMMANDS = {
    "generic_nack": 0x80000000,
    "bind_receiver": 0x01,
    "bind_transmitter": 0x02,
    "query_sm": 0x03,
    "submit_sm": 0x04,
    "deliver_sm": 0x05,
    "unbind": 0x06,
    "replace_sm": 0x07,
    "cancel_sm": 0x08,
    "bind_transceiver": 0x09,
    "outbind": 0x0B,
    "enquire_link": 0x15,
    "submit_multi": 0x21,
    "alert_notification": 0x102,
    "data_sm": 0x103,
}
for _name, _id in list(COMMANDS.items()):
    if _name not in ("generic_nack", "outbind", "alert_notification"):
        COMMANDS[_name + "_resp"] = _id | 0x80000000
NAMES = {number: name for name, number in COMMANDS.items()}

ESME_ROK = 0x00
ESME_RINVMSGLEN = 0x01
ESME_RINVCMDLEN = 0x02
ESME_RINVCMDID = 0x03
ESME_RINVBNDSTS = 0x04
ESME_RALYBND = 0x05
ESME_RSYSERR = 0x08
ESME_RINVDSTADR = 0x0B
ESME_RBINDFAIL = 0x0D
ESME_RINVPASWD = 0x0E
ESME_RINVSYSID = 0x0F
ESME_RMSGQFUL = 0x14
ESME_RSUBMITFAIL = 0x45
ESME_RTHROTTLED = 0x58
ESME_RX_T_APPN = 0x64
ESME_RX_P_APPN = 0x65
ESME_RINVOPTPARSTREAM = 0xC0
ESME_RINVPARLEN = 0xC2

RECEIPTED_MESSAGE_ID = 0x001E
USER_MESSAGE_REFERENCE = 0x0204
SC_INTERFACE_VERSION = 0x0210
CALLBACK_NUM = 0x0381
NETWORK_ERROR_CODE = 0x0423
MESSAGE_PAYLOAD = 0x0424
MESSAGE_STATE = 0x0427

_SOURCE = [("source_addr_ton", "B"), ("source_addr_npi", "B"), ("source_addr", "z")]
_DEST = [("dest_addr_ton", "B"), ("dest_addr_npi", "B"), ("destination_addr", "z")]
_BIND = [
    ("system_id", "z"),
    ("password", "z"),
    ("system_type", "z"),
    ("interface_version", "B"),
    ("addr_ton", "B"),
    ("addr_npi", "B"),
    ("address_range", "z"),
]
_SM = [
    ("service_type", "z"),
    *_SOURCE,
    *_DEST,
    ("esm_class", "B"),
    ("protocol_id", "B"),
    ("priority_flag", "B"),
    ("schedule_delivery_time", "z"),
    ("validity_period", "z"),
    ("registered_delivery", "B"),
    ("replace_if_present_flag", "B"),
    ("data_coding", "B"),
    ("sm_default_msg_id", "B"),
    ("short_message", "s"),
]
_ID = [("message_id", "z")]
LAYOUT = {
    "bind_receiver": _BIND,
    "bind_transmitter": _BIND,
    "bind_transceiver": _BIND,
    "bind_receiver_resp": [("system_id", "z")],
    "bind_transmitter_resp": [("system_id", "z")],
    "bind_transceiver_resp": [("system_id", "z")],
    "outbind": [("system_id", "z"), ("password", "z")],
    "submit_sm": _SM,
    "submit_sm_resp": _ID,
    "deliver_sm": _SM,
    "deliver_sm_resp": _ID,
    "data_sm": [
        ("service_type", "z"),
        *_SOURCE,
        *_DEST,
        ("esm_class", "B"),
        ("registered_delivery", "B"),
        ("data_coding", "B"),
    ],
    "data_sm_resp": _ID,
    "submit_multi": [
        ("service_type", "z"),
        *_SOURCE,
        ("dest_address", "dests"),
        *_SM[_SM.index(("esm_class", "B")) :],
    ],
    "submit_multi_resp": [*_ID, ("unsuccess_sme", "failed")],
    "query_sm": [*_ID, *_SOURCE],
    "query_sm_resp": [*_ID, ("final_date", "z"), ("message_state", "B"), ("error_code", "B")],
    "cancel_sm": [("service_type", "z"), *_ID, *_SOURCE, *_DEST],
    "replace_sm": [
        *_ID,
        *_SOURCE,
        ("schedule_delivery_time", "z"),
        ("validity_period", "z"),
        ("registered_delivery", "B"),
        ("sm_default_msg_id", "B"),
        ("short_message", "s"),
    ],
    "alert_notification": [*_SOURCE, ("esme_addr_ton", "B"), ("esme_addr_npi", "B"), ("esme_addr", "z")],
}
_EMPTY = {"B": 0, "dests": [], "failed": []}
_DEFAULTS = {
    "source_addr": "1000",
    "destination_addr": "2000",
    "source_addr_ton": 1,
    "source_addr_npi": 1,
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "interface_version": 0x34,
}


def encode_list(kind, entries):
    """dest_address: (1, ton, npi, address) or (2, name of a list); unsuccess_sme: (ton, npi, address, status)."""
    octets = bytes([len(entries)])
    for entry in entries:
        if kind == "failed":
            ton, npi, address, status = entry
            octets += bytes([ton, npi]) + address.encode() + b"\0" + struct.pack(">I", status)
        else:
            octets += bytes(entry[:-1]) + entry[-1].encode() + b"\0"
    return octets


def decode_list(kind, raw, at):
    """The entries as encode_list takes them, and where they end."""
    count, at, entries = raw[at], at + 1, []
    for _ in range(count):
        numbers = 2 if kind == "failed" else 3 if raw[at] == 1 else 1
        end = raw.index(b"\0", at + numbers)
        entry = (*raw[at : at + numbers], raw[at + numbers : end].decode("latin-1"))
        at = end + 1
        if kind == "failed":
            entry += struct.unpack(">I", raw[at : at + 4])
            at += 4
        entries.append(entry)
    return entries, at


class Pdu:
    """A decoded PDU: its fields are attributes, `tlvs` is a list of (tag, bytes)."""

    def __init__(self, command, status, seq, fields, tlvs, raw):
        self.command, self.status, self.seq = command, status, seq
        self.fields, self.tlvs, self.raw = fields, tlvs, raw

    def __getattr__(self, name):
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(f"{self!r} has no {name}") from None

    def tlv(self, tag):
        return next((value for t, value in self.tlvs if t == tag), None)

    def __repr__(self):
        return f"<{self.command} status=0x{self.status:x} seq={self.seq} {self.fields} {self.tlvs}>"


def header(command_id, seq, status=0, body=b"", length=None):
    length = 16 + len(body) if length is None else length
    return struct.pack(">IIII", length, command_id, status, seq) + body


def encode_body(command, tlvs=(), **fields):
    body = b""
    layout = LAYOUT.get(command, [])
    unknown = set(fields) - {name for name, _ in layout}
    if unknown:
        raise TypeError(f"{command} has no {unknown}")
    for name, kind in layout:
        value = fields.get(name, _DEFAULTS.get(name, _EMPTY.get(kind, "")))
        value = value.encode() if isinstance(value, str) else value
        if kind == "B":
            body += bytes([value])
        elif kind == "z":
            body += value + b"\0"
        elif kind in ("dests", "failed"):
            body += encode_list(kind, value)
        else:
            body += bytes([len(value)]) + value
    for tag, value in tlvs:
        body += struct.pack(">HH", tag, len(value)) + value
    return body


def encode(command, seq, status=0, tlvs=(), **fields):
    return header(COMMANDS[command], seq, status, encode_body(command, tlvs, **fields))


def decode(raw):
    length, command_id, status, seq = struct.unpack(">IIII", raw[:16])
    assert length == len(raw), (length, len(raw))
    command = NAMES.get(command_id, f"0x{command_id:08x}")
    fields, at = {}, 16
    for name, kind in LAYOUT.get(command, []):
        if at >= len(raw) and status:
            break  # an error response may end at its header
        if kind == "B":
            fields[name] = raw[at]
            at += 1
        elif kind == "z":
            end = raw.index(b"\0", at)
            fields[name] = raw[at:end].decode("latin-1")
            at = end + 1
        elif kind in ("dests", "failed"):
            fields[name], at = decode_list(kind, raw, at)
        else:
            n = raw[at]
            fields[name] = raw[at + 1 : at + 1 + n]
            assert len(fields[name]) == n, "short_message is shorter than sm_length"
            at += 1 + n
    tlvs = []
    while at < len(raw):
        tag, n = struct.unpack(">HH", raw[at : at + 4])
        value = raw[at + 4 : at + 4 + n]
        assert len(value) == n, "a TLV is shorter than its length says"
        tlvs.append((tag, value))
        at += 4 + n
    return Pdu(command, status, seq, fields, tlvs, raw)


class Closed(Exception):
    """The peer has closed the connection."""


class Conn:
    """One connection, either role. Answers enquire_link by itself unless `answer_enquire` is False."""

    def __init__(self, sock, timeout=10.0):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.timeout = sock, timeout
        self.buffer = b""
        self.kept = []  # received while something else was expected
        self.next_seq = 1
        self.answer_enquire = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Ends the connection with RST, as a peer does that dies."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # sending
    def write(self, octets):
        self.sock.sendall(octets)

    def sequence(self):
        seq, self.next_seq = self.next_seq, self.next_seq + 1
        return seq

    def send(self, command, seq=None, status=0, tlvs=(), **fields):
        """Sends one PDU and returns its sequence number."""
        seq = self.sequence() if seq is None else seq
        self.write(encode(command, seq, status, tlvs, **fields))
        return seq

    def answer(self, pdu, status=0, tlvs=(), **fields):
        self.send(pdu.command + "_resp", pdu.seq, status, tlvs, **fields)

    # receiving
    def _read_pdu(self, deadline):
        while True:
            if len(self.buffer) >= 4:
                length = struct.unpack(">I", self.buffer[:4])[0]
                if len(self.buffer) >= length:
                    raw, self.buffer = self.buffer[:length], self.buffer[length:]
                    return decode(raw)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no PDU in time")
            self.sock.settimeout(left)
            try:
                octets = self.sock.recv(1 << 18)
            except ConnectionResetError as e:
                raise Closed from e
            if not octets:
                raise Closed
            self.buffer += octets

    def _next(self, deadline):
        while True:
            pdu = self._read_pdu(deadline)
            if pdu.command == "enquire_link" and self.answer_enquire:
                self.answer(pdu)
                continue
            return pdu

    def recv(self, timeout=None):
        """The next PDU, whatever it is."""
        if self.kept:
            return self.kept.pop(0)
        return self._next(time.monotonic() + (self.timeout if timeout is None else timeout))

    def expect(self, command, seq=None, timeout=None):
        """The next PDU of this command (and sequence number); others are kept for later."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        for i, pdu in enumerate(self.kept):
            if pdu.command == command and seq in (None, pdu.seq):
                return self.kept.pop(i)
        while True:
            pdu = self._next(deadline)
            if pdu.command == command and seq in (None, pdu.seq):
                return pdu
            self.kept.append(pdu)

    def expect_nothing(self, seconds):
        """Fails when any PDU comes within this time."""
        try:
            pdu = self.recv(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected: {pdu}")

    def expect_closed(self, timeout=None):
        """Reads until the peer closes; returns the PDUs that came before."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        seen, self.kept = self.kept, []
        try:
            while True:
                seen.append(self._next(deadline))
        except (Closed, BrokenPipeError):
            return seen

    # conversations
    def call(self, command, timeout=None, **kwargs):
        """Sends a request and returns its response."""
        seq = self.send(command, **kwargs)
        return self.expect(command + "_resp", seq, timeout)

    def submit(self, text=b"hello", timeout=None, **kwargs):
        text = text.encode() if isinstance(text, str) else text
        return self.call("submit_sm", timeout, short_message=text, **kwargs)

    def enquire(self):
        return self.call("enquire_link")


def connect(port, host="127.0.0.1", timeout=10.0):
    return Conn(socket.create_connection((host, port), timeout), timeout)


def bind(port, system_id="esme1", password="s3cret", kind="transceiver", host="127.0.0.1", timeout=10.0, **fields):
    """A bound ESME; fails when the bind is refused."""
    conn = connect(port, host, timeout)
    resp = conn.call("bind_" + kind, system_id=system_id, password=password, **fields)
    assert resp.status == ESME_ROK, resp
    return conn


class Upstream:
    """A listening SMSC. The test accepts and answers: nothing happens by itself."""

    def __init__(self, port, timeout=10.0):
        self.port, self.timeout = port, timeout
        self.listener = socket.create_server(("127.0.0.1", port))
        self.conns = []

    def accept(self, timeout=None):
        self.listener.settimeout(self.timeout if timeout is None else timeout)
        sock, _ = self.listener.accept()
        conn = Conn(sock, self.timeout)
        self.conns.append(conn)
        return conn

    def accept_bind(self, status=0, system_id="UPSTREAM", timeout=None):
        """Accepts a connection and its bind; the request is left in `conn.bind`."""
        conn = self.accept(timeout)
        conn.bind = conn.recv()
        assert conn.bind.command.startswith("bind_"), conn.bind
        fields = {} if status else {"system_id": system_id}
        tlvs = () if status else [(SC_INTERFACE_VERSION, b"\x34")]
        conn.answer(conn.bind, status, tlvs, **fields)
        return conn

    def close(self):
        self.listener.close()
        for conn in self.conns:
            conn.close()


class Answering:
    """Serves a Conn from a thread: each request goes to `handler(conn, pdu)`, and all that is received to `log`."""

    def __init__(self, conn, handler):
        self.conn, self.handler, self.log = conn, handler, []
        self.changed = threading.Condition()
        self.error = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                pdu = self.conn.recv(3600)
                self.handler(self.conn, pdu)
                with self.changed:
                    self.log.append(pdu)
                    self.changed.notify_all()
        except (Closed, OSError, ValueError):
            pass  # the end of the connection, from either side
        except Exception as e:
            self.error = e
            raise

    def wait(self, count, timeout=30.0):
        """Waits until `count` PDUs are in the log."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.log) >= count or self.error, timeout), len(self.log)
        assert not self.error, self.error


def acknowledge(conn, pdu):
    """A handler for Answering: ESME_ROK to every request."""
    if not COMMANDS.get(pdu.command, 0) & 0x80000000:
        conn.answer(pdu)
