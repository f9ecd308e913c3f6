/**
 * Pictures on Ink's frame. Ink takes every character of a text, and every character of its escape codes,
 * through Unicode segmentation, which for a coloured map costs a tenth of a second and more. So Ink only lays
 * out: a picture is a box with a mark at its corner, and `compose` puts the picture's lines there afterwards.
 */
import { Box, Text } from 'ink';
import { createContext, useContext, useState } from 'react';

/** Marks are private-use characters, which no text of ours contains (`clean` removes them). */
const FIRST_MARK = 0xe000;
const MARKS = 6400;
const MARK = /[\ue000-\uf8ff]/g;

interface Drawing {
  lines: readonly string[];
  width: number;
}

export class Pictures {
  #drawings = new Map<string, Drawing>();
  #next = 0;

  newMark(): string {
    this.#next = (this.#next + 1) % MARKS;
    return String.fromCharCode(FIRST_MARK + this.#next);
  }
  put(mark: string, drawing: Drawing): void {
    this.#drawings.set(mark, drawing);
  }

  /** The lines of a frame with its pictures. */
  compose(frame: string): string[] {
    const lines = frame.split('\n');
    const pieces: Piece[][] = lines.map(() => []);
    for (const [y, line] of lines.entries()) {
      for (const mark of line.match(MARK) ?? []) {
        const x = visibleLength(line.slice(0, line.indexOf(mark)));
        const { lines: drawn, width } = this.#drawings.get(mark) ?? { lines: [' '], width: 1 };
        for (const [i, text] of drawn.entries()) pieces[y + i]?.push({ x, width, text });
      }
    }
    return lines.map((line, y) => lay(line, pieces[y] as Piece[]));
  }
}

export const PicturesContext = createContext(new Pictures());

/** Lines that are drawn as they are, each exactly `width` characters. */
export function Picture({ lines, width }: Drawing) {
  const pictures = useContext(PicturesContext);
  const [mark] = useState(() => pictures.newMark());
  pictures.put(mark, { lines, width });
  return (
    <Box width={width} height={lines.length} flexShrink={0}>
      <Text>{lines.length > 0 ? mark : ''}</Text>
    </Box>
  );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes begin with one
const CODES = /\u001b\[[0-9;]*m/g;

/** Characters of a line as it is seen. */
export const visibleLength = (line: string): number => [...line.replace(CODES, '')].length;

/** Part of a line, from column `x` on. */
interface Piece {
  x: number;
  width: number;
  text: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes begin with one
const TOKEN = /\u001b\[[0-9;]*m|[\s\S]/gu;

/** Puts pieces on a line, in place of the blanks there. Codes stay, so that what is beside keeps its style. */
function lay(line: string, pieces: Piece[]): string {
  if (pieces.length === 0) return line;
  pieces.sort((a, b) => a.x - b.x);
  let text = '';
  let column = 0;
  let next = pieces.shift();
  let end = 0;
  for (const [token] of line.matchAll(TOKEN)) {
    if (token.length > 2) {
      text += token;
      continue;
    }
    if (next?.x === column) {
      text += next.text;
      end = column + next.width;
      next = pieces.shift();
    }
    if (column >= end) text += token;
    column += 1;
  }
  column = Math.max(column, end);
  for (; next; next = pieces.shift()) {
    text += ' '.repeat(Math.max(0, next.x - column)) + next.text;
    column = next.x + next.width;
  }
  return text;
}
