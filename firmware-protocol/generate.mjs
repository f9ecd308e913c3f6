/**
 * Writes everything that follows from protocol.json: the TypeScript codec, the C header and codec, the
 * tables of README.md and the golden frames. `--check` writes nothing and fails if a file is out of date.
 * The golden frames are built here from the description alone, by other code than the codecs they test.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const protocol = JSON.parse(readFileSync(join(here, 'protocol.json'), 'utf8'));
const NOTE = 'Generated from protocol.json by generate.mjs (npm run protocol). Do not edit.';

const SCALARS = {
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

/* ------------------------------------------------------------------ reading and checking the source */

const fail = (message) => {
  throw new Error(`protocol.json: ${message}`);
};
const { constants, enums, structs } = protocol;
const constant = (value) =>
  typeof value === 'string' ? (constants[value] ?? fail(`no constant ${value}`)).value : value;

/** Requests, their replies, events: all that travels, each with its fields. */
const messages = protocol.messages.flatMap((message) => {
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

const baseSize = (type) => {
  if (SCALARS[type]) return SCALARS[type].size;
  if (enums[type]) return SCALARS[enums[type].type].size;
  if (structs[type]) return structs[type].reduce((sum, field) => sum + baseSize(field.type), 0);
  return fail(`unknown type ${type}`);
};
const leastSize = (field) => (field.type === 'string' ? 1 : field.array ? 2 : baseSize(field.type));
const greatestSize = (field) =>
  field.type === 'string'
    ? 1 + field.max
    : field.array
      ? 2 + field.max * baseSize(field.type)
      : baseSize(field.type);
const sum = (fields, size) => fields.reduce((total, field) => total + size(field), 0);

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
const HASH = createHash('sha256').update(canonical).digest().readUInt32LE(0);
const hex32 = (value) => `0x${value.toString(16).padStart(8, '0')}`;
const snake = (name) => name.replace(/(?<!^)([A-Z])/g, '_$1').toLowerCase();
const upper = (name) => snake(name).toUpperCase();

/* ------------------------------------------------------------------ TypeScript */

const tsType = (field) => {
  if (field.type === 'string') return 'string';
  if (field.array) return structs[field.type] ? `${field.type}[]` : SCALARS[field.type].array;
  return SCALARS[field.type] ? 'number' : field.type;
};
const tsDoc = (field) =>
  `${field.doc}${field.unit ? `, ${field.unit}` : ''}${field.max ? `; at most ${field.max}` : ''}`;
const tsInterface = (name, fields, doc, tag) =>
  [
    `/** ${doc} */`,
    `export interface ${name} {`,
    ...(tag ? [`  name: '${name}';`] : []),
    ...fields.flatMap((field) => [`  /** ${tsDoc(field)} */`, `  ${field.name}: ${tsType(field)};`]),
    '}',
    '',
  ].join('\n');

/** Expression that reads a scalar or enum at `offset`; an enum may give undefined. */
const tsGet = (field, offset) => {
  const scalar = SCALARS[field.type] ?? SCALARS[enums[field.type].type];
  const raw = scalar.size === 1 ? `d.${scalar.get}(${offset})` : `d.${scalar.get}(${offset}, true)`;
  if (enums[field.type]) return `${upper(field.type)}_OF[${raw}]`;
  return field.scale ? `${raw} * ${field.scale}` : raw;
};
const tsRejects = (field, variable) =>
  enums[field.type]
    ? `${variable} === undefined`
    : field.type === 'f32'
      ? `!Number.isFinite(${variable})`
      : '';

const tsPut = (field, value, path, offset) => {
  const { size, set, min, max } = SCALARS[field.type] ?? SCALARS[enums[field.type].type];
  const tail = size === 1 ? '' : ', true';
  if (enums[field.type])
    return `d.${set}(${offset}, enumCode(${upper(field.type)}, ${value}, '${path}')${tail});`;
  if (field.type === 'f32') return `d.${set}(${offset}, real(${value}, '${path}')${tail});`;
  const integer = field.scale ? `Math.round(${value} / ${field.scale})` : value;
  return `d.${set}(${offset}, integer(${integer}, ${min}, ${max}, '${path}')${tail});`;
};

const tsDecoder = ({ name, fields }) => {
  const lines = [];
  if (fields.length === 0)
    return `const get${name}: Getter = (_d, at, end) => (at === end ? { name: '${name}' } : undefined);\n`;
  lines.push(
    `const get${name}: Getter = (d, at, end) => {`,
    `  if (end - at < ${sum(fields, leastSize)}) return undefined;`,
  );
  for (const [i, field] of fields.entries()) {
    const v = field.name;
    const rest = sum(fields.slice(i + 1), leastSize);
    const room = rest ? ` + ${rest}` : '';
    if (field.type === 'string') {
      lines.push(
        `  const ${v}Length = d.getUint8(at);`,
        `  at += 1;`,
        `  if (${v}Length > ${field.max} || end - at < ${v}Length${room}) return undefined;`,
        `  const ${v} = text(d, at, ${v}Length);`,
        `  if (${v} === undefined) return undefined;`,
        `  at += ${v}Length;`,
      );
    } else if (field.array) {
      const size = baseSize(field.type);
      lines.push(
        `  const ${v}Length = d.getUint16(at, true);`,
        `  at += 2;`,
        `  if (${v}Length > ${field.max} || end - at < ${v}Length * ${size}${room}) return undefined;`,
      );
      if (structs[field.type]) {
        lines.push(
          `  const ${v}: ${field.type}[] = new Array(${v}Length);`,
          `  for (let i = 0; i < ${v}Length; i++, at += ${size}) {`,
        );
        let offset = 0;
        for (const member of structs[field.type]) {
          lines.push(`    const ${member.name} = ${tsGet(member, `at + ${offset}`)};`);
          const bad = tsRejects(member, member.name);
          if (bad) lines.push(`    if (${bad}) return undefined;`);
          offset += baseSize(member.type);
        }
        lines.push(
          `    ${v}[i] = { ${structs[field.type].map((member) => member.name).join(', ')} };`,
          '  }',
        );
      } else if (field.type === 'i16') {
        lines.push(`  const ${v} = int16s(d, at, ${v}Length);`, `  at += ${v}Length * 2;`);
      } else {
        lines.push(
          `  const ${v} = new ${SCALARS[field.type].array}(${v}Length);`,
          `  for (let i = 0; i < ${v}Length; i++, at += ${size}) ${v}[i] = ${tsGet(field, 'at')};`,
        );
        if (field.type === 'f32') lines.push(`  if (!${v}.every(Number.isFinite)) return undefined;`);
      }
    } else {
      lines.push(`  const ${v} = ${tsGet(field, 'at')};`);
      const bad = tsRejects(field, v);
      if (bad) lines.push(`  if (${bad}) return undefined;`);
      lines.push(`  at += ${baseSize(field.type)};`);
    }
  }
  lines.push(
    '  if (at !== end) return undefined;',
    `  return { name: '${name}', ${fields.map((f) => f.name).join(', ')} };`,
    '};',
    '',
  );
  return lines.join('\n');
};

const tsEncoder = ({ name, fields }) => {
  const lines = [`function put${name}(m: ${name}, d: DataView, at: number): number {`];
  for (const field of fields) {
    const path = `${name}.${field.name}`;
    const v = `m.${field.name}`;
    if (field.type === 'string') lines.push(`  at = putText(${v}, ${field.max}, d, at, '${path}');`);
    else if (field.array) {
      const size = baseSize(field.type);
      lines.push(`  at = putCount(${v}.length, ${field.max}, d, at, '${path}');`);
      if (structs[field.type]) {
        lines.push(`  for (const each of ${v}) {`);
        let offset = 0;
        for (const member of structs[field.type]) {
          lines.push(
            `    ${tsPut(member, `each.${member.name}`, `${path}.${member.name}`, `at + ${offset}`)}`,
          );
          offset += baseSize(member.type);
        }
        lines.push(`    at += ${size};`, '  }');
      } else {
        const value = field.type === 'f32' ? `real(${v}[i], '${path}')` : `${v}[i]`;
        lines.push(
          `  for (let i = 0; i < ${v}.length; i++, at += ${size}) d.${SCALARS[field.type].set}(at, ${value}${size > 1 ? ', true' : ''});`,
        );
      }
    } else lines.push(`  ${tsPut(field, v, path, 'at')}`, `  at += ${baseSize(field.type)};`);
  }
  if (fields.length === 0)
    return `const put${name} = (_m: ${name}, _d: DataView, at: number): number => at;\n`;
  lines.push('  return at;', '}', '');
  return lines.join('\n');
};

const typescript = () => {
  const out = [`/** ${NOTE} */`, ''];
  out.push(`export const PROTOCOL_VERSION = ${protocol.version};`);
  out.push('/** Of the wire shape: it seeds the CRC of every frame but Hello and HelloReply. */');
  out.push(`export const PROTOCOL_HASH = ${hex32(HASH)};`);
  for (const [name, { value, doc }] of Object.entries(constants))
    out.push(`/** ${doc}. */`, `export const ${name} = ${value};`);
  out.push(
    `/** Bytes before the payload: ${protocol.header.map((f) => `${f.name} ${f.type}`).join(', ')}. */`,
  );
  out.push(`export const HEADER_SIZE = ${sum(protocol.header, leastSize)};`, '');
  out.push('/** Most elements (bytes of a string) of each array. */', 'export const BOUNDS = {');
  for (const { name, fields } of messages) {
    const bounded = fields.filter((field) => field.max !== undefined);
    if (bounded.length)
      out.push(`  ${name}: { ${bounded.map((field) => `${field.name}: ${field.max}`).join(', ')} },`);
  }
  out.push('} as const;', '');
  for (const [name, { values }] of Object.entries(enums)) {
    out.push(
      `export type ${name} = ${Object.keys(values)
        .map((key) => `'${key}'`)
        .join(' | ')};`,
    );
    out.push(`/** Code on the wire and meaning of each ${name}. */`);
    out.push(
      `export const ${upper(name)}: Record<${name}, { readonly code: number; readonly doc: string }> = {`,
    );
    for (const [key, [code, doc]] of Object.entries(values))
      out.push(`  ${key}: { code: ${code}, doc: ${JSON.stringify(doc)} },`);
    out.push('};');
    const byCode = [];
    for (const [key, [code]] of Object.entries(values)) byCode[code] = key;
    out.push(
      `const ${upper(name)}_OF: readonly (${name} | undefined)[] = [${Array.from(byCode, (key) => (key ? `'${key}'` : 'undefined')).join(', ')}];`,
      '',
    );
  }
  for (const [name, fields] of Object.entries(structs))
    out.push(
      tsInterface(
        name,
        fields,
        `Part of ${messages
          .filter((m) => m.fields.some((f) => f.type === name))
          .map((m) => m.name)
          .join(', ')}.`,
      ),
    );
  for (const { name, fields, doc } of messages) out.push(tsInterface(name, fields, doc, true));
  out.push(
    '/** All that travels; `name` tells which. */',
    'export type Message =',
    ...messages.map(({ name }) => `  | ${name}`),
    '  ;',
    '',
  );
  out.push(
    "export type MessageName = Message['name'];",
    'export type MessageOf<N extends MessageName> = Extract<Message, { name: N }>;',
    '',
  );
  out.push(
    'export type RequestName =',
    ...messages.filter((m) => m.kind === 'request').map((m) => `  | '${m.name}'`),
    '  ;',
  );
  out.push(
    'export type Request = MessageOf<RequestName>;',
    '/** What answers a request, when it is not Refused. */',
  );
  out.push(`export type ReplyOf<N extends RequestName> = MessageOf<\`\${N}Reply\`>;`, '');
  out.push(
    "/** Message ids; a reply has its request's with the highest bit set. */",
    'export const MESSAGE_ID: Record<MessageName, number> = {',
  );
  for (const { name, id } of messages) out.push(`  ${name}: ${id},`);
  out.push('};', '');
  out.push(
    `const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function text(d: DataView, at: number, length: number): string | undefined {
  try {
    return utf8.decode(new Uint8Array(d.buffer, d.byteOffset + at, length));
  } catch {
    return undefined;
  }
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Samples come by the million: where this machine orders bytes as the wire does, they are copied at once. */
function int16s(d: DataView, at: number, count: number): Int16Array {
  const from = d.byteOffset + at;
  if (LITTLE_ENDIAN) return new Int16Array(d.buffer.slice(from, from + 2 * count) as ArrayBuffer);
  return Int16Array.from({ length: count }, (_, i) => d.getInt16(at + 2 * i, true));
}

function integer(value: number, min: number, max: number, path: string): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(\`\${path}: \${value} is not an integer from \${min} to \${max}\`);
  return value;
}

function real(value: number, path: string): number {
  if (!Number.isFinite(Math.fround(value))) throw new RangeError(\`\${path}: \${value} is not a finite 32-bit number\`);
  return value;
}

function enumCode<K extends string>(table: Record<K, { readonly code: number }>, key: K, path: string): number {
  const entry = table[key];
  if (entry === undefined) throw new RangeError(\`\${path}: no such value, \${key}\`);
  return entry.code;
}

function putCount(length: number, max: number, d: DataView, at: number, path: string): number {
  d.setUint16(at, integer(length, 0, max, \`\${path}.length\`), true);
  return at + 2;
}

function putText(value: string, max: number, d: DataView, at: number, path: string): number {
  const bytes = new TextEncoder().encode(value);
  d.setUint8(at, integer(bytes.length, 0, max, \`\${path}.length\`));
  new Uint8Array(d.buffer, d.byteOffset + at + 1).set(bytes);
  return at + 1 + bytes.length;
}

type Getter = (d: DataView, at: number, end: number) => Message | undefined;
`,
  );
  for (const message of messages) out.push(tsDecoder(message), tsEncoder(message));
  out.push(
    'const GETTERS: (Getter | undefined)[] = [];',
    ...messages.map(({ name, id }) => `GETTERS[${id}] = get${name};`),
    '',
  );
  out.push(
    `/**
 * The message of type \`id\` whose payload fills d from \`at\` to \`end\` exactly; undefined if it is not one:
 * unknown id, wrong length, bad enum value, array longer than its bound, a number that is not finite.
 */
export function decodePayload(id: number, d: DataView, at: number, end: number): Message | undefined {
  return GETTERS[id]?.(d, at, end);
}

/**
 * Writes the payload at \`at\` and returns its end. d has room for MAX_PAYLOAD bytes from there. Throws a
 * RangeError that names the field if a value does not fit the wire.
 */
export function encodePayload(message: Message, d: DataView, at: number): number {
  switch (message.name) {`,
    ...messages.map(({ name }) => `    case '${name}':\n      return put${name}(message, d, at);`),
    '  }\n}\n',
  );
  return out.join('\n');
};

/* ------------------------------------------------------------------ C */

const cScalar = (type) => (SCALARS[type] ?? SCALARS[enums[type].type]).c;
const cBase = (type) => (structs[type] ? `ml_${snake(type)}` : cScalar(type));
const cDoc = (field) =>
  `${field.doc}${field.unit ? `, ${field.scale ? `${field.scale} ` : ''}${field.unit}` : ''}`;
const cStruct = (name, fields) => {
  const out = [`typedef struct {`];
  for (const field of fields) {
    const n = snake(field.name);
    out.push(`  /* ${cDoc(field)} */`);
    if (field.type === 'string') out.push(`  char ${n}[${field.max} + 1];`);
    else if (field.array)
      out.push(`  uint16_t ${snake(field.array)};`, `  ${cBase(field.type)} ${n}[${field.max}];`);
    else out.push(`  ${cBase(field.type)} ${n};`);
  }
  if (fields.length === 0) out.push('  uint8_t empty;');
  out.push(`} ml_${snake(name)};`, '');
  return out.join('\n');
};

const cHeader = () => {
  const out = [
    `/* ${NOTE} */`,
    '#ifndef MEMLOOP_PROTOCOL_H',
    '#define MEMLOOP_PROTOCOL_H',
    '',
    '#include <stdbool.h>',
    '#include <stdint.h>',
    '',
  ];
  out.push(`#define ML_PROTOCOL_VERSION ${protocol.version}u`, `#define ML_PROTOCOL_HASH ${hex32(HASH)}u`);
  for (const [name, { value, doc }] of Object.entries(constants))
    out.push(`/* ${doc} */`, `#define ML_${name} ${value}u`);
  out.push(`#define ML_HEADER_SIZE ${sum(protocol.header, leastSize)}u`, '#define ML_CRC_SIZE 4u', '');
  for (const [name, { values }] of Object.entries(enums)) {
    out.push('enum {');
    for (const [key, [code, doc]] of Object.entries(values))
      out.push(`  ML_${upper(name)}_${key} = ${code}, /* ${doc} */`);
    out.push('};', '');
  }
  out.push('enum {', ...messages.map(({ name, id }) => `  ML_ID_${upper(name)} = ${id},`), '};', '');
  for (const { name, fields } of messages)
    for (const field of fields)
      if (field.array) out.push(`#define ML_MAX_${upper(name)}_${upper(field.name)} ${field.max}u`);
  out.push('');
  for (const [name, fields] of Object.entries(structs)) out.push(cStruct(name, fields));
  for (const { name, fields } of messages) out.push(cStruct(name, fields));
  out.push(
    '/* ml_get_NAME reads a payload of exactly `length` bytes; false if it is not one (wrong length, bad enum',
    ' * value, array over its bound, number not finite). ml_put_NAME writes a payload and returns its length; the',
    ' * buffer holds ML_MAX_PAYLOAD bytes and counts are within their bounds. */',
  );
  for (const { name } of messages) {
    const n = `ml_${snake(name)}`;
    out.push(
      `bool ml_get_${snake(name)}(${n} *m, const uint8_t *b, uint32_t length);`,
      `uint32_t ml_put_${snake(name)}(const ${n} *m, uint8_t *b);`,
    );
  }
  out.push('', '/* X(ID, name) of every message. */', '#define ML_MESSAGES(X) \\');
  out.push(messages.map(({ name }) => `  X(${upper(name)}, ${snake(name)})`).join(' \\\n'));
  out.push('', '#endif', '');
  return out.join('\n');
};

const cGetScalar = (type, target, at) => {
  const base = enums[type]?.type ?? type;
  const { c, size } = SCALARS[base];
  if (base === 'f32') return `${target} = get_f32(${at});`;
  return size === 1 && c === 'uint8_t'
    ? `${target} = *(${at});`
    : `${target} = (${c})get_u${8 * size}(${at});`;
};
const cRejects = (field, target) => {
  if (enums[field.type]) return `!is_${snake(field.type)}(${target})`;
  return field.type === 'f32' ? `!is_finite(${target})` : '';
};
const cPutScalar = (type, value, at) => {
  const base = enums[type]?.type ?? type;
  if (base === 'f32') return `put_f32(${at}, ${value});`;
  const { size } = SCALARS[base];
  return size === 1
    ? `*(${at}) = (uint8_t)${value};`
    : `put_u${8 * size}(${at}, (uint${8 * size}_t)${value});`;
};

const cCodec = ({ name, fields }) => {
  const type = `ml_${snake(name)}`;
  const get = [`bool ml_get_${snake(name)}(${type} *m, const uint8_t *b, uint32_t length) {`];
  const put = [`uint32_t ml_put_${snake(name)}(const ${type} *m, uint8_t *b) {`];
  if (fields.length === 0) {
    get.push('  (void)b;', '  m->empty = 0;', '  return length == 0;', '}', '');
    put.push('  (void)m;', '  (void)b;', '  return 0;', '}', '');
    return [...get, ...put].join('\n');
  }
  get.push('  const uint8_t *end = b + length;', `  if (length < ${sum(fields, leastSize)}u) return false;`);
  put.push('  uint8_t *start = b;');
  for (const [i, field] of fields.entries()) {
    const n = `m->${snake(field.name)}`;
    const rest = sum(fields.slice(i + 1), leastSize);
    const room = rest ? ` + ${rest}u` : '';
    if (field.type === 'string') {
      get.push(
        `  {`,
        `    uint32_t count = *b++;`,
        `    if (count > ${field.max}u || (uint32_t)(end - b) < count${room}) return false;`,
        `    for (uint32_t i = 0; i < count; i++) ${n}[i] = (char)b[i];`,
        `    ${n}[count] = 0;`,
        `    b += count;`,
        `  }`,
      );
      put.push(
        `  {`,
        `    uint8_t count = 0;`,
        `    while (count < ${field.max}u && ${n}[count]) {`,
        `      b[1 + count] = (uint8_t)${n}[count];`,
        `      count++;`,
        `    }`,
        `    *b = count;`,
        `    b += 1 + count;`,
        `  }`,
      );
    } else if (field.array) {
      const count = `m->${snake(field.array)}`;
      const size = baseSize(field.type);
      get.push(
        `  ${count} = get_u16(b);`,
        `  b += 2;`,
        `  if (${count} > ${field.max}u || (uint32_t)(end - b) < ${count} * ${size}u${room}) return false;`,
        `  for (uint32_t i = 0; i < ${count}; i++, b += ${size}) {`,
      );
      put.push(
        `  put_u16(b, ${count});`,
        `  b += 2;`,
        `  for (uint32_t i = 0; i < ${count}; i++, b += ${size}) {`,
      );
      let offset = 0;
      for (const member of structs[field.type] ?? [{ type: field.type }]) {
        const target = `${n}[i]${member.name ? `.${snake(member.name)}` : ''}`;
        const at = offset ? `b + ${offset}` : 'b';
        get.push(`    ${cGetScalar(member.type, target, at)}`);
        const bad = cRejects(member, target);
        if (bad) get.push(`    if (${bad}) return false;`);
        put.push(`    ${cPutScalar(member.type, target, at)}`);
        offset += baseSize(member.type);
      }
      get.push('  }');
      put.push('  }');
    } else {
      get.push(`  ${cGetScalar(field.type, n, 'b')}`);
      const bad = cRejects(field, n);
      if (bad) get.push(`  if (${bad}) return false;`);
      get.push(`  b += ${baseSize(field.type)};`);
      put.push(`  ${cPutScalar(field.type, n, 'b')}`, `  b += ${baseSize(field.type)};`);
    }
  }
  get.push('  return b == end;', '}', '');
  put.push('  return (uint32_t)(b - start);', '}', '');
  return [...get, ...put].join('\n');
};

const cSource = () => {
  const out = [
    `/* ${NOTE} */
#include "protocol.h"

#include "bytes.h"
`,
  ];
  for (const [name, { values }] of Object.entries(enums)) {
    if (
      !Object.values(structs)
        .concat(messages.map((m) => m.fields))
        .some((fields) => fields.some((f) => f.type === name))
    )
      continue;
    out.push(
      `static bool is_${snake(name)}(uint8_t v) {`,
      `  return ${Object.values(values)
        .map(([code]) => `v == ${code}`)
        .join(' || ')};`,
      '}',
      '',
    );
  }
  for (const message of messages) out.push(cCodec(message));
  return out.join('\n');
};

/* ------------------------------------------------------------------ README tables */

const cell = (value) => String(value ?? '').replace(/\|/g, '\\|');
const wireType = (field) =>
  field.type === 'string'
    ? `string ≤ ${field.max}`
    : field.array
      ? `${field.type}[≤ ${field.max}]`
      : field.type;
const unit = (field) => (field.unit ? (field.scale ? `${field.scale} ${field.unit}` : field.unit) : '');
const fieldTable = (fields) =>
  fields.length === 0
    ? ['No fields.', '']
    : [
        '| field | type | unit | |',
        '|---|---|---|---|',
        ...fields.map((f) => `| ${f.name} | ${cell(wireType(f))} | ${unit(f)} | ${cell(f.doc)} |`),
        '',
      ];

const tables = () => {
  const out = [`Protocol version ${protocol.version}, hash \`${hex32(HASH)}\`.`, ''];
  out.push(
    '| constant | value | |',
    '|---|---|---|',
    ...Object.entries(constants).map(([name, c]) => `| ${name} | ${c.value} | ${cell(c.doc)} |`),
    '',
  );
  for (const [name, { type, values }] of Object.entries(enums))
    out.push(
      `**${name}** (${type})`,
      '',
      '| value | code | |',
      '|---|---|---|',
      ...Object.entries(values).map(([key, [code, doc]]) => `| ${key} | ${code} | ${cell(doc)} |`),
      '',
    );
  for (const [name, fields] of Object.entries(structs))
    out.push(`**${name}** (${sum(fields, leastSize)} bytes)`, '', ...fieldTable(fields));
  for (const { name, id, kind, doc, fields } of messages)
    out.push(`**${name}** (${kind}, id ${id}): ${doc}`, '', ...fieldTable(fields));
  return out.join('\n').trimEnd();
};

const BEGIN = '<!-- begin generated tables -->';
const END = '<!-- end generated tables -->';
const readme = () => {
  const path = join(here, 'README.md');
  const text = existsSync(path) ? readFileSync(path, 'utf8') : `# Firmware protocol\n\n${BEGIN}\n${END}\n`;
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error('README.md has lost the markers of its tables');
  return `${text.slice(0, from + BEGIN.length)}\n\n${tables()}\n\n${text.slice(to)}`;
};

/* ------------------------------------------------------------------ golden frames */

function crc32(bytes, seed) {
  let crc = (0xffffffff ^ seed) >>> 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function cobs(bytes) {
  const out = [];
  let block = [];
  for (const byte of bytes) {
    if (byte !== 0) block.push(byte);
    if (byte === 0 || block.length === 254) {
      out.push(block.length + 1, ...block);
      block = [];
      if (byte !== 0) block.full = true;
    }
  }
  // A full block at the very end stands for itself: no empty block follows it.
  if (!(block.full && block.length === 0)) out.push(block.length + 1, ...block);
  return out;
}

const integerBytes = (value, size) =>
  Array.from({ length: size }, (_, i) =>
    Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(8 * i)) & 0xffn),
  );
function scalarBytes(field, value) {
  if (enums[field.type]) return integerBytes(enums[field.type].values[value][0], baseSize(field.type));
  if (field.type === 'f32') return [...new Uint8Array(new Float32Array([value]).buffer)];
  return integerBytes(field.scale ? Math.round(value / field.scale) : value, baseSize(field.type));
}
const fieldBytes = (field, value) => {
  if (field.type === 'string') return [Buffer.byteLength(value), ...Buffer.from(value)];
  if (!field.array) return scalarBytes(field, value);
  const members = structs[field.type];
  return [
    ...integerBytes(value.length, 2),
    ...value.flatMap((each) =>
      members
        ? members.flatMap((member) => scalarBytes(member, each[member.name]))
        : scalarBytes(field, each),
    ),
  ];
};

/** A value that differs from field to field, with zeros, signs and high bytes among them. */
function scalarExample(field, k) {
  if (enums[field.type])
    return Object.keys(enums[field.type].values)[k % Object.keys(enums[field.type].values).length];
  if (field.type === 'f32') return Math.fround((k % 7) - 3 + 2 ** -(k % 20));
  const { min, max } = SCALARS[field.type];
  const raw = [k % 100, max, 0, min, (k * 257 + 1) % max][k % 5];
  return field.scale ? raw * field.scale : raw;
}
function example(field, k, variant) {
  const count = field.max && { typical: Math.min(3, field.max), least: 0, full: field.max }[variant];
  if (field.type === 'string')
    return 'Ω-board α0123456789012345678901234567890'.slice(0, variant === 'full' ? 12 : count);
  const one = (i) =>
    structs[field.type]
      ? Object.fromEntries(
          structs[field.type].map((member, j) => [member.name, scalarExample(member, k + 3 * i + j)]),
        )
      : scalarExample(field, k + i);
  if (field.array) return Array.from({ length: count }, (_, i) => one(i));
  return variant === 'least' ? (enums[field.type] ? one(0) : 0) : one(0);
}

const golden = () => {
  const frames = messages.flatMap(({ name, id, fields }) =>
    ['typical', 'least', ...(['Samples', 'Cells'].includes(name) ? ['full'] : [])].map((variant) => {
      const hello = name === 'Hello' || name === 'HelloReply';
      const session = hello || variant === 'least' ? 0 : 0x1234abcd;
      const sequence = hello || variant === 'least' ? 0 : 0x00fe0100 + id;
      const values = Object.fromEntries(
        fields.map((field, i) => [field.name, example(field, id + 3 * i, variant)]),
      );
      const body = [
        id,
        ...integerBytes(session, 4),
        ...integerBytes(sequence, 4),
        ...fields.flatMap((field) => fieldBytes(field, values[field.name])),
      ];
      const crc = crc32(body, hello ? 0 : HASH);
      const bytes = [0, ...cobs([...body, ...integerBytes(crc, 4)]), 0];
      return { session, sequence, message: { name, ...values }, hex: Buffer.from(bytes).toString('hex') };
    }),
  );
  return `[\n${frames.map((frame) => JSON.stringify(frame)).join(',\n')}\n]\n`;
};

/* ------------------------------------------------------------------ writing */

const files = {
  'generated/protocol.ts': typescript(),
  'generated/golden.json': golden(),
  'firmware/protocol.h': cHeader(),
  'firmware/protocol.c': cSource(),
  'README.md': readme(),
};
const check = process.argv.includes('--check');
let stale = 0;
for (const [name, text] of Object.entries(files)) {
  const path = join(here, name);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  stale++;
  if (check) console.error(`firmware-protocol/${name} is out of date: run \`npm run protocol\``);
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    console.log(`wrote firmware-protocol/${name}`);
  }
}
if (check && stale) process.exitCode = 1;
