import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openKtram } from '../../../src/boards/ktram/open.js';
import { parseKtramUrl } from '../../../src/boards/ktram/url.js';
import type { KtramFault } from '../../../src/virtual-board/stand-ins/ktram/faults.js';
import { faultsOf, login, pulse, read, simulated } from './shared.js';

const once: Pick<KtramFault, 'on' | 'every' | 'times'> = { on: 'write', every: [1, 1], times: 1 };

describe('a kT-RAM server as a board', () => {
  it('says what it is, and what it cannot promise', async () => {
    const { server, open } = await simulated(faultsOf([], { modules: [1, 4] }));
    const { description } = await open();
    expect(description).toMatchObject({
      kind: 'KNOWM kT-RAM server',
      arrays: 16,
      rows: 8,
      columns: 8,
      neurons: 0,
      products: 'none',
      references: [],
      halfSelect: 0.5,
      linesFloat: true,
      seriesResistance: 20e3,
      widthStep: 2.5e-6,
      rowVoltageStep: 5e-3,
      readTime: 100e-6,
      limits: { maxVoltage: 0.75, minVoltage: -1, maxReadVoltage: 0.1, minWidth: 2.5e-6, maxWidth: 500e-6 },
    });
    expect(new Set(description.arraySerials).size).toBe(16);
    expect(description.arraySerials[0]).toMatch(/^\d+-1-0-0$/);
    expect(description.arraySerials[15]).toMatch(/^\d+-4-1-3$/);
    expect(description.caveats.join(' ')).toMatch(/not encrypted/);
    expect(JSON.stringify(description)).not.toContain(server.environment.MEMLOOP_KTRAM_PASSWORD);
    const one = await open('&module=4');
    expect(one.description.arrays).toBe(8);
  });

  it('keeps the limits of its URL and of the caller, also where a pulse is rounded to the grid', async () => {
    const { received, open } = await simulated();
    const board = await open('&min=-0.5&max=0.4');
    expect(board.description.limits).toMatchObject({ minVoltage: -0.5, maxVoltage: 0.4 });
    for (const voltage of [0.41, -0.51])
      await expect(board.cells([pulse(0, 0, voltage)])).rejects.toMatchObject({ reason: 'limit' });
    const tighter = await open('', 0, { maxVoltage: 0.303, minVoltage: -0.203, maxWidth: 14e-6 });
    for (const [voltage, width] of [
      [0.303, 14e-6],
      [-0.203, 14e-6],
    ])
      expect(await tighter.cells([pulse(0, 0, voltage, width)])).toEqual([{ status: 'applied' }]);
    expect(received).toMatchObject([
      { voltage: 0.3, width: 12.5e-6 },
      { voltage: -0.2, width: 12.5e-6 },
    ]);
    await expect(open('', 0, { maxReadVoltage: 0.05 })).rejects.toThrow(/this board is read by 0.1 V/);
    await expect(open('&max=0.4', 0, { maxVoltage: 0.5 })).rejects.toThrow(/looser than the board's own/);
  });

  it('reads the cells that it names, to the sense circuit’s precision', async () => {
    const { server, open } = await simulated(faultsOf([], { modules: [0, 3] }));
    const board = await open();
    for (const array of [0, 5, 14]) {
      const truth = server.chip.crossbars[array].conductances(0.1);
      const currents = await board.readRows(array, 2, 3, 0.1, 16);
      for (let k = 0; k < 24; k++) expect(currents[k] / 0.1 / truth[16 + k]).toBeCloseTo(1, 1);
      const [outcome] = await board.cells([read(6, 1, 16, array)]);
      expect(outcome).toMatchObject({ status: 'applied', saturated: false });
      if (outcome.status === 'applied') expect(outcome.current! / 0.1 / truth[49]).toBeCloseTo(1, 1);
    }
  });

  it('positive pulses raise the cell that they are for, negative ones lower it', async () => {
    const { server, received, open } = await simulated();
    const board = await open();
    const conductance = () => server.chip.crossbars[6].conductances(0.1)[8 * 2 + 5];
    const before = conductance();
    expect(await board.cells([pulse(2, 5, 0.6, 100e-6, 6)])).toEqual([{ status: 'applied' }]);
    const raised = conductance();
    expect(raised).toBeGreaterThan(2 * before);
    await board.cells([pulse(2, 5, -0.8, 100e-6, 6)]);
    expect(conductance()).toBeLessThan(raised / 2);
    expect(received).toMatchObject([
      { array: 6, row: 2, column: 5, voltage: 0.6, width: 100e-6 },
      { array: 6, row: 2, column: 5, voltage: -0.8, width: 100e-6 },
    ]);
  });

  it('shares writes among cells, keeps the order of each cell, and reads in their place', async () => {
    const { received, open } = await simulated();
    const board = await open();
    const { requests } = board.counters;
    const outcomes = await board.cells([
      pulse(0, 0, 0.3),
      pulse(0, 1, 0.4),
      pulse(0, 2, 0.3),
      pulse(0, 0, 0.4),
      pulse(0, 1, 0.3),
      read(0, 0),
      pulse(0, 0, 0.3),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(Array(7).fill('applied'));
    // 0.3 V on columns 0, 2; 0.4 V on 1, 0; 0.3 V on 1; the read; 0.3 V on 0.
    expect(board.counters.requests - requests).toBe(5);
    const of = (column: number) => received.filter((one) => one.column === column).map((one) => one.voltage);
    expect([of(0), of(1), of(2)]).toEqual([[0.3, 0.4, 0.3], [0.4, 0.3], [0.3]]);
  });

  it('keeps to its grid and its limits', async () => {
    const { received, open } = await simulated();
    const board = await open();
    await board.cells([pulse(0, 0, 0.7499, 3.4e-6), pulse(0, 1, -0.4026, 499e-6), pulse(0, 2, 0.1, 2.5e-6)]);
    expect(received.map(({ voltage, width }) => [voltage, Number(width.toFixed(8))])).toEqual([
      [0.75, 2.5e-6],
      [-0.405, 500e-6],
      [0.1, 2.5e-6],
    ]);
    for (const bad of [pulse(0, 0, 0.76), pulse(0, 0, -1.01), pulse(0, 0, 0.1, 1e-6), pulse(0, 0, 0.1, 1e-3)])
      await expect(board.cells([bad])).rejects.toMatchObject({ reason: 'limit' });
    await expect(board.cells([pulse(8, 0, 0.1)])).rejects.toMatchObject({ reason: 'bad-input' });
  });
});

describe('a write whose answer does not come', () => {
  const batch = [pulse(0, 0, 0.3), pulse(0, 1, 0.3), pulse(0, 2, 0.3), pulse(0, 3, 0.3), pulse(1, 0, 0.4)];
  it.each<[KtramFault, string, number]>([
    [{ kind: 'close', done: 'none', ...once }, 'BOARD_LOST', 0],
    [{ kind: 'close', done: 'half', ...once }, 'BOARD_LOST', 2],
    [{ kind: 'close', done: 'all', ...once }, 'BOARD_LOST', 4],
    [{ kind: 'silent', done: 'all', ...once }, 'BOARD_LOST', 4],
    [{ kind: 'slow', time: 0.4, ...once }, 'BOARD_LOST', 4],
    [{ kind: 'cut', ...once }, 'BOARD_LOST', 4],
    [{ kind: 'torn', ...once }, 'PROTOCOL_BREACH', 4],
    [{ kind: 'error', done: 'half', ...once }, 'PROTOCOL_BREACH', 2],
    [{ kind: 'false', done: 'none', ...once }, 'PROTOCOL_BREACH', 0],
    [{ kind: 'restart', done: 'half', time: 0.1, ...once }, 'BOARD_LOST', 2],
  ])(
    '%o: all of it is unknown, nothing is sent again, nothing behind it is sent',
    async (fault, code, done) => {
      const { received, events, open } = await simulated(faultsOf([fault]));
      const board = await open('&timeout=0.2', 5);
      const outcomes = await board.cells(batch);
      expect(outcomes.slice(0, 4)).toMatchObject(Array(4).fill({ status: 'unknown', code }));
      expect(outcomes[4]).toMatchObject({ status: 'refused', code: 'NOT_SENT' });
      expect(events).toContainEqual(expect.objectContaining({ type: 'pulses', status: 'unknown' }));
      // The next request is served when the server is done with the one before.
      await board.readRows(0, 0, 1, 0.1, 1);
      expect(received).toHaveLength(done);
      expect(await board.cells([pulse(1, 1, 0.3)])).toEqual([{ status: 'applied' }]);
      expect(received).toHaveLength(done + 1);
    },
  );

  it('401: certainly not applied', async () => {
    const { received, open } = await simulated(faultsOf([{ kind: 'deny', ...once }]));
    const board = await open();
    const outcomes = await board.cells(batch);
    expect(outcomes).toMatchObject(Array(5).fill({ status: 'refused', code: 'NOT_SENT' }));
    expect(received).toHaveLength(0);
  });

  it('the server’s own words are in the outcome', async () => {
    const { open } = await simulated(faultsOf([{ kind: 'error', done: 'none', ...once }]));
    const [outcome] = await (await open()).cells(batch);
    expect(outcome).toMatchObject({ reason: expect.stringMatching(/500, ".*Driver communication failed"/) });
  });
});

describe('reads', () => {
  it('are asked again until they are answered', async () => {
    const kinds: KtramFault[] = [
      { kind: 'close', done: 'half', on: 'read', every: [3, 6] },
      { kind: 'torn', on: 'read', every: [4, 7] },
      { kind: 'error', done: 'none', on: 'read', every: [5, 8] },
    ];
    const { server, open } = await simulated(faultsOf(kinds));
    const board = await open();
    for (let i = 0; i < 20; i++) expect(await board.readRows(0, 0, 2, 0.1, 1)).toHaveLength(16);
    expect(Object.values(server.counts).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(8);
  });

  it('a server that is gone: lost, with the remedy', async () => {
    const { server, open } = await simulated();
    const board = await open();
    await server.close();
    await expect(board.readRows(0, 0, 1, 0.1, 1)).rejects.toMatchObject({
      reason: 'board-lost',
      message: expect.stringMatching(/is lost: .*; see that it runs/),
    });
    expect(await board.cells([pulse(0, 0, 0.3)])).toMatchObject([{ status: 'refused', code: 'NOT_SENT' }]);
  });

  it('another board behind the same address is not taken for the first', async () => {
    const { server, open } = await simulated();
    const board = await open('', 5);
    const port = Number(/:(\d+)\//.exec(server.port)![1]);
    await server.close();
    const { startKtram } = await import('../../../src/virtual-board/stand-ins/ktram/serve.js');
    const { healthyCells } = await import('./shared.js');
    const other = await startKtram(healthyCells(), { seed: 2, tcp: { host: '127.0.0.1', port } });
    onTestFinished(() => other.close());
    // The account of the other board is another as well.
    await expect(board.readRows(0, 0, 1, 0.1, 1)).rejects.toMatchObject({ reason: 'board-lost' });
  });
});

describe('URLs', () => {
  it.each([
    ['ktram+https://me:secret@host:4242', /user and password do not belong in a URL/],
    ['ktram+https://me@host:4242/', /do not belong in a URL/],
    ['ktram+https://host:4242?series=10000', /parameter series/],
    ['ktram+https://host?read=0.1,2', /parameter read/],
    ['ktram+https://host?max=0.8', /parameter max/],
    ['ktram+https://host?min=-1.1', /parameter min/],
    ['ktram+https://host?min=0.5', /parameter min/],
    ['ktram+https://host?colour=red', /unknown parameter "colour"/],
    ['ktram+https://host?password=secret', /unknown parameter "password"/],
    ['ktram+http://host?insecure=1', /for ktram\+https/],
    ['ktram+https:', /needs its host|cannot read/],
  ])('%s: one line, without the password', (url, message) => {
    expect(() => parseKtramUrl(url)).toThrow(message);
    expect(() => parseKtramUrl(url)).not.toThrow(/secret/);
  });

  it('port and path have defaults', () => {
    expect(parseKtramUrl('ktram+https://host')).toMatchObject({ port: 4242, path: '/kt-ram-server/' });
    expect(parseKtramUrl('ktram+http://[::1]:80/x/')).toMatchObject({ host: '::1', port: 80, path: '/x/' });
  });

  it('what is no kT-RAM server is not taken for one', async () => {
    for (const [status, text] of [
      [200, '<html>hello</html>'],
      [200, '{"name":"x"}'],
      [404, 'no such page'],
      [302, ''],
      [200, 'x'.repeat(5 * 2 ** 20)],
    ] as const) {
      const web = createServer((_, response) => {
        response.writeHead(status).end(text);
      });
      await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void web.close());
      login({ MEMLOOP_KTRAM_USER: 'a', MEMLOOP_KTRAM_PASSWORD: 'b' });
      const { port } = web.address() as AddressInfo;
      await expect(openKtram(`ktram+http://127.0.0.1:${port}`, {})).rejects.toMatchObject({
        reason: 'not-a-board',
        message: expect.stringMatching(/no kT-RAM server answers at .*: check host/),
      });
    }
  });
});
