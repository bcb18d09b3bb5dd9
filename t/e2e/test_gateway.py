"""examples/gateway.py: what an upstream is told of a message from a phone that the application refuses."""

from pathlib import Path

import pytest
from lib import smpp_raw as raw

EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway.py"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (raw.ESME_ROK, raw.ESME_ROK),
        (raw.ESME_RINVBNDSTS, raw.ESME_RX_T_APPN),  # it is just unbinding: later, not never
        (raw.ESME_RMSGQFUL, raw.ESME_RX_T_APPN),
        (raw.ESME_RINVDSTADR, raw.ESME_RINVDSTADR),
        (0x40A, raw.ESME_RX_P_APPN),  # means nothing to the upstream, which must not send for ever
    ],
)
def test_answer_to_a_message_from_a_phone(smscd, upstream, redis_server, answer, told):
    redis, smsc = redis_server(), upstream()
    redis.client().set("siphon:mo:2000", "esme1")
    bind = {"name": "eu", "host": "127.0.0.1", "port": smsc.port, "system_id": "g", "password": "p"}
    daemon = smscd(EXAMPLE.read_text(), binds=[bind], redis={"url": redis.url})
    up = smsc.accept_bind()
    daemon.log.wait(r"\beu\b.*bound")
    with daemon.bind() as esme:
        seq = up.send("deliver_sm", short_message=b"hello")
        esme.answer(esme.expect("deliver_sm"), answer)
        assert up.expect("deliver_sm_resp", seq).status == told


def test_the_longest_prefix_decides(smscd, upstream):
    """Of the rules that fit the longest, of two alike the first; without one the default chain; "+" is no digit."""
    names = ("default", "germany", "mobile", "never")
    smscs = {name: upstream() for name in names}
    binds = [
        {"name": name, "host": "127.0.0.1", "port": smsc.port, "system_id": "g", "password": "p"}
        for name, smsc in smscs.items()
    ]
    rules = [
        {"prefix": "49", "chain": ["bind:germany"]},
        {"prefix": "4917", "chain": ["bind:mobile"]},
        {"prefix": "4917", "chain": ["bind:never"]},
    ]
    daemon = smscd(EXAMPLE.read_text(), binds=binds, routing={"default_chain": ["bind:default"], "rules": rules})
    ups = {name: smsc.accept_bind() for name, smsc in smscs.items()}
    for name in names:
        daemon.log.wait(rf"bind {name}: up")
    for number, name in ((b"49301", "germany"), (b"+49171", "mobile"), (b"4917", "mobile"), (b"4", "default")):
        with daemon.bind() as esme:
            seq = esme.send("submit_sm", destination_addr=number)
            request = ups[name].expect("submit_sm")
            assert request.destination_addr == number.decode()
            ups[name].answer(request, message_id="x" + number.decode())
            assert esme.expect("submit_sm_resp", seq).status == raw.ESME_ROK
