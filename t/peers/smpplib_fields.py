"""An ESME on smpplib that submits one message with the fields of the JSON on standard input, prints its answer, and
then the fields of the deliver_sm that comes."""

import json
import sys

import smpplib.client

told = json.loads(sys.stdin.readline())
done = []


def plain(value):
    return value.decode() if isinstance(value, bytes) else value


def sent(pdu):
    print(json.dumps({"message_id": pdu.message_id.decode(), "status": pdu.status}), flush=True)


def received(pdu):
    found = {name: plain(getattr(pdu, name)) for name in told["names"]}
    done.append({**found, "short_message": pdu.short_message.hex()})
    return 0


client = smpplib.client.Client("127.0.0.1", told["port"], timeout=20)
client.set_message_sent_handler(sent)
client.set_message_received_handler(received)
client.connect()
client.bind_transceiver(system_id="smpplib", password="s3cret")
client.send_message(short_message=bytes.fromhex(told["body"]), **told["fields"])
while not done:
    client.read_once()
client.unbind()
client.disconnect()
print(json.dumps(done[0]))
