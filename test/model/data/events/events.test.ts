import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeData, loadOwnData } from '../../../../src/model/index.js';
import { dataFolder } from '../folder.js';

const { dir, file } = dataFolder();

/** Time, x, y, polarity. */
type Event = [time: number, x: number, y: number, polarity: number];

const nmnist = (events: readonly Event[]): Uint8Array =>
  Uint8Array.from(
    events.flatMap(([time, x, y, polarity]) => [
      x,
      y,
      (polarity << 7) | (time >> 16),
      (time >> 8) & 0xff,
      time & 0xff,
    ]),
  );

/** One packet of polarity events; with an event of another type before it and an invalid one in it. */
function aedat(events: readonly Event[]): Uint8Array {
  const packet = (type: number, size: number, count: number) => {
    const header = Buffer.alloc(28);
    header.writeUInt16LE(type, 0);
    header.writeUInt32LE(size, 4);
    header.writeUInt32LE(4, 8);
    for (const at of [16, 20, 24]) header.writeUInt32LE(count, at);
    return Buffer.concat([header, Buffer.alloc(size * count)]);
  };
  const polarity = packet(1, 8, events.length + 1);
  events.forEach(([time, x, y, p], k) => {
    polarity.writeUInt32LE(((x << 17) | (y << 2) | (p << 1) | 1) >>> 0, 28 + 8 * k);
    polarity.writeInt32LE(time, 32 + 8 * k);
  });
  const text = '#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n';
  return Buffer.concat([Buffer.from(text), packet(0, 8, 1), polarity]);
}

/** Rows of one sample: at each time, which channels had events, and how many (with the most in one place as 1). */
const rowsOf = (inputs: Float32Array, times: number): Record<number, number>[] => {
  const channels = inputs.length / times;
  return Array.from({ length: times }, (_, t) =>
    Object.fromEntries(
      [...inputs.subarray(t * channels, (t + 1) * channels)].flatMap((v, c) => (v > 0 ? [[c, v]] : [])),
    ),
  );
};

