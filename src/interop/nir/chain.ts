/** The order of a graph's nodes. A network of layers is a chain: one node after another, from the input to the output. */
import type { NirGraph } from './nodes.js';

/**
 * Nodes from the input to the output; those that a chain cannot have are named with the reason.
 * @returns all nodes in an order, and what keeps the graph from being a chain
 */
export function chainOf({ nodes, edges }: NirGraph): { order: string[]; faults: Map<string, string> } {
  const before = new Map<string, string[]>();
  const after = new Map<string, string[]>();
  for (const [from, to] of edges) {
    after.set(from, [...(after.get(from) ?? []), to]);
    before.set(to, [...(before.get(to) ?? []), from]);
  }
  const faults = new Map<string, string>();
  for (const [name, { type }] of nodes) {
    const sources = before.get(name) ?? [];
    const targets = after.get(name) ?? [];
    if (sources.length > 1)
      faults.set(name, `takes from ${list(sources)}: branches and loops cannot be imported`);
    else if (targets.length > 1)
      faults.set(name, `feeds ${list(targets)}: branches and loops cannot be imported`);
    else if (type === 'Input' ? sources.length > 0 : sources.length === 0)
      faults.set(name, type === 'Input' ? `an input that ${sources[0]} feeds` : 'nothing feeds it');
    else if (type === 'Output' ? targets.length > 0 : targets.length === 0)
      faults.set(name, type === 'Output' ? `an output that feeds ${targets[0]}` : 'it feeds nothing');
  }
  const inputs = [...nodes].filter(([, { type }]) => type === 'Input').map(([name]) => name);
  if (inputs.length > 1) for (const name of inputs) faults.set(name, 'one of several inputs');
  const order = new Set<string>();
  const queue = [...inputs];
  for (let name = queue.shift(); name !== undefined; name = queue.shift())
    if (!order.has(name)) {
      order.add(name);
      queue.push(...(after.get(name) ?? []));
    }
  for (const name of nodes.keys()) {
    if (!order.has(name) && !faults.has(name)) faults.set(name, 'the input does not reach it');
    order.add(name);
  }
  return { order: [...order], faults };
}

const list = (names: readonly string[]): string =>
  names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(' and ');
