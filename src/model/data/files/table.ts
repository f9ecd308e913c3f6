/** Rows of texts (CSV, ARFF) → columns of numbers or categories, and a label. */
import { badFile, type Column, classesOf, type ReadOptions, type Samples } from './samples.js';

export interface Table {
  names: readonly string[];
  /** Whether the file itself names its columns. */
  rows: readonly (readonly string[])[];
  /** Line of each row in the file, from 1. */
  lines: readonly number[];
  /** ARFF's declared values of a column. */
  declared?: readonly (readonly string[] | undefined)[];
  /** Class names instead of the numbers 0, 1 … in the label's column (scikit-learn's CSV files). */
  classNames?: readonly string[];
}

const MISSING = new Set(['', '?', 'na', 'n/a', 'nan', 'null']);
export const isMissing = (text: string): boolean => MISSING.has(text.trim().toLowerCase());
export const isNumber = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));

const LABEL_NAMES = ['class', 'label', 'target', 'species', 'labels', 'y', 'diagnosis', 'outcome'];

/** Index of the label's column: as asked for, one with a known name, or the last. */
function labelColumn(path: string, names: readonly string[], asked: string | undefined): number {
  if (asked !== undefined) {
    const byName = names.indexOf(asked);
    if (byName >= 0) return byName;
    const number = Number(asked);
    if (Number.isInteger(number) && number >= 1 && number <= names.length) return number - 1;
    throw badFile(path, `there is no column ${asked}; its ${names.length} columns are ${listed(names)}`);
  }
  for (const known of LABEL_NAMES) {
    const at = names.findIndex((name) => name.trim().toLowerCase() === known);
    if (at >= 0) return at;
  }
  return names.length - 1;
}

export const listed = (names: readonly string[]): string =>
  names.length > 8 ? `${names.slice(0, 7).join(', ')}, … ${names.at(-1)}` : names.join(', ');

/** Error: `bad-file` with row and column. */
export function samplesOf(path: string, table: Table, options: ReadOptions): Samples {
  const { names, rows, lines } = table;
  if (rows.length < 2) throw badFile(path, `it has ${rows.length} samples; at least two are needed`);
  if (names.length < 2) throw badFile(path, 'it has one column; at least one input and a label are needed');
  const at = labelColumn(path, names, options.label);
  const kept = rows.flatMap((row, r) => {
    if (!isMissing(row[at])) return [r];
    throw badFile(
      path,
      `row ${lines[r]}, column ${at + 1} (${names[at]}): the label is missing; leave the row out`,
    );
  });
  const inputs = names.flatMap((_, c) => (c === at ? [] : [c]));
  const values = new Float64Array(kept.length * inputs.length);
  const columns = inputs.map((c, j): Column => {
    const texts = rows.map((row) => row[c].trim());
    const categories = categoriesOf(path, table, c, texts);
    const index = categories && new Map(categories.map((name, i) => [name, i]));
    texts.forEach((text, r) => {
      const value = index?.get(text) ?? (isMissing(text) ? NaN : Number(text));
      values[r * inputs.length + j] = value;
    });
    return { name: names[c], ...(categories && { categories }) };
  });
  const found = labelTexts(path, table, at);
  const { labels, classes } = classesOf(path, found, table.classNames ?? table.declared?.[at]);
  return { count: rows.length, columns, values, labels, classes, label: names[at] };
}

function labelTexts(path: string, { rows, lines, classNames, names }: Table, at: number): string[] {
  return rows.map((row, r) => {
    const text = row[at].trim();
    if (!classNames) return text;
    const name = classNames[Number(text)];
    if (name === undefined)
      throw badFile(
        path,
        `row ${lines[r]}, column ${at + 1} (${names[at]}): ${text} is not the number of one of the ${classNames.length} classes`,
      );
    return name;
  });
}

/** The texts of a text column; undefined for numbers, which at least half of a column's cells must be. */
function categoriesOf(
  path: string,
  { declared, lines, names }: Table,
  c: number,
  texts: readonly string[],
): string[] | undefined {
  const known = declared?.[c];
  const present = texts.filter((text) => !isMissing(text));
  const bad = (wrong: (text: string) => boolean, why: string): void => {
    const r = texts.findIndex((text) => text !== '?' && text !== '' && wrong(text));
    if (r >= 0)
      throw badFile(
        path,
        `row ${lines[r]}, column ${c + 1} (${names[c]}): "${texts[r].slice(0, 40)}" ${why}`,
      );
  };
  if (known) {
    const allowed = new Set(known);
    bad((text) => !allowed.has(text), 'is not one of the values that the header declares');
    return [...known];
  }
  const numbers = present.filter(isNumber).length;
  if (2 * numbers < present.length) return [...new Set(present)].sort();
  bad(
    (text) => !isMissing(text) && !isNumber(text),
    'is not a number, as most of the column are; mend it, or write ? where it is missing',
  );
  return undefined;
}
