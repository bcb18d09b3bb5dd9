"""The session's timers: enquire_link both ways, inactivity, the response timer."""

import pytest
from lib import smpp_raw as raw
from lib.daemon import OPEN

SILENT = {"enquire_link_timer_ms": 100, "response_timer_ms": 200}


@pytest.mark.parametrize("kind", ["transceiver", "transmitter", "receiver"])
def test_answers_enquire_link(smscd, kind):
    daemon = smscd(OPEN)
    with daemon.bind(kind=kind) as esme:
        assert esme.call("enquire_link", seq=0x7FFFFFFF).seq == 0x7FFFFFFF


def test_asks_a_silent_peer(smscd):
    daemon = smscd(OPEN, server=SILENT)
    with daemon.bind() as esme:
        esme.answer_enquire = False
        for _ in range(3):
            esme.answer(esme.expect("enquire_link"))
        assert esme.submit().status == raw.ESME_ROK


def test_closes_on_a_dead_peer(smscd):
    daemon = smscd(OPEN, server=SILENT)
    with daemon.bind() as esme:
        esme.answer_enquire = False
        seen = esme.expect_closed()
        assert [p.command for p in seen if p.command != "unbind"] == ["enquire_link"]


def test_inactivity(smscd):
    daemon = smscd(OPEN, server={"enquire_link_timer_ms": 50, "inactivity_timer_ms": 300})
    with daemon.bind() as esme:
        unbind = esme.expect("unbind")  # although every enquire_link was answered
        esme.answer(unbind)
        esme.expect_closed()


def test_response_timer(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    try:
        await smpp.deliver_to(session_id=session.session_id, short_message=b"never answered")
    except smpp.ResponseTimeout:
        return pdu.reply(message_id="timeout")
""",
        server={"response_timer_ms": 200},
    )
    with daemon.bind() as esme:
        assert esme.submit().message_id == "timeout"
        deliver = esme.expect("deliver_sm")
        esme.answer(deliver)  # late: ignored
        assert esme.enquire().status == raw.ESME_ROK
        assert not esme.kept
