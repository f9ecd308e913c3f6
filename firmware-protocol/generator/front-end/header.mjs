/** front-ends/wiring.h and generated/wiring.ts. */
import { board } from './source.mjs';

const HEAD = 'Made from front-ends/crossbar-a.json by firmware-protocol/generate.mjs: do not edit.';

const cNumber = (value) => (Number.isInteger(value) ? `${value}` : `${String(value).replace(/e-0*/, 'e-')}f`);

export function wiringHeader() {
  const lines = [
    `/* ${HEAD} */`,
    '#ifndef MEMLOOP_WIRING_H',
    '#define MEMLOOP_WIRING_H',
    '',
    `#define FRONT_END_ROWS ${board.rows}`,
    `#define FRONT_END_COLUMNS ${board.columns}`,
    '',
    '/* Pins, by their order in the table; the port says where each is. */',
    'enum {',
    ...board.pins.map(({ name, what }) => `  PIN_${name}, /* ${what} */`),
    '  PINS',
    '};',
    '#define RP2040_GPIO \\',
    `  { ${board.pins.map(({ gpio }) => gpio).join(', ')} }`,
    '#define NUCLEO_PORT \\',
    `  { ${board.pins.map(({ nucleo }) => `'${nucleo[1]}'`).join(', ')} }`,
    '#define NUCLEO_BIT \\',
    `  { ${board.pins.map(({ nucleo }) => nucleo.slice(2)).join(', ')} }`,
    '',
    'enum {',
    ...board.devices.map(({ name, part }) => `  DEVICE_${name}, /* ${part} */`),
    '  DEVICES',
    '};',
    '#define DEVICE_SELECT \\',
    `  { ${board.devices.map(({ select }) => `PIN_${select}`).join(', ')} }`,
    '',
    '/* Groups of eight switches, in the order of the chain. */',
    'enum {',
    ...board.switches.map(({ name, what }) => `  SWITCH_${name}, /* ${what} */`),
    '  SWITCH_GROUPS',
    '};',
    '',
    ...Object.entries(board.numbers).map(
      ([name, { value, what }]) => `#define ${name} ${cNumber(value)} /* ${what} */`,
    ),
    '',
    '#endif',
  ];
  return `${lines.join('\n')}\n`;
}

export function wiringTypescript() {
  const list = (names) => `[${names.map((name) => `'${name}'`).join(', ')}]`;
  const numbers = Object.entries(board.numbers).map(
    ([name, { value, what }]) => `  /** ${what} */\n  ${name}: ${value},`,
  );
  return `/** ${HEAD} */
export const ROWS = ${board.rows};
export const COLUMNS = ${board.columns};
/** In the order of their numbers in the firmware. */
export const PINS = ${list(board.pins.map(({ name }) => name))} as const;
export type Pin = (typeof PINS)[number];
/** RP2040 pin of each. */
export const GPIO: Readonly<Record<Pin, number>> = {
${board.pins.map(({ name, gpio }) => `  ${name}: ${gpio},`).join('\n')}
};
export const DEVICES = ${list(board.devices.map(({ name }) => name))} as const;
export type Device = (typeof DEVICES)[number];
export const SELECT: Readonly<Record<Device, Pin>> = {
${board.devices.map(({ name, select }) => `  ${name}: '${select}',`).join('\n')}
};
/** Groups of eight switches, in the order of the chain. */
export const SWITCHES = ${list(board.switches.map(({ name }) => name))} as const;
export type SwitchGroup = (typeof SWITCHES)[number];
export const NUMBERS = {
${numbers.join('\n')}
} as const;
`;
}
