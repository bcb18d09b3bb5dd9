"""What is not built yet says so by its name, and never pretends."""

import pytest
from lib.daemon import OPEN
from test_config_errors import fails


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
