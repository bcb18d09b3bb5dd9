"""An ESME on smpplib: HOST PORT SYSTEM_ID PASSWORD COUNT WINDOW. Prints what came as one line of JSON."""

import json
import re
import sys

import smpplib.client

host, port, system_id, password, count, window = sys.argv[1:]
count, window = int(count), int(window)
answers, receipts = [], []


def sent(pdu):
    answers.append([pdu.status, pdu.message_id.decode()])


def received(pdu):
    text = pdu.short_message.decode()
    receipts.append([re.search(r"id:(\S+)", text)[1], re.search(r"stat:(\S+)", text)[1]])
    return 0


client = smpplib.client.Client(host, port, timeout=30, allow_unknown_opt_params=True)
client.set_message_sent_handler(sent)
client.set_message_received_handler(received)
client.connect()
client.bind_transceiver(system_id=system_id, password=password)
submitted = 0
while len(answers) < count or len(receipts) < count:
    while submitted < count and submitted - len(answers) < window:
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
print(json.dumps({"answers": answers, "receipts": receipts}))
