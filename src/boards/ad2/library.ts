/** The WaveForms library, loaded by koffi. Its calls block for up to some ms each, so all run beside the event loop. */
import koffi, { type KoffiFunc } from 'koffi';
import { MemloopError } from '../../shared/errors.js';
import type { Dwf } from './dwf.js';

/** Where Digilent's installers put it; not confirmed on every platform. */
const PATHS: Partial<Record<NodeJS.Platform, string>> = {
  darwin: '/Library/Frameworks/dwf.framework/dwf',
  win32: 'dwf.dll',
};
const MESSAGE_LENGTH = 512;
const TEXT_LENGTH = 32;

type Argument = number | Int32Array | Uint8Array | Float64Array;
/** Throws the library's message where the call gives 0. */
type Call = (...values: Argument[]) => Promise<void>;

/** `i` int, `b` one byte (TRIGSRC, FUNC, DwfState), `u` unsigned, `d` double; upper case: a pointer to it. */
const TYPES: Readonly<Record<string, string>> = {
  i: 'int',
  b: 'uint8_t',
  u: 'unsigned int',
  d: 'double',
  I: '_Out_ int *',
  B: '_Out_ uint8_t *',
  D: 'double *',
  E: '_Out_ double *',
};

/** Throws `port-not-found` with the remedy where the library cannot be loaded. */
export function loadDwf(): Dwf {
  const path = process.env.MEMLOOP_LIBDWF ?? PATHS[process.platform] ?? 'libdwf.so';
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load(path);
  } catch (error) {
    throw new MemloopError(
      'port-not-found',
      `cannot load the WaveForms library ${path}: install Digilent WaveForms (on Linux also digilent.adept.runtime), or name the library by MEMLOOP_LIBDWF (${(error as Error).message.split('\n')[0]})`,
      { cause: error },
    );
  }
  try {
    return functionsOf(library);
  } catch (error) {
    throw new MemloopError(
      'port-not-found',
      `${path} is not a WaveForms library that memloop can use: ${(error as Error).message.split('\n')[0]}`,
      { cause: error },
    );
  }
}

/** Declares the library's functions, by their names without `FDwf`. */
function binderOf(library: ReturnType<typeof koffi.load>) {
  const declared = (name: string, types: string) =>
    library.func(`int FDwf${name}(${[...types].map((type) => TYPES[type]).join(', ')})`) as Declared;
  const lastError = declared('GetLastErrorMsg', 'B');
  const call = (name: string, types: string): Call => {
    const run = declared(name, types);
    return async (...values) => {
      const good = await later(run, values);
      if (good !== 0) return;
      const message = new Uint8Array(MESSAGE_LENGTH);
      await later(lastError, [message]);
      throw new Error(textOf(message) || `FDwf${name} failed`);
    };
  };
  /** A call whose last argument points to one number. */
  const asking = (name: string, types: string, kind: Int32ArrayConstructor | Uint8ArrayConstructor) => {
    const run = call(name, types);
    return async (...values: Argument[]): Promise<number> => {
      const answer = new kind(1);
      await run(...values, answer);
      return answer[0];
    };
  };
  /** A call whose last argument points to a text. */
  const naming = (name: string, types: string) => {
    const run = call(name, types);
    return async (...values: Argument[]): Promise<string> => {
      const text = new Uint8Array(TEXT_LENGTH);
      await run(...values, text);
      return textOf(text);
    };
  };
  return { call, asking, naming };
}

function functionsOf(library: ReturnType<typeof koffi.load>): Dwf {
  const { call, asking, naming } = binderOf(library);
  const dataSet = call('AnalogOutNodeDataSet', 'iiiDi');
  const statusData = call('AnalogInStatusData', 'iiEi');
  return {
    paramSet: call('ParamSet', 'ii'),
    getVersion: naming('GetVersion', 'B'),
    enum: asking('Enum', 'iI', Int32Array),
    enumDeviceName: naming('EnumDeviceName', 'iB'),
    enumSN: naming('EnumSN', 'iB'),
    enumDeviceIsOpened: asking('EnumDeviceIsOpened', 'iI', Int32Array),
    deviceOpen: asking('DeviceOpen', 'iI', Int32Array),
    deviceClose: call('DeviceClose', 'i'),
    deviceAutoConfigureSet: call('DeviceAutoConfigureSet', 'ii'),
    digitalIOOutputEnableSet: call('DigitalIOOutputEnableSet', 'iu'),
    digitalIOOutputSet: call('DigitalIOOutputSet', 'iu'),
    digitalIOConfigure: call('DigitalIOConfigure', 'i'),
    analogIOChannelNodeSet: call('AnalogIOChannelNodeSet', 'iiid'),
    analogIOEnableSet: call('AnalogIOEnableSet', 'ii'),
    analogIOConfigure: call('AnalogIOConfigure', 'i'),
    analogOutNodeEnableSet: call('AnalogOutNodeEnableSet', 'iiii'),
    analogOutNodeFunctionSet: call('AnalogOutNodeFunctionSet', 'iiib'),
    analogOutNodeFrequencySet: call('AnalogOutNodeFrequencySet', 'iiid'),
    analogOutNodeAmplitudeSet: call('AnalogOutNodeAmplitudeSet', 'iiid'),
    analogOutNodeOffsetSet: call('AnalogOutNodeOffsetSet', 'iiid'),
    analogOutNodeDataSet: (device, channel, node, data) => dataSet(device, channel, node, data, data.length),
    analogOutRepeatSet: call('AnalogOutRepeatSet', 'iii'),
    analogOutRunSet: call('AnalogOutRunSet', 'iid'),
    analogOutIdleSet: call('AnalogOutIdleSet', 'iii'),
    analogOutConfigure: call('AnalogOutConfigure', 'iii'),
    analogInChannelEnableSet: call('AnalogInChannelEnableSet', 'iii'),
    analogInChannelRangeSet: call('AnalogInChannelRangeSet', 'iid'),
    analogInChannelFilterSet: call('AnalogInChannelFilterSet', 'iii'),
    analogInFrequencySet: call('AnalogInFrequencySet', 'id'),
    analogInBufferSizeSet: call('AnalogInBufferSizeSet', 'ii'),
    analogInAcquisitionModeSet: call('AnalogInAcquisitionModeSet', 'ii'),
    analogInTriggerSourceSet: call('AnalogInTriggerSourceSet', 'ib'),
    analogInTriggerAutoTimeoutSet: call('AnalogInTriggerAutoTimeoutSet', 'id'),
    analogInTriggerPositionSet: call('AnalogInTriggerPositionSet', 'id'),
    analogInConfigure: call('AnalogInConfigure', 'iii'),
    analogInStatus: asking('AnalogInStatus', 'iiB', Uint8Array),
    analogInStatusData: async (device, channel, count) => {
      const samples = new Float64Array(count);
      await statusData(device, channel, samples, count);
      return samples;
    },
  };
}

type Declared = KoffiFunc<(...values: Argument[]) => number>;

const later = (run: Declared, values: readonly Argument[]): Promise<number> =>
  new Promise((resolve, reject) => {
    run.async(...values, (error: Error | null, result: number) => (error ? reject(error) : resolve(result)));
  });

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end))
    .toString('utf8')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
