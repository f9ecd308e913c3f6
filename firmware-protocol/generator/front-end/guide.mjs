/** The tables of docs/how-to/build-a-board.md, between its marks. */
import { board } from './source.mjs';

const BEGIN = '<!-- begin generated tables -->';
const END = '<!-- end generated tables -->';

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

export function guide(text) {
  const tables = [
    table(
      ['pin', 'Pico', 'way', 'to'],
      board.pins.map(({ name, gpio, way, what }) => [name, `GP${gpio}`, way, what]),
    ),
    table(
      ['group of eight switches, in the order of the chain', 'chip', 'switch n joins'],
      board.switches.map(({ name, reference, what }) => [name, reference, what]),
    ),
    table(
      ['number', 'value', 'meaning'],
      Object.entries(board.numbers).map(([name, { value, what }]) => [name, String(value), what]),
    ),
  ];
  const [before] = text.split(BEGIN);
  const [, after] = text.split(END);
  return `${before}${BEGIN}\n\n${tables.join('\n\n')}\n\n${END}${after}`;
}
