/** The neuron's parameters as options, the paper's unless given. */
import type { Command } from 'commander';
// The parameters' values stand in the help, which must not wait for the whole room to load.
import { checkMifParameters, MIF, type MifParameters } from '../model/devices/mif.js';
import { decimal } from './numbers.js';

const DESCRIPTIONS: Record<keyof MifParameters, string> = {
  capacitance: 'membrane capacitance, F',
  e1: 'reversal potential of memristor 1, V',
  e2: 'reversal potential of memristor 2, V',
  k: 'effective thermal voltage of the gates, V',
  voff: 'gate threshold towards off, V',
  von: 'gate threshold towards on, V',
  roff: 'off resistance, Ω',
  ron: 'on resistance, Ω',
  tau: 'time constant of the memristors, s',
  tauAlpha: 'time constant of the alpha current, s',
};
const names = Object.keys(DESCRIPTIONS) as (keyof MifParameters)[];
const kebab = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

export function neuronOptions(command: Command): Command {
  for (const name of names) command.option(`--${kebab(name)} <x>`, DESCRIPTIONS[name], decimal, MIF[name]);
  return command;
}

export function neuronOf(options: Partial<MifParameters>): MifParameters {
  const parameters = Object.fromEntries(
    names.map((name) => [name, options[name] ?? MIF[name]]),
  ) as unknown as MifParameters;
  checkMifParameters(parameters);
  return parameters;
}
