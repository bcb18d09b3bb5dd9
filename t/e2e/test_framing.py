"""Octets that are no proper PDUs: the protocol's own error, and a process that lives on."""

import random
import struct

import pytest
from lib import smpp_raw as raw
from lib.daemon import OPEN


@pytest.fixture
def daemon(smscd):
    daemon = smscd(OPEN + '\n@smpp.on_pdu("submit_sm")\nasync def submit(pdu, session):\n    return None\n')
    pids = daemon.worker_pids()
    yield daemon
    assert daemon.worker_pids() == pids, "the worker died"
    with daemon.bind() as esme:
        assert esme.submit().status == raw.ESME_ROK


def test_single_octets(daemon):
    with daemon.connect() as esme:
        for pdu in (raw.encode("bind_transceiver", 1, system_id="esme1"), raw.encode("submit_sm", 2)):
            for octet in pdu:
                esme.write(bytes([octet]))
            assert esme.recv().status == raw.ESME_ROK


def test_many_in_one_write(daemon):
    with daemon.bind() as esme:
        esme.write(b"".join(raw.encode("submit_sm", n, short_message=b"x" * (n % 250)) for n in range(1, 501)))
        assert [esme.recv().seq for _ in range(500)] == list(range(1, 501))


def test_split_at_every_place(daemon):
    """Two PDUs, cut in two writes at each possible place."""
    two = raw.encode("submit_sm", 1, short_message=b"abc") + raw.encode("enquire_link", 2)
    with daemon.bind() as esme:
        for cut in range(1, len(two)):
            esme.write(two[:cut])
            esme.write(two[cut:])
            assert {esme.recv().command, esme.recv().command} == {"submit_sm_resp", "enquire_link_resp"}


@pytest.mark.parametrize("cut", [1, 3, 4, 15, 16, 17, 40])
def test_truncated_then_closed(daemon, cut):
    with daemon.bind() as esme:
        esme.write(raw.encode("submit_sm", 9, short_message=b"cut")[:cut])


@pytest.mark.parametrize("length", [0, 1, 4, 15])
def test_length_below_a_header(daemon, length):
    with daemon.bind() as esme:
        esme.write(raw.header(0x04, 5, length=length))
        nack = esme.recv()
        assert (nack.command, nack.status) == ("generic_nack", raw.ESME_RINVCMDLEN)
        esme.expect_closed()


@pytest.mark.parametrize("length", [70001, 0x7FFFFFFF, 0xFFFFFFFF])
def test_oversized(daemon, length):
    with daemon.bind() as esme:
        esme.write(raw.header(0x04, 5, length=length))
        nack = esme.recv()
        assert (nack.command, nack.status) == ("generic_nack", raw.ESME_RINVCMDLEN)
        esme.expect_closed()


def test_largest(smscd):
    daemon = smscd(OPEN, server={"max_pdu_bytes": 2000})
    body = raw.encode_body("submit_sm")
    with daemon.bind() as esme:
        filler = struct.pack(">HH", 0x1400, 2000 - 16 - len(body) - 4) + bytes(2000 - 16 - len(body) - 4)
        esme.write(raw.header(0x04, 5, body=body + filler))
        assert esme.recv().status == raw.ESME_ROK
        esme.write(raw.header(0x04, 6, length=2001))
        assert esme.recv().status == raw.ESME_RINVCMDLEN


def refused(esme, octets, seq=5):
    """The status of the answer to a malformed submit_sm; the session must go on."""
    esme.write(octets)
    resp = esme.recv()
    assert resp.command in ("submit_sm_resp", "generic_nack")
    assert resp.seq == seq
    assert resp.status != raw.ESME_ROK
    assert esme.submit().status == raw.ESME_ROK
    return resp.status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"A" * 300,  # a string that never ends
        b"A" * 5 + b"\0" + raw.encode_body("submit_sm")[1:] + b"\xff",
        b"\0\1\1" + b"9" * 21 + b"\0" + b"\1\1" + b"2\0" + bytes(12),  # source_addr longer than 20
        raw.encode_body("submit_sm")[:-1] + b"\x0a" + b"short",  # sm_length says 10
        raw.encode_body("submit_sm")[:-1] + b"\xff" + b"x" * 255,  # sm_length beyond 254
        raw.encode_body("submit_sm")[:-1],  # no sm_length
    ],
    ids=["empty", "one", "endless", "tail", "long-address", "lying-length", "too-long", "missing"],
)
def test_malformed_body(daemon, body):
    with daemon.bind() as esme:
        refused(esme, raw.header(0x04, 5, body=body))


@pytest.mark.parametrize(
    "tlv", [b"\x04", b"\x04\x24\x00", b"\x04\x24\x00\x05abc", b"\x04\x24\xff\xff", b"\x02\x04\x00\x02\x00\x01\x14"]
)
def test_lying_tlv(daemon, tlv):
    with daemon.bind() as esme:
        status = refused(esme, raw.header(0x04, 5, body=raw.encode_body("submit_sm") + tlv))
        assert status in (raw.ESME_RINVOPTPARSTREAM, raw.ESME_RINVPARLEN, raw.ESME_RINVCMDLEN)


@pytest.mark.parametrize("command_id", [0x00, 0x0A, 0x22, 0x7FFFFFFF, 0x104])
def test_unknown_command(daemon, command_id):
    with daemon.bind() as esme:
        esme.write(raw.header(command_id, 42, body=b"whatever"))
        nack = esme.recv()
        assert (nack.command, nack.status, nack.seq) == ("generic_nack", raw.ESME_RINVCMDID, 42)
        assert esme.submit().status == raw.ESME_ROK


@pytest.mark.parametrize("command_id", [0x80000004, 0x80000005, 0x80000015, 0x80000000, 0x80000001])
def test_response_nobody_waits_for(daemon, command_id):
    with daemon.bind() as esme:
        esme.write(raw.header(command_id, 4711))
        assert esme.submit().status == raw.ESME_ROK
        assert not esme.kept


@pytest.mark.parametrize("seq", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_any_sequence_number_comes_back(daemon, seq):
    with daemon.bind() as esme:
        assert esme.submit(seq=seq).seq == seq


@pytest.mark.parametrize(
    "octets",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32), b"\0" * 64],
)
def test_another_protocol(daemon, octets):
    with daemon.connect() as stranger:
        stranger.write(octets)
        assert all(p.command == "generic_nack" for p in stranger.expect_closed())


def test_long_bind_strings(daemon):
    with daemon.connect() as esme:
        resp = esme.call("bind_transceiver", system_id="x" * 16, password="s3cret")  # 15 is the most
        assert resp.status != raw.ESME_ROK


def mutations(seed, count):
    rng = random.Random(seed)
    good = raw.encode("submit_sm", 5, short_message=b"hello", tlvs=[(0x0204, b"\0\1"), (0x0424, b"payload")])
    for _ in range(count):
        octets = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            octets[rng.randrange(4 if rng.random() < 0.9 else 0, len(octets))] = rng.randrange(256)
        yield bytes(octets)


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 5))])
def test_mutated_octets(daemon, seed):
    """Whatever the answer is, each one is answered or the connection closed."""
    esme = daemon.bind()
    for octets in mutations(seed, 200):
        try:
            esme.write(octets + raw.encode("enquire_link", 0x7ABC))
            esme.expect("enquire_link_resp", 0x7ABC, timeout=0.2)
        except (raw.Closed, OSError, TimeoutError, ValueError, AssertionError):
            esme.close()  # closed on us, or waiting for the rest of a longer PDU
            esme = daemon.bind()
    esme.close()
