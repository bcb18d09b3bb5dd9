"""The example of the script API's documentation, as it is written there."""

from siphon_sdk.smpp_testing import SmppTestHarness


def test_gateway_authorises_and_submits():
    harness = SmppTestHarness()
    harness.load_script("examples/gateway.py")

    # bind_transceiver → @smpp.on_bind
    assert harness.bind("esme1", password="s3cret")

    # submit_sm → @smpp.on_pdu("submit_sm")
    reply = harness.submit_sm(source_addr="15550100", destination_addr="15550101", short_message=b"hi")
    assert reply.ok

    # a DLR delivered on an outbound bind is routed back to the ESME
    harness.deliver_sm(esm_class=0x04, short_message=b"id:msg-1 stat:DELIVRD err:000")
    assert harness.sent[0][0] == "deliver_to"
