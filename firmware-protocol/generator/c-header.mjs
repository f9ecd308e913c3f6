/** firmware/protocol.h: constants, structs and the codec's functions. */
import {
  constants,
  enums,
  HASH,
  hex32,
  leastSize,
  messages,
  NOTE,
  protocol,
  SCALARS,
  snake,
  structs,
  sum,
  upper,
} from './source.mjs';

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

export const cHeader = () => {
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
  out.push(
    '/* The version before, which the firmware speaks too: no message of it has changed. */',
    `#define ML_EARLIER_VERSION ${protocol.earlier.version}u`,
    `#define ML_EARLIER_HASH ${protocol.earlier.hash}u`,
  );
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
