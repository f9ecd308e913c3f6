/** Random frames of every message, made from protocol.json. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { Frame } from '../../firmware-protocol/frame.js';
import type { Message } from '../../firmware-protocol/generated/protocol.js';

interface Field {
  name: string;
  type: string;
  array?: string;
  max?: number | string;
  scale?: number;
}
interface Source {
  constants: Record<string, { value: number }>;
  enums: Record<string, { values: Record<string, unknown> }>;
  structs: Record<string, Field[]>;
  messages: { name: string; fields: Field[]; reply?: Field[] }[];
}
const source: Source = JSON.parse(
  readFileSync(new URL('../../firmware-protocol/protocol.json', import.meta.url), 'utf8'),
);

const RANGES: Record<string, [number, number]> = {
  u8: [0, 0xff],
  u16: [0, 0xffff],
  i16: [-0x8000, 0x7fff],
  u32: [0, 0xffffffff],
};
const ARRAYS = { u8: Uint8Array, u16: Uint16Array, i16: Int16Array, u32: Uint32Array, f32: Float32Array };
const f32 = fc.float({ noNaN: true, noDefaultInfinity: true });

function scalar(field: Field): fc.Arbitrary<unknown> {
  if (source.enums[field.type]) return fc.constantFrom(...Object.keys(source.enums[field.type].values));
  if (field.type === 'f32') return f32;
  const [min, max] = RANGES[field.type];
  const integer = fc.oneof(fc.integer({ min, max }), fc.constantFrom(0, min, max));
  return field.scale ? integer.map((value) => value * field.scale!) : integer;
}
const struct = (fields: Field[]): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(Object.fromEntries(fields.map((field) => [field.name, value(field)])), { noNullPrototype: true });

function value(field: Field): fc.Arbitrary<unknown> {
  const max = typeof field.max === 'string' ? source.constants[field.max].value : field.max!;
  if (field.type === 'string')
    return fc.string({ unit: 'binary', maxLength: max }).filter((text) => Buffer.byteLength(text) <= max);
  if (!field.array) return scalar(field);
  const size = fc.oneof(
    { weight: 4, arbitrary: fc.nat(Math.min(max, 6)) },
    { weight: 1, arbitrary: fc.nat(max) },
  );
  const element = source.structs[field.type]
    ? struct(source.structs[field.type])
    : scalar({ ...field, name: '' });
  const list = size.chain((n) => fc.array(element, { minLength: n, maxLength: n }));
  return source.structs[field.type]
    ? list
    : list.map((values) => ARRAYS[field.type as keyof typeof ARRAYS].from(values as number[]));
}

const LAYOUTS: { name: string; fields: Field[] }[] = source.messages.flatMap(({ name, fields, reply }) =>
  reply
    ? [
        { name, fields },
        { name: `${name}Reply`, fields: reply },
      ]
    : [{ name, fields }],
);

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  ...LAYOUTS.map(({ name, fields }) =>
    struct(fields).map((values) => ({ name, ...values }) as unknown as Message),
  ),
);

const u32 = fc.integer({ min: 0, max: 0xffffffff });
export const anyFrame: fc.Arbitrary<Frame> = fc.record(
  { message: anyMessage, session: u32, sequence: u32 },
  { noNullPrototype: true },
);

/** A frame with plain lists in place of typed arrays, as golden.json has it. */
export const plain = (frame: Frame): Record<string, unknown> => ({
  session: frame.session,
  sequence: frame.sequence,
  message: Object.fromEntries(
    Object.entries(frame.message).map(([key, each]) => [
      key,
      ArrayBuffer.isView(each) ? [...(each as Int16Array)] : each,
    ]),
  ),
});

/** The opposite of `plain`. */
export function typed(frame: { session: number; sequence: number; message: Record<string, unknown> }): Frame {
  const { fields } = LAYOUTS.find(({ name }) => name === frame.message.name)!;
  const message = { ...frame.message };
  for (const field of fields)
    if (field.array && field.type in ARRAYS)
      message[field.name] = ARRAYS[field.type as keyof typeof ARRAYS].from(message[field.name] as number[]);
  return { ...frame, message: message as unknown as Message };
}
