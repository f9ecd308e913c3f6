/** protocol.json, checked, and what all outputs need to know of it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export const protocol = JSON.parse(readFileSync(new URL('../protocol.json', import.meta.url), 'utf8'));
export const NOTE = 'Generated from protocol.json by generate.mjs (npm run protocol). Do not edit.';

export const SCALARS = {
  u8: { size: 1, min: 0, max: 0xff, c: 'uint8_t', array: 'Uint8Array', get: 'getUint8', set: 'setUint8' },
  i8: { size: 1, min: -0x80, max: 0x7f, c: 'int8_t', array: 'Int8Array', get: 'getInt8', set: 'setInt8' },
  u16: {
    size: 2,
    min: 0,
    max: 0xffff,
    c: 'uint16_t',
    array: 'Uint16Array',
    get: 'getUint16',
    set: 'setUint16',
  },
  i16: {
    size: 2,
    min: -0x8000,
    max: 0x7fff,
    c: 'int16_t',
    array: 'Int16Array',
    get: 'getInt16',
    set: 'setInt16',
  },
  u32: {
    size: 4,
    min: 0,
    max: 0xffffffff,
    c: 'uint32_t',
    array: 'Uint32Array',
    get: 'getUint32',
    set: 'setUint32',
  },
  i32: {
    size: 4,
    min: -0x80000000,
    max: 0x7fffffff,
    c: 'int32_t',
    array: 'Int32Array',
    get: 'getInt32',
    set: 'setInt32',
  },
  f32: { size: 4, c: 'float', array: 'Float32Array', get: 'getFloat32', set: 'setFloat32' },
};

// What a host and a board of any two protocols must share, to be able to name each other.
const FROZEN = {
  header: 'type:u8 session:u32 sequence:u32',
  Hello: '1 nonce:u32 protocolVersion:u16 protocolHash:u32',
  HelloReply:
    '129 nonce:u32 protocolVersion:u16 protocolHash:u32 bootId:u32 session:u32 firmwareVersion:string boardSerial:string',
};

const fail = (message) => {
  throw new Error(`protocol.json: ${message}`);
};
export const { constants, enums, structs } = protocol;
const constant = (value) =>
  typeof value === 'string' ? (constants[value] ?? fail(`no constant ${value}`)).value : value;

/** Requests, their replies, events: all that travels, each with its fields. */
export const messages = protocol.messages.flatMap((message) => {
  const { reply, ...rest } = message;
  if (rest.kind === 'request' && !reply) fail(`${rest.name} has no reply`);
  return rest.kind === 'request'
    ? [
        { ...rest, reply: `${rest.name}Reply` },
        {
          name: `${rest.name}Reply`,
          id: rest.id | 0x80,
          kind: 'reply',
          doc: `Answers ${rest.name}.`,
          fields: reply,
        },
      ]
    : [rest];
});

export const baseSize = (type) => {
  if (SCALARS[type]) return SCALARS[type].size;
  if (enums[type]) return SCALARS[enums[type].type].size;
  if (structs[type]) return structs[type].reduce((sum, field) => sum + baseSize(field.type), 0);
  return fail(`unknown type ${type}`);
};
export const leastSize = (field) => (field.type === 'string' ? 1 : field.array ? 2 : baseSize(field.type));
export const greatestSize = (field) =>
  field.type === 'string'
    ? 1 + field.max
    : field.array
      ? 2 + field.max * baseSize(field.type)
      : baseSize(field.type);
export const sum = (fields, size) => fields.reduce((total, field) => total + size(field), 0);

for (const [name, fields] of Object.entries(structs))
  for (const field of fields)
    if (field.type === 'string' || field.array || structs[field.type])
      fail(`${name}.${field.name}: a struct holds scalars and enums only`);
for (const message of messages) {
  for (const field of message.fields) {
    const at = `${message.name}.${field.name}`;
    if (field.max !== undefined) field.max = constant(field.max);
    if (Boolean(field.array || field.type === 'string') !== (field.max !== undefined))
      fail(`${at}: max goes with arrays and strings`);
    if (field.array ? field.max > 0xffff : field.type === 'string' && field.max > 0xff)
      fail(`${at}: max is too large`);
    if (field.type !== 'string') baseSize(field.type);
    if (field.array && (enums[field.type] || field.scale))
      fail(`${at}: arrays hold plain numbers or structs`);
    if (field.scale && !SCALARS[field.type]?.max) fail(`${at}: scale goes with integers`);
  }
  const size = sum(message.fields, greatestSize);
  if (size > constants.MAX_PAYLOAD.value)
    fail(`${message.name} can take ${size} bytes, more than MAX_PAYLOAD`);
  const valid = { request: [1, 0x7f], reply: [0x81, 0x8f], event: [0x90, 0xfe], refusal: [0xff, 0xff] }[
    message.kind
  ];
  if (!valid || message.id < valid[0] || message.id > valid[1])
    fail(`${message.name}: id ${message.id} does not fit its kind`);
}
for (const key of ['name', 'id'])
  if (new Set(messages.map((message) => message[key])).size < messages.length)
    fail(`two messages have the same ${key}`);
for (const [name, { values }] of Object.entries(enums))
  if (new Set(Object.values(values).map(([code]) => code)).size < Object.keys(values).length)
    fail(`${name} has a code twice`);

const shape = (fields) => fields.map((field) => `${field.name}:${field.type}`).join(' ');
if (shape(protocol.header) !== FROZEN.header) fail('the header is frozen');
for (const name of ['Hello', 'HelloReply']) {
  const message = messages.find((each) => each.name === name);
  if (`${message.id} ${shape(message.fields)}` !== FROZEN[name]) fail(`${name} is frozen`);
}

/** The wire shape without its documentation, in one canonical form. */
const fieldShape = ({ name, type, array, max, scale, unit }) => [
  name,
  type,
  array ?? null,
  max ?? null,
  scale ?? null,
  unit ?? null,
];
const canonical = JSON.stringify([
  protocol.name,
  protocol.version,
  Object.entries(constants).map(([name, { value }]) => [name, value]),
  protocol.header.map(fieldShape),
  Object.entries(enums).map(([name, { type, values }]) => [
    name,
    type,
    Object.entries(values).map(([key, [code]]) => [key, code]),
  ]),
  Object.entries(structs).map(([name, fields]) => [name, fields.map(fieldShape)]),
  messages.map(({ name, id, kind, fields }) => [name, id, kind, fields.map(fieldShape)]),
]);
export const HASH = createHash('sha256').update(canonical).digest().readUInt32LE(0);
export const hex32 = (value) => `0x${value.toString(16).padStart(8, '0')}`;
export const snake = (name) => name.replace(/(?<!^)([A-Z])/g, '_$1').toLowerCase();
export const upper = (name) => snake(name).toUpperCase();
