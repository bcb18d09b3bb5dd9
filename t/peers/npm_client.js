// An ESME on the npm package smpp: HOST PORT SYSTEM_ID PASSWORD COUNT WINDOW. Prints what came, in
// order, as one line of JSON: ["answer", id, status] and ["receipt", id, stat].
'use strict';
const smpp = require('smpp');

const [host, port, systemId, password, count, window] = process.argv.slice(2);
const events = [];
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
  events.push(['receipt', /id:(\S+)/.exec(text)[1], /stat:(\S+)/.exec(text)[1]]);
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
      events.push(['answer', pdu.message_id, pdu.command_status]);
      fill();
      check();
    });
  }
}

function check() {
  if (events.length < 2 * Number(count)) return;
  session.unbind(() => {
    session.close();
    console.log(JSON.stringify(events));
  });
}

function fail(reason) {
  console.error(`${reason} after ${events.length} events`);
  process.exit(1);
}
