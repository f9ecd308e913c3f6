/** generated/protocol.ts: types, and the codec of payloads for the host. */
import { baseSize, enums, leastSize, messages, SCALARS, structs, sum, upper } from './source.mjs';
import { typeLines } from './typescript-types.mjs';

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

const decodeString = ({ name: v, max }, room) => [
  `  const ${v}Length = d.getUint8(at);`,
  `  at += 1;`,
  `  if (${v}Length > ${max} || end - at < ${v}Length${room}) return undefined;`,
  `  const ${v} = text(d, at, ${v}Length);`,
  `  if (${v} === undefined) return undefined;`,
  `  at += ${v}Length;`,
];

const decodeStructs = ({ name: v, type }, size) => {
  const lines = [
    `  const ${v}: ${type}[] = new Array(${v}Length);`,
    `  for (let i = 0; i < ${v}Length; i++, at += ${size}) {`,
  ];
  let offset = 0;
  for (const member of structs[type]) {
    lines.push(`    const ${member.name} = ${tsGet(member, `at + ${offset}`)};`);
    const bad = tsRejects(member, member.name);
    if (bad) lines.push(`    if (${bad}) return undefined;`);
    offset += baseSize(member.type);
  }
  lines.push(`    ${v}[i] = { ${structs[type].map((member) => member.name).join(', ')} };`, '  }');
  return lines;
};

const decodeNumbers = (field, size) => {
  const v = field.name;
  if (field.type === 'i16') return [`  const ${v} = int16s(d, at, ${v}Length);`, `  at += ${v}Length * 2;`];
  const lines = [
    `  const ${v} = new ${SCALARS[field.type].array}(${v}Length);`,
    `  for (let i = 0; i < ${v}Length; i++, at += ${size}) ${v}[i] = ${tsGet(field, 'at')};`,
  ];
  if (field.type === 'f32') lines.push(`  if (!${v}.every(Number.isFinite)) return undefined;`);
  return lines;
};

const decodeArray = (field, room) => {
  const v = field.name;
  const size = baseSize(field.type);
  return [
    `  const ${v}Length = d.getUint16(at, true);`,
    `  at += 2;`,
    `  if (${v}Length > ${field.max} || end - at < ${v}Length * ${size}${room}) return undefined;`,
    ...(structs[field.type] ? decodeStructs(field, size) : decodeNumbers(field, size)),
  ];
};

const decodeScalar = (field) => {
  const bad = tsRejects(field, field.name);
  return [
    `  const ${field.name} = ${tsGet(field, 'at')};`,
    ...(bad ? [`  if (${bad}) return undefined;`] : []),
    `  at += ${baseSize(field.type)};`,
  ];
};

const tsDecoder = ({ name, fields }) => {
  if (fields.length === 0)
    return `const get${name}: Getter = (_d, at, end) => (at === end ? { name: '${name}' } : undefined);\n`;
  const lines = [
    `const get${name}: Getter = (d, at, end) => {`,
    `  if (end - at < ${sum(fields, leastSize)}) return undefined;`,
  ];
  for (const [i, field] of fields.entries()) {
    const rest = sum(fields.slice(i + 1), leastSize);
    const room = rest ? ` + ${rest}` : '';
    if (field.type === 'string') lines.push(...decodeString(field, room));
    else lines.push(...(field.array ? decodeArray(field, room) : decodeScalar(field)));
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

/** What the codec of every message uses. */
const HELPERS = `const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

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
`;

export const typescript = () => {
  const out = [...typeLines(), HELPERS];
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
