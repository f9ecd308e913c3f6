/** Made from front-ends/crossbar-a.json by firmware-protocol/generate.mjs: do not edit. */
export const ROWS = 8;
export const COLUMNS = 8;
/** In the order of their numbers in the firmware. */
export const PINS = ['UART_TX', 'UART_RX', 'SPI_CLOCK', 'SPI_OUT', 'SPI_IN', 'SELECT_ROW_DAC', 'SELECT_COLUMN_DAC', 'LOAD_DACS', 'SELECT_ADC', 'SELECT_SWITCHES', 'LINES_ALIVE', 'OVER_CURRENT'] as const;
export type Pin = (typeof PINS)[number];
/** RP2040 pin of each. */
export const GPIO: Readonly<Record<Pin, number>> = {
  UART_TX: 0,
  UART_RX: 1,
  SPI_CLOCK: 2,
  SPI_OUT: 3,
  SPI_IN: 4,
  SELECT_ROW_DAC: 5,
  SELECT_COLUMN_DAC: 6,
  LOAD_DACS: 7,
  SELECT_ADC: 8,
  SELECT_SWITCHES: 9,
  LINES_ALIVE: 10,
  OVER_CURRENT: 11,
};
export const DEVICES = ['ROW_DAC', 'COLUMN_DAC', 'ADC', 'SWITCHES'] as const;
export type Device = (typeof DEVICES)[number];
export const SELECT: Readonly<Record<Device, Pin>> = {
  ROW_DAC: 'SELECT_ROW_DAC',
  COLUMN_DAC: 'SELECT_COLUMN_DAC',
  ADC: 'SELECT_ADC',
  SWITCHES: 'SELECT_SWITCHES',
};
/** Groups of eight switches, in the order of the chain. */
export const SWITCHES = ['COLUMN_TO_METER', 'COLUMN_TO_BIAS', 'ROW_DIRECT', 'ROW_SERIES', 'METER_RANGE', 'ROW_TO_REFERENCE', 'REFERENCE_TO_METER'] as const;
export type SwitchGroup = (typeof SWITCHES)[number];
export const NUMBERS = {
  /** SPI clock, Hz; mode 1 for all chips */
  SPI_CLOCK_HZ: 15625000,
  /** 5 V / 2^16: step of the lines, V */
  ROW_VOLTS_PER_COUNT: 0.0000762939453125,
  /** lines reach ±2.5 V against the virtual ground at 2.5 V */
  ROW_MAX_COUNT: 32767,
  /** 5.12 V / 2^16 / 100 kΩ: step of the currents in range 0, A */
  AMPS_PER_COUNT_0: 7.8125e-10,
  /** 5.12 V / 2^16 / 10 kΩ: in range 1, A */
  AMPS_PER_COUNT_1: 7.8125e-9,
  /** 2.5 V of the ADC's 5.12 V lie on either side of zero current */
  CURRENT_MAX_COUNT: 32000,
  /** in series with the selected row during a pulse, Ω */
  SERIES_RESISTANCE: 1000,
  /** pulses over 0 V: half-selected cells see one part of so many */
  BIAS_PARTS_UP: 2,
  /** pulses under 0 V */
  BIAS_PARTS_DOWN: 3,
  /** reference resistor, 0.1 %, Ω */
  REFERENCE_RESISTANCE: 20000,
  /** highest pulse, V: KNOWM's own limit for W devices */
  MAX_VOLTAGE: 0.75,
  /** lowest pulse, V */
  MIN_VOLTAGE: -1,
  /** largest absolute voltage of a read, V */
  MAX_READ_VOLTAGE: 0.2,
  /** shortest pulse, s: a DAC's settling is then a small part of it */
  MIN_WIDTH: 0.00001,
  /** longest pulse, s: what the protocol's 16 bits hold */
  MAX_WIDTH: 0.0065,
  /** largest energy of a pulse, taken as V²/(4 R) x width, J */
  MAX_ENERGY: 1e-8,
  /** pulses a cell may have between two starts */
  MAX_PULSES: 60000,
  /** longest time that one sample of all columns takes, s */
  READ_TIME: 0.00005,
  /** silence of the host after which all lines go to 0 V, s */
  DEAD_MAN_TIME: 2,
  /** from a step of the DACs to a settled line, µs */
  LINES_SETTLE_US: 10,
  /** from a step of the DACs to a settled ADC, whose inputs have a filter of 15 kHz, µs */
  READ_SETTLE_US: 250,
  /** length of a reset of switches and DACs, µs */
  RESET_US: 2,
} as const;
