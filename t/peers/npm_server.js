// An SMSC on the npm package smpp: PORT PASSWORD. Answers each submit_sm with an id and sends its receipt; every other
// one before the answer. Prints one line of JSON per event.
'use strict';
const smpp = require('smpp');

const [port, password] = process.argv.slice(2);
let ids = 0;

function say(event) {
  console.log(JSON.stringify(event));
}

// What was said goes out before the end.
process.on('SIGTERM', () => process.stdout.write('', () => process.exit(0)));

const server = smpp.createServer((session) => {
  session.on('error', () => {});
  session.on('bind_transceiver', (pdu) => {
    const status = pdu.password === password ? 0 : smpp.ESME_RINVPASWD;
    session.send(pdu.response({ command_status: status, system_id: 'npm-smsc' }));
    say({ event: 'bind', system_id: pdu.system_id, status });
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
    say({ event: 'unbind' });
  });
  session.on('submit_sm', (pdu) => {
    const id = `npm-${++ids}`;
    say({ event: 'submit', id, text: String(pdu.short_message.message) });
    const answer = () => session.send(pdu.response({ message_id: id }));
    const receipt = () => session.deliver_sm({
      source_addr: pdu.destination_addr,
      destination_addr: pdu.source_addr,
      esm_class: 4,
      short_message: `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:x`,
    }, (resp) => say({ event: 'receipt', id, status: resp.command_status }));
    if (ids % 2) {
      answer();
      receipt();
    } else {
      receipt();
      answer();
    }
  });
});
server.listen(Number(port), '127.0.0.1', () => say({ event: 'listening' }));
