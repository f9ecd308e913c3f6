/**
 * The functions of Digilent's WaveForms library that are used here: each is `FDwf` and its name. What the library gives by
 * pointer is returned. A call that fails rejects with the library's own message. Devices are handles; sizes and states as
 * in the library.
 */
export interface Dwf {
  paramSet(parameter: number, value: number): Promise<void>;
  getVersion(): Promise<string>;
  /** How many devices there are; the next three ask about one of them. */
  enum(filter: number): Promise<number>;
  enumDeviceName(index: number): Promise<string>;
  enumSN(index: number): Promise<string>;
  enumDeviceIsOpened(index: number): Promise<number>;
  deviceOpen(index: number): Promise<number>;
  deviceClose(device: number): Promise<void>;
  deviceAutoConfigureSet(device: number, on: number): Promise<void>;

  digitalIOOutputEnableSet(device: number, mask: number): Promise<void>;
  digitalIOOutputSet(device: number, mask: number): Promise<void>;
  digitalIOConfigure(device: number): Promise<void>;

  analogIOChannelNodeSet(device: number, channel: number, node: number, value: number): Promise<void>;
  analogIOEnableSet(device: number, on: number): Promise<void>;
  analogIOConfigure(device: number): Promise<void>;

  analogOutNodeEnableSet(device: number, channel: number, node: number, on: number): Promise<void>;
  analogOutNodeFunctionSet(device: number, channel: number, node: number, kind: number): Promise<void>;
  analogOutNodeFrequencySet(device: number, channel: number, node: number, hertz: number): Promise<void>;
  analogOutNodeAmplitudeSet(device: number, channel: number, node: number, volts: number): Promise<void>;
  analogOutNodeOffsetSet(device: number, channel: number, node: number, volts: number): Promise<void>;
  /** Values from −1 to 1, which stand for ∓ the amplitude. */
  analogOutNodeDataSet(device: number, channel: number, node: number, data: Float64Array): Promise<void>;
  analogOutRepeatSet(device: number, channel: number, times: number): Promise<void>;
  analogOutRunSet(device: number, channel: number, seconds: number): Promise<void>;
  analogOutIdleSet(device: number, channel: number, idle: number): Promise<void>;
  analogOutConfigure(device: number, channel: number, start: number): Promise<void>;

  analogInChannelEnableSet(device: number, channel: number, on: number): Promise<void>;
  analogInChannelRangeSet(device: number, channel: number, volts: number): Promise<void>;
  analogInChannelFilterSet(device: number, channel: number, filter: number): Promise<void>;
  analogInFrequencySet(device: number, hertz: number): Promise<void>;
  analogInBufferSizeSet(device: number, samples: number): Promise<void>;
  analogInAcquisitionModeSet(device: number, mode: number): Promise<void>;
  analogInTriggerSourceSet(device: number, source: number): Promise<void>;
  analogInTriggerAutoTimeoutSet(device: number, seconds: number): Promise<void>;
  analogInTriggerPositionSet(device: number, seconds: number): Promise<void>;
  analogInConfigure(device: number, reconfigure: number, start: number): Promise<void>;
  analogInStatus(device: number, read: number): Promise<number>;
  analogInStatusData(device: number, channel: number, count: number): Promise<Float64Array>;
}

/** Of the library's enumerations, what is used here. */
export const DWF = Object.freeze({
  ON_CLOSE: 4,
  SHUT_DOWN: 2,
  ARMED: 1,
  DONE: 2,
  CUSTOM: 30,
  FROM_GENERATOR_1: 7,
  SINGLE: 0,
  AVERAGE: 1,
  CARRIER: 0,
  IDLE_AT_OFFSET: 1,
});
