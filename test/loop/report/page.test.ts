import { writeFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type FinetunePageData, finetunePage } from '../../../src/loop/report/page.js';
import { Random } from '../../../src/model/random.js';

const HOSTILE = `</style><script>alert("x")</script> & 'y' "z"`;

/** A run that might have been. */
function example(change: Partial<FinetunePageData> = {}): FinetunePageData {
  const random = new Random(3);
  const classes = 10;
  const confusion = (right: number) =>
    Array.from({ length: classes }, (_, i) =>
      Array.from({ length: classes }, (_, j) =>
        i === j ? Math.round(36 * right) : random.uniform() < 3 * (1 - right) ? random.integer(5) : 0,
      ),
    );
  const arrays = [0, 1, 2].map((array) => {
    const before = Array.from({ length: 32 * 32 }, (_, i) =>
      array === 2 && i % 32 > 19 ? Number.NaN : 4e-6 + 40e-6 * random.uniform() ** 3,
    );
    return {
      array,
      rows: 32,
      columns: 32,
      before,
      after: before.map((g) => g + (random.uniform() < 0.2 ? 4e-6 * random.normal() : 0)),
    };
  });
  const history = Array.from({ length: 13 }, (_, i) => ({
    images: 270 * i,
    pulses: Math.round(5200 * (1 - Math.exp(-i / 4))),
    accuracy: 0.97 - 0.6 * Math.exp(-i / 2) + 0.005 * random.normal(),
    loss: 0.2 + 2 * Math.exp(-i / 2),
  }));
  return {
    title: 'Fine-tuning of digits on VB-3c4d0d8b',
    board: 'VB-3c4d0d8b',
    chip: 'VB-3c4d0d8b-A0 to A4',
    time: 1.79e9,
    accuracies: { software: 0.9777, programmed: 0.4123, finetuned: 0.9638, samples: 359 },
    history,
    best: 10,
    confusionBefore: confusion(0.4),
    confusionAfter: confusion(0.96),
    arrays,
    pulses: { programmed: 21876, finetuned: 5342 },
    energy: { programmed: 3.1e-6, finetuned: 4.2e-7 },
    cells: 4736,
    settings: {
      method: 'state-injection',
      epochs: 3,
      batch: 32,
      'learning rate': 0.002,
      seed: 1,
      'chip seed': 7,
    },
    ledger: {
      chips: 3,
      images: 150,
      none: { value: 0.96, low: 0.93, high: 0.98 },
      all: { value: 0.41, low: 0.3, high: 0.5 },
      cost: { value: 0.55, low: 0.44, high: 0.66 },
      sum: { value: 0.71, low: 0.6, high: 0.82 },
      interaction: { value: -0.16, low: -0.3, high: -0.02 },
      effects: ['neuronMismatch', 'stuckCells', 'converterErrors', 'readNoise'].map((effect, i) => ({
        effect,
        alone: { value: 0.5 + 0.1 * i, low: 0.4 + 0.1 * i, high: 0.6 + 0.1 * i },
        without: { value: 0.45, low: 0.4, high: 0.5 },
        cost: {
          value: 0.46 / (i + 1) ** 2,
          low: 0.4 / (i + 1) ** 2 - 0.02 * i,
          high: 0.5 / (i + 1) ** 2 + 0.01,
        },
        gain: {
          value: 0.3 / (i + 1) ** 2 - 0.01 * i,
          low: 0.2 / (i + 1) ** 2 - 0.02 * i,
          high: 0.4 / (i + 1) ** 2,
        },
      })),
    },
    ...change,
  };
}

/** Throws unless every tag that is opened is closed in order. */
function tagsOf(html: string): string[] {
  const open: string[] = [];
  const seen: string[] = [];
  for (const [, closing, name, rest] of html.matchAll(/<(\/?)([a-zA-Z][\w-]*)((?:"[^"]*"|[^">])*)>/g)) {
    if (closing) expect(open.pop(), html.slice(0, 80)).toBe(name);
    else {
      seen.push(name);
      if (name !== 'meta' && !rest.endsWith('/')) open.push(name);
    }
  }
  expect(open).toEqual([]);
  return seen;
}

describe('the report of a fine-tuning', () => {
  const page = finetunePage(example());
  if (process.env.PAGE) writeFileSync(process.env.PAGE, page);

  it('is one whole HTML file that loads nothing and runs nothing', () => {
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
    const tags = tagsOf(page);
    for (const tag of ['script', 'link', 'iframe', 'object']) expect(tags).not.toContain(tag);
    const addresses = [...page.matchAll(/\b(?:href|src)="([^"]*)"/g)].map(([, address]) => address);
    expect(addresses.length).toBeGreaterThan(0);
    for (const address of addresses) expect(address).toMatch(/^data:image\/png;base64,/);
    expect(page).not.toMatch(/url\(|@import|\son\w+=/);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('has every section, with what was measured', () => {
    expect([...page.matchAll(/<h2>([^<]*)/g)].map(([, heading]) => heading)).toEqual([
      'Accuracy',
      'Decisions',
      'Conductances',
      'Pulses and energy',
      'What each imperfection costs',
      'Settings',
    ]);
    for (const text of [
      '97.77 %',
      '41.23 %',
      '96.38 %',
      '97.5 %',
      '27\u202f218',
      '3.52 µJ',
      '5.75',
      'state-injection',
      '2026-',
    ])
      expect(page).toContain(text);
    const tags = tagsOf(page);
    // Three curves, two confusions, three maps an array, one ledger.
    expect(tags.filter((tag) => tag === 'svg')).toHaveLength(3 + 2 + 3 * 3 + 1);
    expect(finetunePage(example({ ledger: undefined }))).not.toContain('imperfection');
  });

  it('escapes what others have named', () => {
    const hostile = finetunePage(
      example({ title: HOSTILE, board: HOSTILE, chip: HOSTILE, settings: { [HOSTILE]: HOSTILE } }),
    );
    expect(hostile).not.toContain('<script');
    expect(hostile).not.toContain(`"z"`);
    expect(tagsOf(hostile)).toEqual(tagsOf(finetunePage(example({ settings: { name: 'value' } }))));
    expect(hostile).toContain('&#60;script&#62;');
  });

  it('is made of a run that ended at once, too', () => {
    const look = { images: 0, pulses: 0, accuracy: 1, loss: 0 };
    const short = finetunePage(
      example({
        history: [look],
        accuracies: { software: 1, programmed: 1, finetuned: 1, samples: 10 },
        arrays: [{ array: 0, rows: 1, columns: 2, before: [null, 1e-6], after: [null, 1e-6] }],
        energy: { programmed: 0, finetuned: 0 },
      }),
    );
    tagsOf(short);
    expect(short).not.toMatch(/NaN|undefined|Infinity/);
    expect(finetunePage(example({ history: [] }))).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('keeps each conductance in its pixel', () => {
    const map = finetunePage(
      example({
        arrays: [{ array: 0, rows: 2, columns: 2, before: [0, 5e-6, 10e-6, null], after: [0, 0, 0, 0] }],
      }),
    ).match(/data:image\/png;base64,([^"]+)/)![1];
    const png = Buffer.from(map, 'base64');
    expect(png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
    const at = png.indexOf('IDAT');
    const pixels = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)));
    expect([...pixels]).toEqual([0, 127, 127 + 64, 0, 127 + 127, 255]);
  });
});
