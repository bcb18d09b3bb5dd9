// scripts/bench --peers: an SMSC on the npm package smpp that answers each submit_sm with an id of its own. Argument: port.
'use strict';
const smpp = require('smpp');

let ids = 0;
const server = smpp.createServer((session) => {
  session.on('error', () => session.close());
  session.on('bind_transceiver', (pdu) => session.send(pdu.response({ system_id: 'npm' })));
  session.on('submit_sm', (pdu) => session.send(pdu.response({ message_id: String(++ids) })));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
