/** The tables of README.md. */
import { constants, enums, HASH, hex32, leastSize, messages, protocol, structs, sum } from './source.mjs';

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

/** README.md with its tables brought up to date. */
export const readme = (text) => {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error('README.md has lost the markers of its tables');
  return `${text.slice(0, from + BEGIN.length)}\n\n${tables()}\n\n${text.slice(to)}`;
};
