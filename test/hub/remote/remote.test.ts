/** A board over the hub is as good as one on a cable. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectBoard, openTransport, type ProtocolBoard } from '../../../src/driver/index.js';
import { openHub } from '../../../src/hub/index.js';
import type { MemloopError } from '../../../src/shared/errors.js';
import { soak } from '../../integration/soak.js';
import { type Lab, NO_SERVER, startLab, throughWeather } from './lab.js';

const pulse = (board: ProtocolBoard, width = 1e-5) =>
  board.cells([{ kind: 'pulse', array: 0, row: 0, column: 0, voltage: 0.5, width }]);
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: Error) => error.message,
  );

describe.skipIf(NO_SERVER)(`hub:BENCH/BOARD (${NO_SERVER ?? 'nats-server is there'})`, () => {
  const endings: (() => unknown)[] = [];
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab((end) => endings.push(end));
  });
  afterAll(async () => {
    for (const end of endings.reverse()) await end();
  });
  beforeEach(() => {
    lab.trace.length = 0;
  });

  test('every pulse is applied once or reported, though messages are lost, doubled and late', async () => {
    const weather = { lost: 0.03, doubled: 0.03, late: 0.1, delay: 0.03 };
    const scheme = throughWeather('stormy', lab.key('anna'), weather, 1);
    const pulses = Number(process.env.MEMLOOP_SOAK_PULSES ?? 2000);
    const tally = await soak(`${scheme}:bench/${lab.board}`, lab.trace, { pulses, seed: 1 });
    expect(tally).toMatchObject({ twice: 0, falselyAcknowledged: 0, falselyDenied: 0, misresolved: 0 });
    expect(tally.acknowledged).toBeGreaterThan(0.9 * pulses);
    expect(tally.retries).toBeGreaterThan(10);
    console.info(JSON.stringify(tally));
  });

  test('one holds the board; who comes second is told who it is; who was stopped cannot pulse', async () => {
    const url = `hub:bench/${lab.board}`;
    const anna = await connectBoard(await openHub(url, lab.key('anna')));
    expect(await pulse(anna)).toEqual([{ status: 'applied' }]);
    expect(await failure(openHub(url, lab.key('ben')))).toBe(
      `bench/${lab.board} is busy: anna has a lease on it`,
    );

    // Somebody stops it, and Ben is next.
    const ben = await lab.connect('ben');
    await ben.call({ bench: 'bench', board: lab.board }, 'stop', {});
    const next = await connectBoard(await openHub(url, lab.key('ben')));
    expect(await pulse(next)).toEqual([{ status: 'applied' }]);
    expect(await pulse(anna)).toMatchObject([{ status: 'refused' }]);
    expect(lab.trace).toHaveLength(2);
    await anna.close();
    await next.close();
  });

  test('a holder on a second cable is fenced off as soon as the lease has ended', async () => {
    const url = `hub:bench/${lab.board}`;
    const port = await openHub(url, lab.key('anna'));
    const token = await (port.claim as () => Promise<bigint>)();
    const board = await connectBoard(port);
    expect(await pulse(board)).toEqual([{ status: 'applied' }]);
    await board.close();
    // The port takes one at a time, and whoever was there before may still be leaving.
    const cable = (claim: bigint | undefined): Promise<string | undefined> =>
      openTransport(lab.cable)
        .then((transport) => connectBoard(transport, { claim }))
        .then(
          async (there) => {
            const [outcome] = await pulse(there);
            await there.close();
            return outcome.status === 'applied' ? undefined : outcome.code;
          },
          (error: MemloopError) => error.reason,
        );
    await expect.poll(() => cable(token)).toBe('fenced');
    await expect.poll(() => cable(undefined)).toBe('FENCED');
    expect(lab.trace).toHaveLength(1);
  });

  test('the board reboots: its holder goes on; what was on its way is not sent again', async () => {
    const board = await connectBoard(await openHub(`hub:bench/${lab.board}`, lab.key('anna')));
    await pulse(board);
    lab.virtual.reboot();
    const [outcome] = await pulse(board);
    if (outcome.status === 'unknown') expect(await pulse(board)).toEqual([{ status: 'applied' }]);
    expect(lab.trace).toHaveLength(2);
    await board.close();
  });

  test('messages of an earlier lease, or of nobody who holds one, are dropped and logged', async () => {
    const port = await openHub(`hub:bench/${lab.board}`, lab.key('anna'));
    const anna = await lab.connect('anna');
    const up = `ml.link.bench.${lab.board}.up.anna`;
    anna.nats.publish(up, Buffer.from('01M8ABWYPFCZ4JQQSA37XE9BEMb\0\x01\x02\x03\0'));
    anna.nats.publish(up, Buffer.from('short'));
    await anna.nats.flush();
    await expect.poll(() => lab.said.filter((line) => line.includes('dropped')).length).toBe(2);
    await port.close();
  });

  test('bad names and roles: one line each', async () => {
    const anna = lab.key('anna');
    expect(await failure(openHub('hub:', anna))).toBe(
      'cannot read the port hub:; write hub:BENCH/BOARD, as `memloop benches` shows them',
    );
    expect(await failure(openHub('hub:bench/nowhere', anna))).toBe('there is no board nowhere at bench');
    expect(await failure(openHub('hub:elsewhere', anna))).toBe(
      'there is no bench elsewhere: see `memloop benches`',
    );
    expect(await failure(openHub(`hub:bench/${lab.board}`, lab.key('eve')))).toContain('does not allow');
  });
});
