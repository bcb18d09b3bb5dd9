// Every command on the npm package smpp, as both peers of a gateway that relays: UPSTREAM_PORT GATEWAY_PORT. Listens,
// binds to the gateway once the gateway has bound here, sends each command, and prints who saw what, as JSON.
'use strict';
const smpp = require('smpp');

const [upstreamPort, gatewayPort] = process.argv.slice(2).map(Number);
const seen = {};
const FIELDS = ['service_type', 'source_addr_ton', 'source_addr_npi', 'source_addr', 'dest_addr_ton', 'dest_addr_npi',
  'destination_addr', 'dest_address', 'esm_class', 'data_coding', 'registered_delivery', 'message_id', 'esme_addr_ton',
  'esme_addr_npi', 'esme_addr', 'ms_availability_status', 'unsuccess_sme', 'message_state', 'error_code',
  'delivery_failure_reason', 'user_message_reference', 'command_status'];

function note(who, pdu) {
  const found = {};
  for (const name of FIELDS) if (pdu[name] !== undefined && pdu[name] !== null) found[name] = pdu[name];
  const body = pdu.message_payload || pdu.short_message;
  if (body !== undefined && body !== null) found.body = String(body.message === undefined ? body : body.message);
  seen[`${who} ${pdu.command}`] = found;
}

const from = { source_addr_ton: 5, source_addr_npi: 0, source_addr: 'BANK' };
const to = { dest_addr_ton: 2, dest_addr_npi: 8, destination_addr: '15550101' };
const ANSWERS = {
  submit_multi: {
    message_id: 'multi-1',
    unsuccess_sme: [{ dest_addr_ton: 2, dest_addr_npi: 8, destination_addr: '1555', error_status_code: 11 }],
  },
  data_sm: { message_id: 'data-1', user_message_reference: 77 },
  cancel_sm: { command_status: smpp.ESME_RCANCELFAIL },
  query_sm: { message_id: 'm-1', message_state: 2, error_code: 9 },
  replace_sm: {},
};
const REQUESTS = {
  submit_multi: {
    ...from,
    dest_address: [{ dest_addr_ton: 2, dest_addr_npi: 8, destination_addr: '1555' }, { dl_name: 'friends' }],
    short_message: 'to many',
    service_type: 'CMT',
  },
  data_sm: { ...from, ...to, data_coding: 0, message_payload: 'x'.repeat(300), user_message_reference: 42 },
  cancel_sm: { ...from, ...to, message_id: 'm-1', service_type: 'CMT' },
  query_sm: { ...from, message_id: 'm-1' },
  replace_sm: { ...from, message_id: 'm-1', short_message: 'another', registered_delivery: 1 },
};

function attach(session, who) {
  session.on('error', () => {});
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => session.send(pdu.response()));
  for (const command of Object.keys(ANSWERS)) {
    session.on(command, (pdu) => {
      note(who, pdu);
      session.send(pdu.response(ANSWERS[command]));
    });
  }
}

function ask(session, who, command, fields) {
  return new Promise((resolve) => session.send(new smpp.PDU(command, fields), (pdu) => {
    note(who, pdu);
    resolve();
  }));
}

async function converse(upstream) {
  const esme = smpp.connect({ url: `smpp://127.0.0.1:${gatewayPort}` });
  attach(esme, 'esme');
  await new Promise((resolve) => esme.on('connect', resolve));
  await ask(esme, 'esme', 'bind_transceiver', { system_id: 'esme1', password: 's3cret' });
  for (const [command, fields] of Object.entries(REQUESTS)) await ask(esme, 'esme', command, fields);
  await ask(upstream, 'upstream', 'data_sm', { ...from, ...to, message_payload: 'back', esm_class: 0 });
  const alerted = new Promise((resolve) => esme.on('alert_notification', resolve));
  upstream.send(new smpp.PDU('alert_notification', {
    ...from, esme_addr_ton: 3, esme_addr_npi: 4, esme_addr: '4477', ms_availability_status: 2,
  }));
  note('esme', await alerted);
  await ask(esme, 'esme', 'unbind', {});
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
}

const server = smpp.createServer((session) => {
  attach(session, 'upstream');
  session.on('bind_transceiver', (pdu) => {
    session.send(pdu.response({ system_id: 'npm-smsc' }));
    setImmediate(() => converse(session));
  });
});
server.listen(upstreamPort, '127.0.0.1', () => console.log('listening'));
