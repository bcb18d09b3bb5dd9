"""What is not built yet says so by its name, and never pretends."""

import pytest
from lib.daemon import OPEN
from test_config_errors import fails

CALLS = {
    "submit_multi_via": 'smpp.submit_multi_via(bind="eu", destinations=["1"], short_message=b"x")',
    "data_via": 'smpp.data_via(bind="eu", short_message=b"x")',
    "cancel_via": 'smpp.cancel_via(bind="eu", message_id="1")',
    "query_via": 'smpp.query_via(bind="eu", message_id="1")',
    "replace_via": 'smpp.replace_via(bind="eu", message_id="1", short_message=b"x")',
    "data_to": "smpp.data_to(session_id=session.session_id)",
    "alert_to": "smpp.alert_to(session_id=session.session_id)",
    "sessions": "smpp.sessions()",
}


@pytest.mark.parametrize("name", CALLS)
def test_call(smscd, name):
    daemon = smscd(
        OPEN
        + f"""
@smpp.on_pdu("submit_sm")
async def submit(pdu, session):
    try:
        await {CALLS[name]}
    except NotImplementedError as e:
        record("not built", text=str(e))
"""
    )
    with daemon.bind() as esme:
        assert esme.submit().status == 0
    assert name in daemon.wait_records("not built")[0]["text"]


@pytest.mark.parametrize(
    "command", ["submit_sm_multi", "data_sm", "cancel_sm", "query_sm", "replace_sm", "alert_notification"]
)
def test_handler(smscd, command):
    script = OPEN + f'\n@smpp.on_pdu("{command}")\nasync def handler(pdu, session): pass\n'
    fails(smscd(script, start=False), "NotImplementedError", command, "script.py")


@pytest.mark.parametrize("name", ["timer", "metrics", "outbox"])
def test_module(smscd, name):
    """Importing or using it: one of the two names what is missing."""
    use = {
        "timer": "@timer.every(seconds=1)\nasync def tick(): pass",
        "metrics": "metrics.counter('n', 'help')",
        "outbox": "@outbox.on_failed\nasync def failed(system_id, fields, reason): pass",
    }[name]
    fails(smscd(OPEN + f"\nfrom siphon import {name}\n{use}\n", start=False), name)


SETTINGS = {
    "http": {"http": {"port": 9775}},
    "tls": {"server": {"tls": {"port": 3550}}},
    "reload": {"reload": "auto"},
    "throttle_action": {"server": {"throttle_action": "reject"}},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_setting(smscd, name):
    fails(smscd(OPEN, start=False, **SETTINGS[name]), name)


@pytest.mark.parametrize(("name", "value"), [("bind_type", "tx+rx"), ("tls", {"verify": True})])
def test_setting_of_a_bind(smscd, name, value):
    bind = {"name": "eu", "host": "h", "port": 1, "system_id": "s", "password": "p", name: value}
    fails(smscd(OPEN, start=False, binds=[bind]), name)
