"""An ESME on smpplib: HOST PORT SYSTEM_ID PASSWORD COUNT WINDOW. Prints what came, in order, as one line
of JSON: ["answer", id, status] and ["receipt", id, stat]."""

import json
import re
import sys

import smpplib.client

host, port, system_id, password, count, window = sys.argv[1:]
count, window = int(count), int(window)
events = []


def sent(pdu):
    events.append(["answer", pdu.message_id.decode(), pdu.status])


def received(pdu):
    text = pdu.short_message.decode()
    events.append(["receipt", re.search(r"id:(\S+)", text)[1], re.search(r"stat:(\S+)", text)[1]])
    return 0


client = smpplib.client.Client(host, port, timeout=30, allow_unknown_opt_params=True)
client.set_message_sent_handler(sent)
client.set_message_received_handler(received)
client.connect()
client.bind_transceiver(system_id=system_id, password=password)
submitted = 0
while len(events) < 2 * count:
    while submitted < count and submitted - sum(e[0] == "answer" for e in events) < window:
        client.send_message(
            source_addr="1000",
            destination_addr=f"4477009{submitted:05}",
            short_message=f"smpplib {submitted}".encode(),
            registered_delivery=True,
        )
        submitted += 1
    client.read_once()
client.unbind()
client.disconnect()
print(json.dumps(events))
