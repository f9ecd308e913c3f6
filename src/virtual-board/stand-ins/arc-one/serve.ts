/** An ArC ONE with a chip in its package, behind a pseudo-terminal. */
import { MemloopError } from '../../../shared/errors.js';
import type { TracedPulse } from '../../physics/front-end.js';
import { loadProfile, type Profile } from '../../profile.js';
import { type PortDevice, servePty } from '../../serving/serve.js';
import { TraceFile } from '../../trace.js';
import { BareChip } from '../bare-chip.js';
import type { ServedStandIn, StandInOptions } from '../stand-in.js';
import { type ArcOneFaults, loadArcOneFaults, NO_FAULTS } from './faults.js';
import { ArcOneInstrument } from './instrument.js';

export interface ArcOneStandIn extends PortDevice {
  readonly chip: BareChip;
  readonly counts: ArcOneInstrument['counts'];
}

/** The package holds the first array of the profile. */
export function createArcOne(
  profile: Profile,
  {
    seed,
    faults = NO_FAULTS,
    onPulse,
  }: { seed: number; faults?: ArcOneFaults; onPulse?: (pulse: TracedPulse) => void },
): ArcOneStandIn {
  const chip = new BareChip({ ...structuredClone(profile), arrays: 1 }, { seed, onPulse });
  let send: (bytes: Uint8Array) => void | Promise<void> = () => {};
  let unplug: (time: number) => void = () => {};
  const instrument = new ArcOneInstrument(chip, faults, {
    answer: (bytes) => void send(bytes),
    unplug: (time) => {
      instrument.restart();
      unplug(time);
    },
  });
  return {
    chip,
    counts: instrument.counts,
    write: (bytes) => instrument.write(bytes),
    onData: (listener) => {
      send = listener;
    },
    onUnplug: (listener) => {
      unplug = listener;
    },
  };
}

export async function serveArcOne(options: StandInOptions): Promise<ServedStandIn> {
  if (options.tcp) throw new MemloopError('usage', 'an ArC ONE is on a serial port: give --link, not --tcp');
  const profile = loadProfile(options.profile);
  if (profile.rows > 32 || profile.columns > 32)
    throw new MemloopError(
      'usage',
      `an ArC ONE has 32 word- and bitlines; the profile has arrays of ${profile.rows}×${profile.columns}`,
    );
  const faults = options.faults === undefined ? NO_FAULTS : loadArcOneFaults(options.faults);
  const trace = options.trace === undefined ? undefined : new TraceFile(options.trace);
  const device = createArcOne(profile, {
    seed: options.seed,
    faults,
    ...(trace && {
      onPulse: (pulse: TracedPulse) => {
        trace.add(pulse);
        // Whoever kills us must find what the cells have had.
        trace.flush();
      },
    }),
  });
  const served = await servePty(device, options);
  const { rows, columns, pulse } = profile;
  return {
    port: `arc1:${served.port}?rows=${rows}&columns=${columns}&series=${pulse.seriesResistance}&boot=${faults.boot}`,
    async close() {
      await served.close();
      trace?.close();
    },
  };
}
