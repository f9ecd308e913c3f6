/**
 * Every failure a user can meet. `input` ends the process with 2 (usage, files, settings), `device` with
 * 1 (board, port, service). The message is one line that says what is wrong, where, and what to do.
 */
export type ErrorReason =
  | 'usage'
  | 'bad-input'
  | 'bad-file'
  | 'limit'
  | 'port-not-found'
  | 'port-in-use'
  | 'not-a-board'
  | 'protocol-mismatch'
  | 'board-lost'
  | 'board-refused'
  | 'fenced'
  | 'timeout'
  | 'calibration'
  | 'service'
  | 'disk'
  | 'interrupted'
  | 'training';

const EXIT_INPUT: ReadonlySet<ErrorReason> = new Set([
  'usage',
  'bad-input',
  'bad-file',
  'limit',
  'port-not-found',
  'port-in-use',
  'not-a-board',
  'protocol-mismatch',
]);

export class MemloopError extends Error {
  override readonly name = 'MemloopError';
  constructor(
    readonly reason: ErrorReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** 2 for usage and input, 1 for a failed device or service, 130 for Ctrl-C. */
  get exitCode(): number {
    if (this.reason === 'interrupted') return 130;
    return EXIT_INPUT.has(this.reason) ? 2 : 1;
  }
}
