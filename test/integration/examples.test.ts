/** The examples as a reader runs them: on the built package, by its own name. */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { memloop, scratch } from './shell.js';

const FOLDER = new URL('../../examples/', import.meta.url).pathname;

/** What an example prints; each gets a data folder of its own. */
async function printed(program: string, name: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, MEMLOOP_HOME: scratch(), MEMLOOP_PORT: undefined };
  const { stdout } = await promisify(execFile)(program, [`${FOLDER}${name}`, ...args], { env });
  return stdout;
}

const number = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1]);

describe('examples', { timeout: 240_000 }, () => {
  it('stream-neurons: frames arrive in order, and every neuron answers the pulse', async () => {
    const text = await printed(process.execPath, 'stream-neurons.mjs');
    const times = [...text.matchAll(/^from ([\d.]+) ms: /gm)].map(([, time]) => Number(time));
    expect(times.length).toBeGreaterThan(3);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const peaks = /highest v of each neuron, mV: (.*)$/m.exec(text)![1].split(' ').map(Number);
    expect(peaks).toHaveLength(10);
    for (const peak of peaks) expect(peak).toBeGreaterThan(30);
  });

  it('program-matrix: nearly all cells are set, the others are named', async () => {
    const text = await printed(process.execPath, 'program-matrix.mjs');
    const inTolerance = number(text, /^([\d.]+) % of 64 cells/m);
    const named = text.match(/^row \d+ column \d+: /gm)?.length ?? 0;
    expect(inTolerance).toBeGreaterThan(95);
    expect(named).toBe(Math.round(64 * (1 - inTolerance / 100)));
  });

  it('finetune-loop: a loop of one’s own wins back what programming cost', async () => {
    const text = await printed(process.execPath, 'finetune-loop.mjs');
    const programmed = number(text, /^programmed with \d+ pulses: ([\d.]+) %/m);
    const tuned = number(text, /^fine-tuned with \d+ pulses: ([\d.]+) %/m);
    const pulses = [number(text, /^programmed with (\d+)/m), number(text, /^fine-tuned with (\d+)/m)];
    expect(tuned).toBeGreaterThan(programmed + 10);
    expect(pulses[1]).toBeLessThan(pulses[0] / 10);
  });

  it('own-transport: a board behind a command’s input and output, in under 50 lines', async () => {
    const text = await printed(process.execPath, 'own-transport.mjs');
    expect(text).toMatch(/^board VB-\w+ has 4 arrays$/m);
    const currents = /^first row at 50 mV, nA: (.*)$/m.exec(text)![1].split(' ').map(Number);
    expect(currents).toHaveLength(8);
    for (const current of currents) expect(current).toBeGreaterThan(0);
    const lines = execFileSync('wc', ['-l', `${FOLDER}own-transport.mjs`]).toString();
    expect(Number.parseInt(lines, 10)).toBeLessThan(50);
  });

  it('ktram-network: a network on the arrays of a kT-RAM server', async () => {
    const text = await printed(process.execPath, 'ktram-network.mjs');
    const [software, chip] = [number(text, /^software: ([\d.]+)/m), number(text, /^on the chip: ([\d.]+)/m)];
    expect(software).toBeGreaterThan(94);
    expect(chip).toBeGreaterThan(software - 6);
  });

  it('discovery-neuron: a neuron of eight inputs on the discovery board, programmed and fine-tuned', async () => {
    const text = await printed(process.execPath, 'discovery-neuron.mjs');
    expect(text).toContain(
      'column sums by bit planes, neurons by the host, both outputs by one pair of columns',
    );
    const [software, programmed] = [
      number(text, /^software: ([\d.]+)/m),
      number(text, /^on the board: ([\d.]+)/m),
    ];
    expect(software).toBeGreaterThan(94);
    expect(programmed).toBeGreaterThan(software - 6);
    expect(number(text, /^fine-tuned with .*: ([\d.]+) %$/m)).toBeGreaterThan(software - 4);
  });

  it('tfjs-model: fitted, saved, loaded and programmed, in under 60 lines; the network is the model', async () => {
    const text = await printed(process.execPath, 'tfjs-model.mjs');
    const losses = [...text.matchAll(/^epoch \d: loss ([\d.]+)/gm)].map(([, loss]) => Number(loss));
    expect(losses).toHaveLength(6);
    expect(losses[5]).toBeLessThan(losses[0] / 2);
    const model = number(text, /^model on [\w-]+: ([\d.]+) %/m);
    expect(model).toBeGreaterThan(85);
    expect(Math.abs(number(text, /^network: ([\d.]+)/m) - model)).toBeLessThan(1);
    expect(number(text, /^on the chip: ([\d.]+)/m)).toBeGreaterThan(30);
    const lines = execFileSync('wc', ['-l', `${FOLDER}tfjs-model.mjs`]).toString();
    expect(Number.parseInt(lines, 10)).toBeLessThan(60);
  });

  const missing = ((): string | undefined => {
    try {
      execFileSync('python3', ['-c', 'import numpy'], { stdio: 'ignore' });
      return undefined;
    } catch {
      return 'python3 with NumPy is not installed';
    }
  })();
  it.skipIf(missing)(
    `analyse-run: reads a run without memloop${missing ? ` (${missing})` : ''}`,
    async () => {
      const run = `${scratch()}/run`;
      const port = 'virtual:w-sdc-32x32x5?seed=3';
      const network = `${run}/software.safetensors`;
      const home = { MEMLOOP_HOME: scratch() };
      const trained = await memloop(['train', '--epochs', '3', '--out', network, '--run', run, '--json']);
      expect(trained.code).toBe(0);
      const { result } = await memloop(
        ['program', '--model', network, '--port', port, '--run', run, '--json'],
        home,
      );
      const text = await printed('python3', 'analyse-run.py', run);
      expect(text).toContain(`accuracy software: ${(100 * trained.result.testAccuracy).toFixed(2)} % of 359`);
      expect(text.match(/^ {2}offline epoch/gm)).toHaveLength(3);
      expect(text).toMatch(/^array 0: 1024 cells read, median [\d.]+ µS/m);
      expect(text).toMatch(/layers\.0\.weight \[32 × 64\]/);
      expect(number(text, /^pulses: (\d+) applied/m)).toBe(result.pulses);
    },
  );

  it.skipIf(missing)('analyse-run: a folder that is not a run ends in one line', async () => {
    const folder = scratch();
    await expect(printed('python3', 'analyse-run.py', folder)).rejects.toMatchObject({
      code: 1,
      stderr: `${folder} is not a run folder (no run.json): give one that memloop has made with --run\n`,
    });
  });
});
