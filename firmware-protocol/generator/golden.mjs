/**
 * generated/golden.json: frames of every message, values and bytes. They are built from the description alone, by
 * other code than the codecs that they test.
 */
import { baseSize, enums, HASH, messages, SCALARS, structs } from './source.mjs';

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

export const golden = () => {
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
