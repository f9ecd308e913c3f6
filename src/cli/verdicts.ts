/** Verdicts on the nodes of a foreign graph, for people. */
import type { NodeVerdict } from '../interop/index.js';
import { clean } from '../shared/text.js';

/** A line for each node. */
export const verdictText = (verdicts: readonly NodeVerdict[]): string =>
  verdicts
    .map(({ node, type, verdict, note, shape }) =>
      [
        verdict.padEnd(11),
        type.padEnd(9),
        clean(node),
        shape && `[${shape.join(' × ')}]`,
        note && `(${clean(note)})`,
      ]
        .filter(Boolean)
        .join(' '),
    )
    .join('\n');
