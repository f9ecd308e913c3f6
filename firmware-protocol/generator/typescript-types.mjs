/** The types of generated/protocol.ts: constants, enums, messages. */
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
  structs,
  sum,
  upper,
} from './source.mjs';

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

const constantLines = () => {
  const out = [];
  out.push(`/** ${NOTE} */`, '');
  out.push(`export const PROTOCOL_VERSION = ${protocol.version};`);
  out.push('/** Of the wire shape: it seeds the CRC of every frame but Hello and HelloReply. */');
  out.push(`export const PROTOCOL_HASH = ${hex32(HASH)};`);
  for (const [name, { value, doc }] of Object.entries(constants))
    out.push(`/** ${doc}. */`, `export const ${name} = ${value};`);
  out.push(
    `/** Bytes before the payload: ${protocol.header.map((f) => `${f.name} ${f.type}`).join(', ')}. */`,
  );
  out.push(`export const HEADER_SIZE = ${sum(protocol.header, leastSize)};`, '');
  return out;
};

const boundLines = () => {
  const out = [];
  out.push('/** Most elements (bytes of a string) of each array. */', 'export const BOUNDS = {');
  for (const { name, fields } of messages) {
    const bounded = fields.filter((field) => field.max !== undefined);
    if (bounded.length)
      out.push(`  ${name}: { ${bounded.map((field) => `${field.name}: ${field.max}`).join(', ')} },`);
  }
  out.push('} as const;', '');
  return out;
};

const enumLines = () => {
  const out = [];
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
  return out;
};

const interfaceLines = () => {
  const out = [];
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
  return out;
};

const unionLines = () => {
  const out = [];
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
  return out;
};

const idLines = () => {
  const out = [];
  out.push(
    "/** Message ids; a reply has its request's with the highest bit set. */",
    'export const MESSAGE_ID: Record<MessageName, number> = {',
  );
  for (const { name, id } of messages) out.push(`  ${name}: ${id},`);
  out.push('};', '');
  return out;
};

export const typeLines = () => [
  ...constantLines(),
  ...boundLines(),
  ...enumLines(),
  ...interfaceLines(),
  ...unionLines(),
  ...idLines(),
];
