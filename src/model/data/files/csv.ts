/** CSV, TSV and semicolons; with or without a header, or with scikit-learn's first line. */
import { badFile, type ReadOptions, type Samples } from './samples.js';
import { isMissing, isNumber, samplesOf } from './table.js';

const delimiterOf = (line: string): string => {
  const counts = [',', ';', '\t'].map((mark) => line.split(mark).length);
  const most = Math.max(...counts);
  return most > 1 ? [',', ';', '\t'][counts.indexOf(most)] : ' ';
};

/** Error: `bad-file` with row and column. */
export async function readCsv(path: string, text: string, options: ReadOptions): Promise<Samples> {
  const { CsvError, parse } = await import('csv-parse/sync');
  const first = text
    .slice(0, 65536)
    .split(/\r?\n/)
    .find((line) => line.trim() !== '');
  if (first === undefined) throw badFile(path, 'it is empty');
  let records: { record: string[]; info: { lines: number } }[];
  try {
    records = parse(text, {
      bom: true,
      delimiter: delimiterOf(first),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as typeof records;
  } catch (error) {
    if (error instanceof CsvError) {
      const { lines, column } = error as unknown as { lines?: number; column?: number | string };
      throw badFile(
        path,
        `row ${lines ?? '?'}, column ${typeof column === 'number' ? column + 1 : (column ?? '?')}: it is not CSV (${error.code}); mend the quotes`,
      );
    }
    throw error;
  }
  const lines = records.map(({ info }) => info.lines);
  const rows = records.map(({ record }) => record);
  const head = headOf(rows, options.header);
  const body = rows.slice(head.skip);
  const width = head.width ?? rows[0].length;
  const uneven = body.findIndex((row) => row.length !== width);
  if (uneven >= 0)
    throw badFile(
      path,
      `row ${lines[head.skip + uneven]}, column ${Math.min(width, body[uneven].length) + 1}: the row has ${body[uneven].length} cells, the others ${width}`,
    );
  const names = head.names ?? Array.from({ length: width }, (_, i) => `column ${i + 1}`);
  const { classNames } = head;
  const table = { names, rows: body, lines: lines.slice(head.skip), ...(classNames && { classNames }) };
  return samplesOf(path, table, options);
}

interface Head {
  /** Rows that are no samples. */
  skip: number;
  width?: number;
  names?: string[];
  classNames?: string[];
}

/** What the first row is: names, scikit-learn's "samples,inputs,class,class…", or the first sample. */
function headOf(rows: readonly string[][], asked: boolean | undefined): Head {
  const [first, second] = rows;
  if (asked === false || !second) return { skip: 0 };
  const [count, inputs, ...classNames] = first;
  const sklearn =
    Number(count) === rows.length - 1 && Number(inputs) === second.length - 1 && classNames.length > 1;
  if (sklearn && asked === undefined && !classNames.some(isNumber))
    return { skip: 1, width: second.length, classNames };
  const unique = new Set(first).size === first.length;
  const names = first.every((cell) => !isNumber(cell) && !isMissing(cell)) && unique;
  const below = first.length === second.length && second.some((cell) => isNumber(cell));
  return asked || (names && below) ? { skip: 1, names: first } : { skip: 0 };
}
