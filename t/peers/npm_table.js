// Both ends of a gateway on the npm package smpp, led by lines of JSON on standard input: UPSTREAM_PORT GATEWAY_PORT.
//   {"connect": NAME}                            an application's connection of that name, not bound yet
//   {"send": COMMAND, "who": NAME, "fields": {}} a request; "upstream" is the session that the gateway bound
//   {"answer": COMMAND, "who": NAME, "fields": {}} how requests of that kind are answered from now on
// Prints each request and each response that came as a line. Octets are {"hex": ...}; optional parameters are a list
// "tlvs" of [tag, value] in the order of the wire, decoded as the package does.
'use strict';
const readline = require('readline');
const smpp = require('smpp');

const [upstreamPort, gatewayPort] = process.argv.slice(2).map(Number);
const sessions = {};
const answers = {};
// A vendor's, and two that the package has wider than SMPP 3.4 does: octets as they are.
for (const id of [0x1400, 0x3fff]) smpp.addTLV(`vendor_${id}`, { id, type: smpp.types.tlv.buffer });
smpp.addTLV('source_telematics_id', { id: 0x0010, type: smpp.types.tlv.buffer });
smpp.addTLV('alert_on_message_delivery', { id: 0x130c, type: smpp.types.tlv.buffer });

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function plain(value) {
  if (Buffer.isBuffer(value)) return { hex: value.toString('hex') };
  if (value instanceof Date || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

function octets(value) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(octets);
  if ('hex' in value) return Buffer.from(value.hex, 'hex');
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, octets(one)]));
}

// A parameter of the body has its name even where an optional one is called the same, as message_state is.
function read(pdu) {
  const params = smpp.commands[pdu.command].params || {};
  const fields = {};
  const tlvs = [];
  for (const [name, value] of Object.entries(pdu)) {
    const tlv = smpp.tlvs[name];
    if (!tlv || name in params) fields[name] = plain(value);
    else for (const one of tlv.multiple ? value : [value]) tlvs.push([tlv.id, plain(one)]);
  }
  return { ...fields, tlvs };
}

function written({ tlvs = [], ...fields }) {
  const made = octets(fields);
  for (const [tag, value] of tlvs) {
    const { tag: name, multiple } = smpp.tlvsById[tag];
    made[name] = multiple ? [...(made[name] || []), octets(value)] : octets(value);
  }
  return made;
}

function attach(who, session) {
  sessions[who] = session;
  session.on('error', () => {});
  session.on('close', () => say({ who, closed: true }));
  session.on('pdu', (pdu) => {
    if (pdu.isResponse()) return;
    say({ who, request: pdu.command, fields: read(pdu) });
    if (pdu.command === 'alert_notification') return;
    session.send(pdu.response(written(answers[`${who} ${pdu.command}`] || {})));
  });
}

function obey({ connect, send, answer, who, fields = {} }) {
  if (connect) {
    const session = smpp.connect({ url: `smpp://127.0.0.1:${gatewayPort}` }, () => say({ who: connect, connected: true }));
    attach(connect, session);
  } else if (answer) {
    answers[`${who} ${answer}`] = fields;
    say({ who, agreed: answer });
  } else {
    const told = (pdu) => say({ who, response: pdu.command, fields: read(pdu) });
    sessions[who].send(new smpp.PDU(send, written(fields)), told);
  }
}

const server = smpp.createServer((session) => attach('upstream', session));
server.listen(upstreamPort, '127.0.0.1', () => say({ listening: true, errors: smpp.errors }));
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => obey(JSON.parse(line)));
lines.on('close', () => process.exit(0));
