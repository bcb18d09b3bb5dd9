"""Tests of scripts without a gateway: see :class:`siphon_sdk.smpp_testing.SmppTestHarness`."""
