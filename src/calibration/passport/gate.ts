/**
 * The one gate that every pulse passes, whoever asks for it:
 *
 *     command or program ─► GuardedBoard.cells ─► limits ─► read-only, dry run ─► quarantine, budget of the cell
 *                                    ─► pulse log: begun ─► board ─► pulse log: ended ─► totals of the passport
 *
 * It makes one `Board` of another and knows its passport. Calls with pulses are served one after another, so that the
 * board's own counter tells the fate of pulses that were on their way when board or host was lost.
 */
import type { Observable } from 'rxjs';
import type {
  Board,
  BoardCounters,
  BoardDescription,
  BoardHealth,
  CellAddress,
  CellOperation,
  CellOutcome,
  CellTrace,
  NeuronFrame,
  NeuronRun,
  Stimulus,
} from '../../driver/board/board.js';
import { checkCellOperation } from '../../driver/board/limits.js';
import { isUnsettled, pulsesEvents, refusal, unknownFate } from '../../driver/board/outcomes.js';
import { type Stretch, stretchesOfWave } from '../../driver/board/waves.js';
import { type OutcomeCode, outcomeText } from '../../driver/codes.js';
import { stateAfterPulse, stateOfConductance } from '../../model/devices/memristor.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { W_SDC_PRIOR } from '../devices/prior.js';
import { pulseEnergy } from '../programming/pulse-plan.js';
import { type JobBudget, JobMeter } from './job-budget.js';
import { type ArrayPassport, Passport } from './passport.js';
import { type BoardCount, hasPulseLog, PulseLog } from './pulse-log.js';

export interface GateOptions {
  /** Folder of the passports; default: the platform's (`MEMLOOP_HOME`). */
  home?: string | undefined;
  /** No pulse is allowed: a call with one throws `usage`. */
  readOnly?: boolean | undefined;
  /** The same, of a rehearsal. */
  dryRun?: boolean | undefined;
  emit?: Emit | undefined;
  /** What may be pulsed in all, by this process and earlier attempts at the same job. */
  budget?: JobBudget | undefined;
}

/** What a pulse is expected to put into its cell, J, is added to the totals; the gate estimates it where it is not given. */
export type GatedOperation = CellOperation & { energy?: number };
type Pulse = Extract<GatedOperation, { kind: 'pulse' }>;

/** Operations between two checks of the abort signal; a link has up to 8 requests of 200 on the way. */
const STRETCH = 1600;
/** Cells named in a message; the rest are counted. */
const NAMED = 5;
/** What conductances are measured at, V. */
const READ_VOLTAGE = 0.05;
/** The board's clock is not followed for longer than this without asking, s. */
const COUNT_LIFETIME = 600;

/** The board behind the gate. Whoever pulses a board without it bypasses budgets, quarantine and the pulse counts. */
export const guardBoard = (board: Board, options: GateOptions = {}): GuardedBoard =>
  new GuardedBoard(board, options);

export class GuardedBoard implements Board {
  readonly #board: Board;
  readonly #options: GateOptions;
  readonly #job: JobMeter | undefined;
  #passport: Passport | undefined;
  /** By array. */
  readonly #logs = new Map<number, PulseLog>();
  /** The board's counters, moved on by what it acknowledged since; undefined before the first pulse. */
  #count: BoardCount | undefined;
  /** Arrays whose passports have totals that are not saved yet. */
  readonly #unsaved = new Set<number>();
  /** Arrays of which it was said that cells are left out: once is enough, though more may be spent later. */
  readonly #told = new Set<string>();
  /** The last call with pulses, and how many are not done. */
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #stops = 0;

  constructor(board: Board, options: GateOptions) {
    this.#board = board;
    this.#options = options;
    this.#job = options.budget && new JobMeter(options.budget);
  }

  /** What is known of the chip: the one object of it for this board. Throws `bad-file` and `disk` when first asked for. */
  get passport(): Passport {
    this.#passport ??= Passport.open(this.description, this.#options.home);
    return this.#passport;
  }

  get description(): BoardDescription {
    return this.#board.description;
  }

  get counters(): BoardCounters {
    return this.#board.counters;
  }

