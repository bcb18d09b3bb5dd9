"""smpp.config() and its like: what the file says, defaults filled in, and no password anywhere."""

import json

import pytest
from lib.daemon import OPEN

BIND = {"name": "eu", "host": "192.0.2.1", "port": 2776, "system_id": "gw", "password": "pw-of-eu"}


@pytest.fixture
def readouts(smscd, redis_server):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    record("readouts", config=smpp.config(), address=smpp.bind_address(), binds=smpp.binds(),
           rules=smpp.routing_rules())
""",
        binds=[BIND, {**BIND, "name": "us", "bind_type": "transmitter", "window": 33, "password": "pw-of-us"}],
        routing={
            "default_chain": ["bind:eu", "bind:us"],
            "rules": [{"prefix": "44", "chain": ["bind:us"], "name": "uk", "options": {"price": "5", "who": "me"}}],
        },
        redis={"url": f"redis://:redispw@127.0.0.1:{redis_server(requirepass='redispw').port}"},
    )
    with daemon.bind() as esme:
        assert esme.submit().status == 0
    return daemon, daemon.wait_records("readouts")[0]


def test_readouts(readouts):
    daemon, seen = readouts
    config = seen["config"]
    assert config["server"]["port"] == daemon.port
    assert config["server"]["system_id"] == "smscd"
    assert config["server"]["enquire_link_timer_ms"] == 30000
    assert (config["workers"], config["handler_timeout_ms"]) == (1, 25000)
    assert [b["name"] for b in config["binds"]] == ["eu", "us"]
    assert [b["window"] for b in config["binds"]] == [10, 33]
    assert [b["bind_type"] for b in config["binds"]] == ["transceiver", "transmitter"]
    assert config["log"] == {"level": "info", "format": "text", "file": ""}
    assert seen["address"] == f"127.0.0.1:{daemon.port}"
    assert [(b["name"], b["host"], b["port"]) for b in seen["binds"]] == [
        ("eu", "192.0.2.1", 2776),
        ("us", "192.0.2.1", 2776),
    ]
    chain, rules = seen["rules"]
    assert chain == ["bind:eu", "bind:us"]
    assert rules == [{"prefix": "44", "chain": ["bind:us"], "name": "uk", "options": {"price": "5", "who": "me"}}]


def test_no_password(readouts):
    daemon, seen = readouts
    assert not [word for word in ("pw-of-eu", "pw-of-us", "redispw") if word in json.dumps(seen)]
    daemon.stop()
    assert not daemon.log.find("pw-of-eu|pw-of-us|redispw|s3cret")


def test_a_script_cannot_change_the_configuration(smscd):
    daemon = smscd(
        OPEN
        + """
smpp.config()["server"]["port"] = 1

@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    record("port", port=smpp.config()["server"]["port"])
"""
    )
    with daemon.bind() as esme:
        esme.submit()
    assert daemon.wait_records("port")[0]["port"] == daemon.port


def test_without_routing(smscd):
    daemon = smscd(
        OPEN
        + """
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    record("empty", binds=smpp.binds(), rules=smpp.routing_rules())
"""
    )
    with daemon.bind() as esme:
        esme.submit()
    (seen,) = daemon.wait_records("empty")
    assert (seen["binds"], seen["rules"]) == ([], [[], []])
