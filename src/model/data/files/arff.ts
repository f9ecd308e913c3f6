/** ARFF, Weka's format: declared attributes, then rows. */
import { badFile, type ReadOptions, type Samples } from './samples.js';
import { samplesOf } from './table.js';

/** Cells of a line: separated by commas, in single or double quotes where needed. */
function cells(path: string, line: string, row: number): string[] {
  const out: string[] = [];
  let at = 0;
  for (;;) {
    while (line[at] === ' ' || line[at] === '\t') at++;
    const quote = line[at];
    let text = '';
    if (quote === "'" || quote === '"') {
      let end = at + 1;
      while (end < line.length && line[end] !== quote) {
        if (line[end] === '\\') end++;
        text += line[end++] ?? '';
      }
      if (end >= line.length)
        throw badFile(path, `row ${row}, column ${out.length + 1}: the quote is not closed`);
      const comma = line.indexOf(',', end + 1);
      at = comma < 0 ? line.length : comma;
    } else {
      const comma = line.indexOf(',', at);
      const end = comma < 0 ? line.length : comma;
      text = line.slice(at, end).trim();
      at = end;
    }
    out.push(text);
    if (at >= line.length) return out;
    at++;
  }
}

const ATTRIBUTE = /^@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s{]+)\s*(.*)$/i;
const unquote = (text: string): string =>
  /^(['"]).*\1$/.test(text) ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;

/** Error: `bad-file` with row and column. */
export function readArff(path: string, text: string, options: ReadOptions): Samples {
  const names: string[] = [];
  const declared: (readonly string[] | undefined)[] = [];
  const rows: string[][] = [];
  const lines: number[] = [];
  let data = false;
  text.split(/\r?\n/).forEach((raw, i) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('%')) return;
    if (data) {
      if (line.startsWith('{'))
        throw badFile(path, `row ${i + 1}, column 1: sparse rows are not read; write them out in full`);
      const row = cells(path, line, i + 1);
      if (row.length !== names.length)
        throw badFile(
          path,
          `row ${i + 1}, column ${Math.min(row.length, names.length) + 1}: the row has ${row.length} cells for ${names.length} attributes`,
        );
      rows.push(row);
      lines.push(i + 1);
      return;
    }
    if (/^@data\b/i.test(line)) data = true;
    else if (/^@attribute\b/i.test(line)) {
      const match = ATTRIBUTE.exec(line);
      if (!match) throw badFile(path, `row ${i + 1}, column 1: "${line.slice(0, 40)}" declares no attribute`);
      names.push(unquote(match[1]));
      declared.push(declaredValues(path, match[2].trim(), i + 1));
    } else if (!/^@(relation|end)\b/i.test(line))
      throw badFile(path, `row ${i + 1}, column 1: "${line.slice(0, 40)}" is no line of an ARFF header`);
  });
  if (!data) throw badFile(path, 'it has no @data line');
  return samplesOf(path, { names, rows, lines, declared }, options);
}

function declaredValues(path: string, type: string, row: number): string[] | undefined {
  if (type.startsWith('{')) {
    const end = type.lastIndexOf('}');
    if (end < 0) throw badFile(path, `row ${row}, column 1: the list of values is not closed by }`);
    return cells(path, type.slice(1, end).trim(), row);
  }
  if (/^(numeric|real|integer|string)\b/i.test(type)) return undefined;
  throw badFile(
    path,
    `row ${row}, column 1: attributes of type "${type.slice(0, 20)}" are not read; use numeric or {values}`,
  );
}