  get neurons(): Observable<NeuronFrame> {
    return this.#board.neurons;
  }

  /**
   * As `Board.cells`. Pulses on quarantined cells are refused with `QUARANTINED`, those over the budget of a cell with
   * `BUDGET`; neither is sent. Nothing is sent either where the call throws: `usage` for pulses on a board that is opened
   * read-only or for a dry run, `limit` and `bad-input` for any operation that is out of bounds, `bad-file` and `disk` for
   * passports and pulse logs. With `signal` it ends between two stretches, by the signal's reason; what was sent is booked.
   */
  async cells(
    operations: readonly GatedOperation[],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<CellOutcome[]> {
    for (const operation of operations) checkCellOperation(this.description, operation);
    if (!operations.some(isPulse)) return this.#inTurn(() => this.#board.cells(operations));
    this.#checkPulsing();
    return this.#pulsing((stops) => this.#send(operations, stops, signal));
  }

  readRows(
    array: number,
    firstRow: number,
    rowCount: number,
    voltage: number,
    samples: number,
  ): Promise<Float32Array> {
    return this.#inTurn(() => this.#board.readRows(array, firstRow, rowCount, voltage, samples));
  }

  multiply(
    array: number,
    voltages: Float32Array,
    options?: { range?: number; samples?: number },
  ): Promise<Float32Array> {
    return this.#inTurn(() => this.#board.multiply(array, voltages, options));
  }

  run(stimuli: readonly Stimulus[]): Promise<NeuronRun[]> {
    return this.#inTurn(() => this.#board.run(stimuli));
  }

  reference(
    row: number,
    column: number,
    reference: number | undefined,
    voltages: Float32Array,
    options?: { range?: number; samples?: number },
  ): Promise<Float32Array> {
    return this.#inTurn(() => this.#board.reference(row, column, reference, voltages, options));
  }

  /** As `Board.trace`: each stretch of one polarity is a pulse. Throws `limit` where the cell may not have so many. */
  get trace(): Board['trace'] {
    if (!this.#board.trace) return undefined;
    return (address, samples, rate) => this.#tracing(address, samples, rate);
  }

  health(): Promise<BoardHealth> {
    return this.#board.health();
  }

  stop(): Promise<void> {
    this.#stops++;
    return this.#board.stop();
  }

  /** Stops what is under way, saves the passports and closes the board. */
  async close(): Promise<void> {
    try {
      if (this.#pending > 0) await this.stop().catch(() => {});
      await this.#last;
      // A board that is gone cannot tell; its pulse log waits for the next opening.
      if ([...this.#logs.values()].some(({ waiting }) => waiting)) await this.settle().catch(() => {});
      for (const array of [...this.#unsaved]) this.save(array);
    } finally {
      await this.#board.close();
    }
  }

  /**
   * Throws `limit` where a cell may not have so many more pulses, with the remedy: for work on single cells, before its
   * first pulse.
   */
  checkCell({ array, row, column }: CellAddress, pulses: number): void {
    const chip = this.passport.array(array);
    const cell = row * chip.columns + column;
    const code = chip.refusal(cell, pulses);
    const name = `array ${array} row ${row} column ${column}`;
    if (code === 'QUARANTINED')
      throw new MemloopError(
        'limit',
        `${name} is quarantined and gets no pulse: \`memloop passport --array ${array} --forgive ${row},${column}\` allows it again`,
      );
    if (code === 'BUDGET') {
      const had = chip.tables.pulses[cell];
      throw new MemloopError(
        'limit',
        `${name} has had ${had} of the ${chip.budget} pulses in its budget and would get ${pulses} more: \`memloop passport --array ${array} --budget ${had + pulses}\` allows them`,
      );
    }
  }

  /**
   * The cells of an array that may not have so many more pulses: for work on whole arrays, which leaves them out. Says so
   * in a log event, once.
   */
  leaveOut(array: number, pulses = 1): ReadonlySet<number> {
    const chip = this.passport.array(array);
    const kinds = { QUARANTINED: [] as number[], BUDGET: [] as number[] };
    for (let cell = 0; cell < chip.rows * chip.columns; cell++) {
      const code = chip.refusal(cell, pulses);
      if (code) kinds[code].push(cell);
    }
    const { QUARANTINED: quarantined, BUDGET: spent } = kinds;
    const are = (cells: readonly number[], what: string) =>
      cells.length === 1 ? `1 ${what} is` : `${cells.length} ${what}s are`;
    this.#sayLeftOut(array, 'quarantine', quarantined, `${are(quarantined, 'quarantined cell')} left out`);
    this.#sayLeftOut(
      array,
      'budget',
      spent,
      `${are(spent, 'cell')} left out, as the budget of ${chip.budget} pulses per cell does not allow ${pulses} more (\`memloop passport --array ${array} --budget N\` changes it)`,
    );
    return new Set([...kinds.QUARANTINED, ...kinds.BUDGET]);
  }

  /** Saves an array's passport. Totals that are not saved lie in the pulse log, which loses nothing either. */
  save(array: number): void {
    const log = this.#logs.get(array);
    if (log) log.save();
    else this.passport.array(array).save();
    this.#unsaved.delete(array);
  }

  /**
   * Brings the totals of all arrays up to date with what earlier processes, or a lost session, have sent. Done before the
   * first pulse anyway. Throws `board-lost` when the board is needed for it and cannot be asked.
   */
  async settle(): Promise<void> {
    const { passport } = this;
    if (!this.#count)
      for (const array of this.description.arraySerials.keys())
        if (!this.#logs.has(array) && hasPulseLog(passport.pathOf(array))) this.#logOf(array);
    const waiting = [...this.#logs].filter(([, log]) => log.waiting);
    if (waiting.length === 0) return;
    const count = await this.#askCount();
    for (const [array, log] of waiting) {
      const uncertain = log.settle(count);
      if (uncertain === 0) continue;
      const [are, were] =
        uncertain === 1
          ? ['1 pulse of an interrupted job is', 'it was']
          : [`${uncertain} pulses of an interrupted job are`, 'they were'];
      const message = `array ${array}: ${are} counted without knowing whether ${were} applied`;
      this.#options.emit?.({ type: 'log', level: 'warning', message });
    }
  }

  async #askCount(): Promise<BoardCount> {
    const { uptime, pulsesApplied } = await this.#board.health();
    this.#count = { uptime, pulsesApplied, seen: Date.now() / 1000 };
    return this.#count;
  }

  #logOf(array: number): PulseLog {
    const log = this.#logs.get(array) ?? new PulseLog(this.passport.array(array));
    this.#logs.set(array, log);
    return log;
  }

  /** Other work keeps its place behind the pulses that were asked for before it. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#pending === 0) return work();
    const stops = this.#stops;
    return this.#last.then(() => {
      if (stops !== this.#stops) throw new MemloopError('board-refused', outcomeText('STOPPED'));
      return work();
    });
  }

  #checkPulsing(): void {
    const { dryRun, readOnly } = this.#options;
    if (dryRun) throw new MemloopError('usage', 'this is a dry run: no pulse is applied');
    if (readOnly)
      throw new MemloopError('usage', 'this board was opened read-only: it can be read but not pulsed');
  }

  /** Work with pulses, after all that was asked for before; `stops` tells it whether it was stopped meanwhile. */
  #pulsing<T>(send: (stops: number) => Promise<T>): Promise<T> {
    const stops = this.#stops;
    this.#pending++;
    const work = this.#last
      .then(() => send(stops))
      .finally(() => {
        this.#pending--;
      });
    this.#last = work.catch(() => {});
    return work;
  }

  /** Throws `limit` where the job may not have so many more pulses. */
  #checkJob(entries: readonly { energy: number }[]): void {
    if (!this.#job) return;
    const energy = entries.reduce((sum, entry) => sum + entry.energy, 0);
    this.#job.check(this.passport.totals(), { pulses: entries.length, energy });
  }

  async #tracing(address: CellAddress, samples: Float64Array, rate: number): Promise<CellTrace> {
    const stretches = stretchesOfWave(samples, rate);
    const pulses = stretches.map((pulse) => ({ ...address, ...pulse, kind: 'pulse' as const }));
    for (const pulse of pulses) checkCellOperation(this.description, pulse);
    this.#checkPulsing();
    return this.#pulsing(async (stops) => {
      this.checkCell(address, pulses.length);
      if (!(await this.#ready())) throw new MemloopError('board-lost', outcomeText('NOT_SENT'));
      if (stops !== this.#stops) throw new MemloopError('board-refused', outcomeText('STOPPED'));
      const { array } = address;
      const log = this.#logOf(array);
      const entries = this.#entriesOf(address, samples, rate, stretches);
      this.#checkJob(entries);
      log.begin(entries, this.#count!);
      this.#unsaved.add(array);
      try {
        const trace = await this.#board.trace!(address, samples, rate);
        log.end(pulses.map(() => 1));
        this.#tell(
          pulses,
          pulses.map(() => ({ status: 'applied' })),
        );
        return trace;
      } catch (error) {
        const lost = !(error instanceof MemloopError) || error.reason === 'board-lost';
        if (lost) {
          log.lose(pulses.map(() => undefined));
          this.#tell(
            pulses,
            pulses.map(() => unknownFate('BOARD_LOST')),
          );
          await this.#ready();
        } else log.end(pulses.map(() => 0));
        throw error;
      }
    });
  }

  #tell(
    operations: readonly CellOperation[],
    outcomes: readonly CellOutcome[],
    indices?: Iterable<number>,
  ): void {
    for (const event of pulsesEvents(operations, outcomes, indices)) this.#options.emit?.(event);
  }

  /** Of each stretch of a wave: what it puts into the cell, by the device that is assumed of it. */
  #entriesOf(
    { array, row, column }: CellAddress,
    samples: Float64Array,
    rate: number,
    stretches: readonly Stretch[],
  ): { cell: number; energy: number }[] {
    const chip = this.passport.array(array);
    const cell = row * chip.columns + column;
    const { seriesResistance } = this.description;
    const p = W_SDC_PRIOR.parameters;
    let state = this.#assumedState(chip, cell);
    return stretches.map(({ first, end }) => {
      let energy = 0;
      for (const voltage of samples.subarray(first, end)) {
        energy += pulseEnergy(p, state, { voltage, width: 1 / rate }, seriesResistance);
        state = stateAfterPulse(p, state, voltage, 1 / rate, seriesResistance);
      }
      return { cell, energy };
    });
  }

  async #send(
    operations: readonly GatedOperation[],
    stops: number,
    signal: AbortSignal | undefined,
  ): Promise<CellOutcome[]> {
    const outcomes: CellOutcome[] = new Array(operations.length);
    let lost = !(await this.#ready());
    for (const stretch of stretchesOf(operations)) {
      signal?.throwIfAborted();
      const held = lost ? 'NOT_SENT' : stops === this.#stops ? undefined : 'STOPPED';
      if (held) this.#refuse(operations, outcomes, stretch, () => held);
      else lost = !(await this.#sendStretch(operations, outcomes, stretch));
    }
    return outcomes;
  }

  /** Whether the totals and the count are those of the board; false: the board is lost. */
  async #ready(): Promise<boolean> {
    try {
      await this.settle();
      if (!this.#count || Date.now() / 1000 - this.#count.seen > COUNT_LIFETIME) await this.#askCount();
      return true;
    } catch (error) {
      if (error instanceof MemloopError && error.reason === 'board-lost') return false;
      throw error;
    }
  }

  /** One stretch: its pulses are on one array. Returns whether the fate of all of them is settled by their outcomes. */
  async #sendStretch(
    operations: readonly GatedOperation[],
    outcomes: CellOutcome[],
    stretch: readonly number[],
  ): Promise<boolean> {
    const planned = new Map<number, number>();
    const sent = this.#refuse(operations, outcomes, stretch, (operation) => {
      if (!isPulse(operation)) return undefined;
      const { array, row, column } = operation;
      const cell = row * this.description.columns + column;
      const pulses = (planned.get(cell) ?? 0) + 1;
      const code = this.passport.array(array).refusal(cell, pulses);
      if (!code) planned.set(cell, pulses);
      return code;
    });
    if (sent.length === 0) return true;
    const ask = () => this.#board.cells(sent.map((i) => operations[i]));
    const pulses = sent.filter((i) => isPulse(operations[i]));
    const take = (answers: CellOutcome[]) => {
      for (const [k, i] of sent.entries()) outcomes[i] = answers[k];
    };
    if (pulses.length === 0) {
      take(await ask());
      return true;
    }
    const { array } = operations[pulses[0]];
    const log = this.#logOf(array);
    const entries = pulses.map((i) => this.#entry(operations[i] as Pulse));
    this.#checkJob(entries);
    log.begin(entries, this.#count!);
    this.#unsaved.add(array);
    take(await ask());
    if (pulses.some((i) => isUnsettled(outcomes[i]))) {
      log.lose(pulses.map((i) => appliedOf(outcomes[i])));
      await this.#ready();
      return false;
    }
    const applied = pulses.map((i) => (outcomes[i].status === 'applied' ? 1 : 0));
    log.end(applied);
    const count = this.#count!;
    if (count.pulsesApplied !== undefined) count.pulsesApplied += applied.filter((one) => one === 1).length;
    return true;
  }

  /** Refuses the operations for which there is a reason; returns the others. */
  #refuse(
    operations: readonly GatedOperation[],
    outcomes: CellOutcome[],
    stretch: readonly number[],
    codeOf: (operation: GatedOperation) => OutcomeCode | undefined,
  ): number[] {
    const rest: number[] = [];
    const refused: number[] = [];
    for (const i of stretch) {
      const code = codeOf(operations[i]);
      if (code) {
        outcomes[i] = refusal(code);
        refused.push(i);
      } else rest.push(i);
    }
    this.#tell(operations, outcomes, refused);
    return rest;
  }

  #entry({ array, row, column, voltage, width, energy }: Pulse): { cell: number; energy: number } {
    const chip = this.passport.array(array);
    const cell = row * chip.columns + column;
    const given = energy !== undefined && Number.isFinite(energy);
    return { cell, energy: Math.max(0, given ? energy : this.#estimate(chip, cell, { voltage, width })) };
  }

  /** By the device that is assumed of an unknown cell, at the conductance last read. */
  #estimate(chip: ArrayPassport, cell: number, pulse: { voltage: number; width: number }): number {
    const known = this.#assumedState(chip, cell);
    return pulseEnergy(W_SDC_PRIOR.parameters, known, pulse, this.description.seriesResistance);
  }

  #assumedState({ tables }: ArrayPassport, cell: number): number {
    const state = stateOfConductance(W_SDC_PRIOR.parameters, tables.conductance[cell], READ_VOLTAGE);
    return Number.isFinite(state) ? Math.min(1, Math.max(0, state)) : 0.5;
  }

  #sayLeftOut(array: number, reason: string, cells: readonly number[], what: string): void {
    const key = `${array} ${reason}`;
    if (cells.length === 0 || this.#told.has(key)) return;
    this.#told.add(key);
    const { columns } = this.description;
    const names = cells
      .slice(0, NAMED)
      .map((cell) => `row ${Math.floor(cell / columns)} column ${cell % columns}`);
    if (cells.length > NAMED) names.push(`and ${cells.length - NAMED} more`);
    const message = `array ${array}: ${what}: ${names.join(', ')}`;
    this.#options.emit?.({ type: 'log', level: 'warning', message });
  }
}

const isPulse = (operation: GatedOperation): operation is Pulse => operation.kind === 'pulse';

const appliedOf = (outcome: CellOutcome): 0 | 1 | undefined =>
  outcome.status === 'unknown' ? undefined : outcome.status === 'applied' ? 1 : 0;

/** Indices of the operations in stretches: not too long, and each with pulses of one array only. */
function* stretchesOf(operations: readonly GatedOperation[]): Generator<number[]> {
  let stretch: number[] = [];
  let array: number | undefined;
  for (const [i, operation] of operations.entries()) {
    const other = isPulse(operation) && array !== undefined && operation.array !== array;
    if (other || stretch.length === STRETCH) {
      yield stretch;
      stretch = [];
      array = undefined;
    }
    if (isPulse(operation)) array = operation.array;
    stretch.push(i);
  }
  if (stretch.length > 0) yield stretch;
}
