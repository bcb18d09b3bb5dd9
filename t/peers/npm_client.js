// An ESME on the npm package smpp: HOST PORT SYSTEM_ID PASSWORD COUNT WINDOW. Prints what came as one line of JSON.
'use strict';
const smpp = require('smpp');

const [host, port, systemId, password, count, window] = process.argv.slice(2);
const result = { answers: [], receipts: [] };
let sent = 0;
let inHand = 0;

const session = smpp.connect({ url: `smpp://${host}:${port}` }, () => {
  session.bind_transceiver({ system_id: systemId, password }, (pdu) => {
    if (pdu.command_status !== 0) fail(`bind: ${pdu.command_status}`);
    fill();
  });
});
session.on('error', (error) => fail(error));
session.on('enquire_link', (pdu) => session.send(pdu.response()));
session.on('deliver_sm', (pdu) => {
  const text = String(pdu.short_message.message);
  result.receipts.push([/id:(\S+)/.exec(text)[1], /stat:(\S+)/.exec(text)[1]]);
  session.send(pdu.response());
  check();
});

function fill() {
  while (inHand < Number(window) && sent < Number(count)) {
    inHand++;
    const n = String(sent++).padStart(5, '0');
    const message = {
      source_addr: '1000', destination_addr: `4477009${n}`, short_message: `npm ${n}`, registered_delivery: 1,
    };
    session.submit_sm(message, (pdu) => {
      inHand--;
      result.answers.push([pdu.command_status, pdu.message_id]);
      fill();
      check();
    });
  }
}

function check() {
  if (result.answers.length < Number(count) || result.receipts.length < Number(count)) return;
  session.unbind(() => {
    session.close();
    console.log(JSON.stringify(result));
  });
}

function fail(reason) {
  console.error(String(reason), JSON.stringify([result.answers.length, result.receipts.length]));
  process.exit(1);
}
