/**
 * The link against a raw serial port, side by side in one run over one pseudo-terminal (docs/results/link.md).
 *
 *     npm run bench:link -- [--seconds 60] [--json]
 *
 * Throughput: bytes of neuron samples that reach an RxJS subscriber, against bytes that serialport delivers
 * with no protocol. Round trips: Ping and its reply, against 30 bytes and their echo. Loaded machines are
 * noisy, so the two sides take short turns, and the median of the ratios of neighbouring turns counts.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { SerialPort } from 'serialport';
import { connectBoard, openTransport, type Stimulus } from '../src/driver/index.js';
import type { Mode, Report } from './link-peer.js';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, json: { type: 'boolean', default: false } },
});
const seconds = Number(values.seconds);
const ROUNDS = 30;
/** Length of one turn, s. */
const TURN = 0.25;

const peer = new Worker(new URL('./link-peer.js', import.meta.url), { trackUnmanagedFds: false });
const next = async (): Promise<Report> => (await once(peer, 'message'))[0];
const first = await next();
const path = 'path' in first ? first.path : '';
const tell = async (mode: Mode): Promise<void> => {
  const told = next();
  peer.postMessage(mode);
  await told;
};
const sleep = (time: number) => new Promise((resolve) => setTimeout(resolve, time * 1000));
const clock = () => performance.now() / 1000;

async function openRaw(): Promise<SerialPort> {
  const port = new SerialPort({ path, baudRate: 921_600, autoOpen: false });
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  return port;
}

/** Takes what is still on its way, then closes. */
async function closeRaw(port: SerialPort): Promise<void> {
  await tell('silent');
  let quiet = clock();
  port.on('data', () => {
    quiet = clock();
  });
  while (clock() - quiet < 0.1) await sleep(0.02);
  await new Promise<void>((resolve) => port.close(() => resolve()));
}

/** bytes/s */
async function rawThroughput(): Promise<number> {
  const port = await openRaw();
  let bytes = 0;
  port.on('data', (piece: Buffer) => {
    bytes += piece.length;
  });
  await tell('raw');
  const start = clock();
  await sleep(TURN);
  const rate = bytes / (clock() - start);
  await closeRaw(port);
  return rate;
}

/** 1/s */
async function rawRoundTrips(): Promise<number> {
  const port = await openRaw();
  await tell('echo');
  const message = Buffer.alloc(30, 0x55);
  let trips = 0;
  let received = 0;
  const start = clock();
  await new Promise<void>((resolve) => {
    port.on('data', (piece: Buffer) => {
      received += piece.length;
      if (received < message.length) return;
      received = 0;
      trips++;
      if (clock() - start < TURN) port.write(message);
      else resolve();
    });
    port.write(message);
  });
  const rate = trips / (clock() - start);
  await closeRaw(port);
  return rate;
}

async function openLink() {
  await tell('board');
  return connectBoard(await openTransport(path));
}

/** Long runs, so that the frames are full. */
const stimulusOf = (neurons: number, decimation = 1): Stimulus => ({
  steps: 10_000,
  decimation,
  pulseSteps: [0],
  drives: new Float32Array(neurons).fill(1e-5),
});

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');
/** Bytes that are in use once all garbage is gone. */
async function memoryInUse(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collect();
    await sleep(0.05);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

interface Stream {
  /** bytes/s of samples, two bytes each as they were sent */
  rate: number;
  lost: number;
  crcErrors: number;
  /** Memory in use at the end less that in use after the first run, bytes. */
  growth: number;
  /** Most memory that the process had of the system, bytes. */
  peak: number;
}

/** `slowness`: time that the subscriber takes over each frame, s. */
async function linkThroughput(time: number, decimation = 1, slowness = 0): Promise<Stream> {
  const board = await openLink();
  const stimuli = Array.from({ length: 20 }, () => stimulusOf(board.description.neurons, decimation));
  let bytes = 0;
  let lost = 0;
  board.neurons.subscribe((frame) => {
    bytes += 2 * frame.voltages.length;
    lost += frame.lost;
    for (const end = clock() + slowness; slowness > 0 && clock() < end; );
  });
  await board.run(stimuli);
  const before = await memoryInUse();
  bytes = 0;
  let peak = 0;
  const start = clock();
  while (clock() - start < time) {
    await board.run(stimuli);
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  const rate = bytes / (clock() - start);
  const growth = (await memoryInUse()) - before;
  const { crcErrors, lostSamples } = board.counters;
  await board.close();
  await tell('silent');
  return { rate, lost: lost + lostSamples, crcErrors, growth, peak };
}

/** 1/s */
async function linkRoundTrips(): Promise<number> {
  const board = await openLink();
  let trips = 0;
  const start = clock();
  for (; clock() - start < TURN; trips++) await board.health();
  const rate = trips / (clock() - start);
  await board.close();
  await tell('silent');
  return rate;
}

const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
/** Of neighbouring turns, so that what else the machine does weighs on both sides. */
const ratio = (ours: number[], theirs: number[]): number => median(ours.map((rate, i) => rate / theirs[i]));

const rates = { raw: [] as number[], link: [] as number[], echo: [] as number[], ping: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  rates.raw.push(await rawThroughput());
  rates.link.push((await linkThroughput(TURN)).rate);
  rates.echo.push(await rawRoundTrips());
  rates.ping.push(await linkRoundTrips());
}
const long = await linkThroughput(seconds);
const decimated = await linkThroughput(TURN, 10);
const slow = await linkThroughput(Math.min(seconds, 10), 1, 0.002);

const MB = 1e6;
const result = {
  rawBytesPerSecond: median(rates.raw),
  sampleBytesPerSecond: median(rates.link),
  throughputRatio: ratio(rates.link, rates.raw),
  echoesPerSecond: median(rates.echo),
  requestsPerSecond: median(rates.ping),
  roundTripRatio: ratio(rates.ping, rates.echo),
  stream: { seconds, ...long },
  decimatedByTen: { rate: decimated.rate, lost: decimated.lost },
  slowSubscriber: slow,
};
if (values.json) console.log(JSON.stringify(result));
else {
  const rate = (value: number) => `${(value / MB).toFixed(2)} MB/s`;
  const { stream, decimatedByTen, slowSubscriber } = result;
  console.log(
    [
      `samples to a subscriber   ${rate(result.sampleBytesPerSecond)}   raw serialport ${rate(result.rawBytesPerSecond)}   ratio ${result.throughputRatio.toFixed(2)}`,
      `requests with replies     ${result.requestsPerSecond.toFixed(0)}/s   raw echo ${result.echoesPerSecond.toFixed(0)}/s   ratio ${result.roundTripRatio.toFixed(2)}`,
      `${stream.seconds} s stream   ${rate(stream.rate)}   ${stream.lost} samples lost   ${stream.crcErrors} CRC errors   memory in use grew ${(stream.growth / MB).toFixed(1)} MB (at most ${(stream.peak / MB).toFixed(0)} MB)`,
      `one sample in ten         ${rate(decimatedByTen.rate)}   ${decimatedByTen.lost} lost`,
      `subscriber of 2 ms/frame  ${rate(slowSubscriber.rate)}   ${slowSubscriber.lost} lost   memory in use grew ${(slowSubscriber.growth / MB).toFixed(1)} MB (at most ${(slowSubscriber.peak / MB).toFixed(0)} MB)`,
    ].join('\n'),
  );
}
await tell('close');
