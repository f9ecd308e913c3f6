/** firmware/protocol.c: the codec of payloads for the board. */
import { baseSize, enums, leastSize, messages, NOTE, SCALARS, snake, structs, sum } from './source.mjs';

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

/** Lines that read and that write a field; `room` is what the fields after it need at least. */
const cString = ({ max }, n, room) => ({
  get: [
    `  {`,
    `    uint32_t count = *b++;`,
    `    if (count > ${max}u || (uint32_t)(end - b) < count${room}) return false;`,
    `    for (uint32_t i = 0; i < count; i++) ${n}[i] = (char)b[i];`,
    `    ${n}[count] = 0;`,
    `    b += count;`,
    `  }`,
  ],
  put: [
    `  {`,
    `    uint8_t count = 0;`,
    `    while (count < ${max}u && ${n}[count]) {`,
    `      b[1 + count] = (uint8_t)${n}[count];`,
    `      count++;`,
    `    }`,
    `    *b = count;`,
    `    b += 1 + count;`,
    `  }`,
  ],
});

const cArray = (field, n, room) => {
  const count = `m->${snake(field.array)}`;
  const size = baseSize(field.type);
  const loop = `  for (uint32_t i = 0; i < ${count}; i++, b += ${size}) {`;
  const get = [
    `  ${count} = get_u16(b);`,
    `  b += 2;`,
    `  if (${count} > ${field.max}u || (uint32_t)(end - b) < ${count} * ${size}u${room}) return false;`,
    loop,
  ];
  const put = [`  put_u16(b, ${count});`, `  b += 2;`, loop];
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
  return { get: [...get, '  }'], put: [...put, '  }'] };
};

const cPlain = (field, n) => {
  const bad = cRejects(field, n);
  const step = `  b += ${baseSize(field.type)};`;
  return {
    get: [`  ${cGetScalar(field.type, n, 'b')}`, ...(bad ? [`  if (${bad}) return false;`] : []), step],
    put: [`  ${cPutScalar(field.type, n, 'b')}`, step],
  };
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
    const lines =
      field.type === 'string'
        ? cString(field, n, room)
        : field.array
          ? cArray(field, n, room)
          : cPlain(field, n);
    get.push(...lines.get);
    put.push(...lines.put);
  }
  get.push('  return b == end;', '}', '');
  put.push('  return (uint32_t)(b - start);', '}', '');
  return [...get, ...put].join('\n');
};

export const cSource = () => {
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
