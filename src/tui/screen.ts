/**
 * The terminal while the dashboard has it: the alternate screen, of which only changed lines are written;
 * everything else that would be printed; and the way back, also after a crash.
 */
import { EventEmitter } from 'node:events';
import { format } from 'node:util';
import { Pictures } from './drawing/picture.js';
import { type Size, sizeOf } from './layout.js';

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const ALTERNATE = '\u001b[?1049h';
const MAIN = '\u001b[?1049l';
const CLEAR = '\u001b[2J';
const CLEAR_TO_END = '\u001b[K';
/** Terminals that know it show what is between at once; others ignore it. */
const BEGIN_UPDATE = '\u001b[?2026h';
const END_UPDATE = '\u001b[?2026l';

type Tell = (line: string, level: 'info' | 'warning') => void;

/**
 * Stands for stdout towards Ink, which in its debug mode hands over whole frames. Ink's own way to the
 * terminal moves relative to the cursor, and a resize or a stray line moves the cursor.
 */
export class Screen extends EventEmitter {
  readonly pictures = new Pictures();
  #shown: readonly string[] = [];
  #left = false;
  #gone = false;
  #restorePrinting: () => void;

  readonly #stdout: NodeJS.WriteStream;
  readonly #stdin: NodeJS.ReadStream;

  /** `tell` gets each line that somebody prints meanwhile; `onGone` is called when the terminal is closed. */
  constructor(stdout: NodeJS.WriteStream, stdin: NodeJS.ReadStream, tell: Tell, onGone: () => void) {
    super();

    this.#stdout = stdout;
    this.#stdin = stdin;
    const gone = () => {
      if (this.#gone || this.#left) return;
      this.#gone = true;
      onGone();
    };
    stdin.on('error', gone);
    stdout.on('error', gone);
    this.#restorePrinting = catchPrinting(tell);
    stdout.write(ALTERNATE + HIDE_CURSOR + CLEAR);
    process.on('exit', this.leave);
    process.on('uncaughtExceptionMonitor', this.leave);
  }

  get size(): Size {
    return sizeOf(this.#stdout);
  }
  get columns(): number {
    return this.size.columns;
  }
  get rows(): number {
    return this.size.rows;
  }

  /** Draws a frame. */
  readonly write = (frame: string): boolean => {
    const lines = this.pictures.compose(frame).slice(0, this.rows);
    const changes = lines.flatMap((line, y) =>
      line === this.#shown[y] ? [] : [`\u001b[${y + 1};1H${line}${CLEAR_TO_END}`],
    );
    for (let y = lines.length; y < this.#shown.length; y++) changes.push(`\u001b[${y + 1};1H${CLEAR_TO_END}`);
    this.#shown = lines;
    if (changes.length > 0) this.#put(BEGIN_UPDATE + changes.join('') + END_UPDATE);
    return true;
  };

  /** The next frame is drawn whole. */
  clear(): void {
    this.#shown = [];
    this.#put(CLEAR);
  }

  /** Gives the terminal back as it was; may be called twice. */
  readonly leave = (): void => {
    if (this.#left) return;
    process.off('exit', this.leave);
    process.off('uncaughtExceptionMonitor', this.leave);
    this.#restorePrinting();
    if (this.#stdin.isTTY && !this.#gone) this.#stdin.setRawMode(false);
    this.#put(END_UPDATE + SHOW_CURSOR + MAIN);
    this.#left = true;
  };

  #put(text: string): void {
    if (!this.#left && !this.#gone) this.#stdout.write(text);
  }
}

/** Libraries and Node.js itself print to the console and to stderr. */
function catchPrinting(tell: Tell): () => void {
  const { log, info, debug } = console;
  const quiet = (...values: unknown[]) => tell(format(...values), 'info');
  Object.assign(console, { log: quiet, info: quiet, debug: quiet });
  const { stderr } = process;
  const write = stderr.write;
  if (stderr.isTTY) {
    stderr.write = (chunk: string | Uint8Array) => {
      tell(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString(), 'warning');
      return true;
    };
  }
  return () => {
    Object.assign(console, { log, info, debug });
    stderr.write = write;
  };
}
