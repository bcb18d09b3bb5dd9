"""How receipts and messages find each other, in orders and at times that only a clock of the test's own can make."""

import pytest
from siphon import cache, receipts, smpp

SCRIPT = """
import asyncio
from siphon import log, receipts, smpp

@smpp.on_pdu("submit_sm")
async def on_submit(pdu, session):
    resp = await receipts.submit_via("carrier", short_message=pdu.short_message, context={"body": pdu.body.decode()})
    await asyncio.sleep(3)
    log.info(f"answered {pdu.body.decode()}")
    return pdu.reply(message_id=resp.message_id)

@smpp.on_pdu("deliver_sm")
async def on_deliver(pdu, session):
    return await receipts.route(pdu, session)

@receipts.on_receipt
async def on_receipt(receipt):
    log.info(f"{receipt.stat} of {receipt.context['body']}")
    assert (await smpp.deliver_to("s", short_message=receipt.body("1"))).ok
"""


@pytest.fixture
def harness(smpp_harness):
    smpp_harness.load_source(SCRIPT)
    return smpp_harness


def receipt(harness, stat="DELIVRD", identifier="msg-1"):
    return harness.deliver_sm(esm_class=4, short_message=f"id:{identifier} stat:{stat}".encode()).command_status


def submit(harness, body=b"x"):
    return harness.submit_sm(source_addr="1", destination_addr="2", short_message=body).message_id


def said(harness):
    return [text for level, text in harness.log.messages if level == "info"]


def test_an_early_receipt_waits_for_the_end_of_the_handler(harness):
    assert receipt(harness) == "ESME_ROK"
    submit(harness)
    harness.advance(0)
    assert said(harness) == ["answered x", "DELIVRD of x"]


def test_what_was_taken_is_not_handed_out_again(harness):
    """Two came before their message, the application takes the first only."""
    assert receipt(harness, "ENROUTE") == receipt(harness) == "ESME_ROK"
    harness.answer("deliver_to", times=1)
    harness.answer("deliver_to", "no_session", times=1)
    submit(harness)
    harness.advance(600)
    assert said(harness) == ["answered x", "ENROUTE of x", "DELIVRD of x", "DELIVRD of x"]
    assert receipt(harness) == "ESME_ROK"
    assert harness.counters["receipts_duplicate"] == 1


def test_a_message_is_remembered_when_redis_is_back(harness):
    harness.redis_away = True
    assert submit(harness) == "msg-1"
    assert receipt(harness) == "ESME_RX_T_APPN"
    harness.redis_away = False
    assert receipt(harness) == "ESME_ROK"  # kept: the message is not remembered yet
    harness.advance(10)
    assert said(harness)[-1] == "DELIVRD of x"


def test_redis_away_is_no_error_of_the_handler(harness):
    submit(harness)
    harness.redis_away = True
    assert receipt(harness) == "ESME_RX_T_APPN"
    assert harness.counters["handler_errors"] == 0


def test_remembered_twice_is_handed_out_once_after_the_answer(smpp_harness):
    smpp_harness.load_source(
        SCRIPT.replace(
            "    await asyncio.sleep(3)",
            """
    await receipts.remember("carrier", resp.message_id, {"body": pdu.body.decode()})
    await asyncio.sleep(3)""",
        )
    )
    receipt(smpp_harness)
    submit(smpp_harness)
    smpp_harness.advance(600)
    assert said(smpp_harness) == ["answered x", "DELIVRD of x"]


def test_the_sweep_takes_up_what_a_worker_left(harness):
    """As when a worker died between the write and the hand-out."""
    assert receipt(harness) == "ESME_ROK"
    harness.answer("deliver_to", "no_session", times=1)
    submit(harness)
    harness.run(cache.set("receipt:carrier:msg-1:lease", "another", ttl=30))
    harness.advance(20)
    assert len(said(harness)) == 2
    harness.advance(120)
    assert said(harness) == ["answered x", "DELIVRD of x", "DELIVRD of x"]


def test_what_route_does_not_take(harness):
    with pytest.raises(ValueError, match="takes a receipt"):

        @smpp.on_pdu("deliver_sm")
        async def on_deliver(pdu, session):
            return await receipts.route(pdu, session)

        harness.deliver_sm(short_message=b"from a phone")
    assert receipt(harness, identifier="") == "ESME_RX_P_APPN"
    with pytest.raises(ValueError, match="ttl"):
        harness.run(receipts.submit_via("carrier", context={}, ttl=0))
    with pytest.raises(TypeError):
        harness.run(receipts.submit_via("carrier", context={"x": object()}))
    with pytest.raises(TypeError, match="shortmessage"):
        harness.run(receipts.submit_via("carrier", context={}, shortmessage=b"x"))
    assert harness.history == []


def test_a_handler_that_never_returns(smpp_harness):
    smpp_harness.load_source(SCRIPT.replace("    assert (await", "    await asyncio.sleep(1000)\n    assert (await"))
    receipt(smpp_harness)
    submit(smpp_harness)
    smpp_harness.advance(60)
    assert said(smpp_harness) == ["answered x", "DELIVRD of x", "DELIVRD of x", "DELIVRD of x"]
    assert any("takes longer than 25 s" in text for _, text in smpp_harness.log.messages)