describe('events', () => {
  const up: Event[] = [
    [1000, 0, 0, 1],
    [1999, 33, 0, 0],
    [2500, 33, 33, 1],
    [2600, 33, 33, 1],
    [5000, 0, 33, 0],
  ];
  const down = up.map(([time, x, y, p]): Event => [6000 - time, x, y, p]).reverse();

  it('of N-MNIST: Train and Test, folders by class, 40 bits an event', async () => {
    for (const part of ['Train', 'Test'])
      for (const [name, events] of [
        ['3', up],
        ['7', down],
      ] as const)
        for (let i = 0; i < 2; i++) file(`n/${part}/${name}/0000${i}.bin`, nmnist(events));
    const options = { times: 4, channels: 8 };
    expect(await describeData(join(dir, 'n'), options)).toMatchObject({
      samples: 4,
      testSamples: 4,
      inputs: 8,
      times: 4,
      classes: 2,
      counts: { 3: 2, 7: 2 },
    });
    const { train, test } = await loadOwnData(join(dir, 'n'), options);
    expect(train).toMatchObject({ count: 4, features: 32, times: 4, classes: 2 });
    expect([...test.labels]).toEqual([0, 0, 1, 1]);
    // 2 × 2 fields, polarity 0 first; a quarter of 4 ms each time.
    expect(rowsOf(train.inputs.subarray(0, 32), 4)).toEqual([{ 4: 0.5, 1: 0.5 }, { 7: 1 }, {}, { 2: 0.5 }]);
    const together = (await loadOwnData(join(dir, 'n'), { times: 4, channels: 4 })).train;
    expect(rowsOf(together.inputs.subarray(0, 16), 4)).toEqual([
      { 0: 0.5, 1: 0.5 },
      { 3: 1 },
      {},
      { 2: 0.5 },
    ]);
  });

  it('of SHD: lists of times in half precision and of units, labels', async () => {
    const path = fileURLToPath(new URL('shd.h5', import.meta.url));
    expect(await describeData(path)).toMatchObject({ samples: 6, inputs: 700, times: 30, classes: 2 });
    const { train } = await loadOwnData(path, { times: 5, channels: 5, testShare: 0.4 });
    for (let n = 0; n < train.count; n++) {
      const channels = rowsOf(train.inputs.subarray(n * 25, (n + 1) * 25), 5).map((row) =>
        Object.keys(row).map(Number),
      );
      // The first word climbs the units, the second descends.
      const most = channels.map((list) => list.reduce((sum, c) => sum + c, 0) / list.length);
      const climb = train.labels[n] === 0 ? 1 : -1;
      for (let t = 1; t < 5; t++) expect(climb * (most[t] - most[t - 1])).toBeGreaterThan(0);
    }
  });

  it('of DVS128 Gesture: recordings in AEDAT 3.1 with lists of gestures', async () => {
    const wide = (events: readonly Event[], from: number) =>
      events.map(([time, x, y, p]): Event => [from + time, x && 127, y && 127, p]);
    const events = [...wide(up, 0), [7000, 64, 64, 1] as Event, ...wide(down, 10_000)];
    for (const name of ['user01', 'user02', 'user03']) {
      file(`g/${name}.aedat`, aedat(events));
      file(`g/${name}_labels.csv`, 'class,startTime_usec,endTime_usec\r\n2,0,6000\r\n11,10000,16000\r\n');
    }
    const options = { times: 4, channels: 8 };
    const all = await describeData(join(dir, 'g'), options);
    expect(all).toMatchObject({ samples: 6, testSamples: 0, counts: { 2: 3, 11: 3 } });
    file('g/trials_to_train.txt', 'user01.aedat\nuser02.aedat\n');
    file('g/trials_to_test.txt', 'user03.aedat\n');
    const { train, test } = await loadOwnData(join(dir, 'g'), options);
    expect([train.count, test.count]).toEqual([4, 2]);
    expect(rowsOf(test.inputs.subarray(0, 32), 4)).toEqual([{ 4: 0.5, 1: 0.5 }, { 7: 1 }, {}, { 2: 0.5 }]);
    file('g/trials_to_test.txt', 'user04.aedat\n');
    await expect(loadOwnData(join(dir, 'g'), options)).rejects.toThrow(
      /names user04.aedat, which does not lie/,
    );
  });

  const bin = (content: Uint8Array) => () => {
    file('bad/a/1.bin', content);
    file('bad/b/1.bin', nmnist(up));
  };
  const gesture = (content: Uint8Array, list?: string) => () => {
    rmSync(join(dir, 'bad'), { recursive: true, force: true });
    file('bad/user01.aedat', content);
    if (list !== undefined) file('bad/user01_labels.csv', `class,start,end\n${list}`);
  };
  it.each([
    ['a cut-off N-MNIST file', bin(nmnist(up).subarray(1)), {}, /24 bytes, but events have 5/],
    ['an address outside', bin(nmnist([[1, 34, 0, 0]])), {}, /event 0 is at 34, 0/],
    ['channels of no square', bin(nmnist(up)), { channels: 10 }, /cannot be cut into 10 channels/],
    ['more channels than pixels', bin(nmnist(up)), { channels: 2 * 35 ** 2 }, /cannot be cut/],
    ['too much for memory', bin(nmnist(up)), { times: 10_000_000 }, /do not fit into memory/],
    ['no list of gestures', gesture(aedat(up)), {}, /with its classes is missing/],
    ['a bad list', gesture(aedat(up), '1,5,x\n'), {}, /row 2 is not class, start and end/],
    ['another format', gesture(Buffer.from('#!AER-DAT2.0\n'), '1,0,9\n2,0,9\n'), {}, /AER-DAT3\.1/],
    ['a cut-off packet', gesture(aedat(up).subarray(0, -3), '1,0,9\n2,0,9\n'), {}, /packet is cut off/],
  ])('%s ends in one line', async (_name, make, options, message) => {
    make();
    const failure = await loadOwnData(join(dir, 'bad'), options).catch((error: unknown) => error);
    expect(failure).toMatchObject({ reason: 'bad-file', message: expect.stringMatching(message) });
    expect((failure as Error).message).not.toContain('\n');
  });

  it('of damaged files never crash', async () => {
    const good = aedat(up);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (changes) => {
          const bytes = good.slice();
          for (const [at, value] of changes) bytes[at] = value;
          gesture(bytes, '1,0,3000\n2,3000,9000\n')();
          const result = await loadOwnData(join(dir, 'bad'), { times: 3, channels: 8 }).catch(
            ({ reason }) => reason,
          );
          if (typeof result === 'string') expect(['bad-file', 'bad-input']).toContain(result);
          else expect(result.train.count).toBe(2);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('arrays of signals', () => {
  const npy = (shape: string, values: number[]): Uint8Array => {
    const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }\n`;
    return Buffer.concat([
      Buffer.from([0x93, 78, 85, 77, 80, 89, 1, 0, header.length, 0]),
      Buffer.from(header),
      new Uint8Array(Float32Array.from(values).buffer),
    ]);
  };
  const values = Array.from({ length: 4 * 3 * 2 }, (_, i) => i - 2);

  it('are samples × times × channels, on one scale', async () => {
    file('y.npy', npy('4,', [0, 1, 0, 1]));
    const x = file('x.npy', npy('4, 3, 2', values));
    expect(await describeData(x, { times: 3 })).toMatchObject({ samples: 4, times: 3, inputs: 2 });
    const { train, record } = await loadOwnData(x, { times: 3, testShare: 0.5 });
    expect(train).toMatchObject({ times: 3, features: 6 });
    expect(record.read.times).toBe(3);
    const steps = train.inputs.slice(1, 6).map((v, i) => v - train.inputs[i]);
    for (const step of steps) expect(step).toBeCloseTo(steps[0], 6);
    await expect(loadOwnData(x, { times: 4 })).rejects.toThrow(/samples of 6 values are no 4 vectors/);
    await expect(loadOwnData(x, { channels: 2 })).rejects.toThrow(/does not hold events/);
  });

  it('a column of texts is no signal', async () => {
    const csv = file('t.csv', 'a,b,label\n1,x,p\n2,y,q\n3,x,p\n4,y,q\n');
    await expect(loadOwnData(csv, { times: 2 })).rejects.toThrow(/column b holds texts/);
  });
});
