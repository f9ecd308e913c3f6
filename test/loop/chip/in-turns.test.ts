import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answered, inTurns, type Steps } from '../../../src/loop/chip/in-turns.js';

const STEPS = 3;

/** A board that answers in order, each time after so many turns of the event loop. */
function slowBoard(delays: readonly number[]) {
  const asked: string[] = [];
  let before: Promise<unknown> = Promise.resolve();
  const ask = (what: string, fails = false): Promise<string> => {
    const turns = delays[asked.push(what) % delays.length];
    const answer = before.then(async () => {
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
      if (fails) throw new Error(`no answer to ${what}`);
      return what;
    });
    before = answer.catch(() => {});
    return answer;
  };
  return { asked, ask, quiet: () => before };
}

function* piece(
  name: string,
  ask: (what: string, fails?: boolean) => Promise<string>,
  failing?: string,
): Steps<string> {
  const answers: string[] = [];
  for (let s = 1; s <= STEPS; s++) {
    const what = `${name}${s}`;
    answers.push(yield* answered(ask(what, what === failing)));
  }
  return answers.join();
}

async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const result of results) list.push(result);
  return list;
}

const delays = fc.array(fc.nat(3), { minLength: 1, maxLength: 12 });

describe('pieces of work in turns', () => {
  it('ask the board the same in the same order, however fast it answers, and end in order', async () => {
    await fc.assert(
      fc.asyncProperty(delays, fc.integer({ min: 1, max: 3 }), async (given, atOnce) => {
        const names = ['a', 'b', 'c', 'd', 'e'];
        const run = async (turns: readonly number[]) => {
          const { asked, ask } = slowBoard(turns);
          const results = await all(
            inTurns(
              names.map((name) => piece(name, ask)),
              atOnce,
            ),
          );
          return { asked, results };
        };
        const { asked, results } = await run(given);
        expect(results).toEqual(names.map((name) => `${name}1,${name}2,${name}3`));
        expect(asked).toEqual((await run([0])).asked);
        expect(asked).toHaveLength(names.length * STEPS);
      }),
      { numRuns: 50 },
    );
  });

  it('leave the board something to do while one result is worked at', async () => {
    const { asked, ask } = slowBoard([1]);
    for await (const result of inTurns(['a', 'b', 'c'].map((name) => piece(name, ask)))) {
      if (result.startsWith('a')) expect(asked).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'c1']);
      // However long it takes.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(asked.slice(6)).toEqual(['c1', 'c2', 'c3']);
  });

  it('fail with the first failure, once those under way are answered, and begin no other', async () => {
    await fc.assert(
      fc.asyncProperty(delays, fc.constantFrom('a1', 'a2', 'b1', 'b3', 'c2'), async (given, failing) => {
        const { asked, ask, quiet } = slowBoard(given);
        const pieces = ['a', 'b', 'c', 'd'].map((name) => piece(name, ask, failing));
        await expect(all(inTurns(pieces))).rejects.toThrow(`no answer to ${failing}`);
        const askedByThen = asked.length;
        await quiet();
        expect(asked).toHaveLength(askedByThen);
        expect(asked).not.toContain('d3');
      }),
      { numRuns: 30 },
    );
  });

  it('await those under way when nobody wants more', async () => {
    const { ask, asked } = slowBoard([2]);
    let open = 0;
    const counted = (what: string) => {
      open++;
      return ask(what).finally(() => open--);
    };
    for await (const _ of inTurns(['a', 'b', 'c', 'd'].map((name) => piece(name, counted)))) break;
    expect(open).toBe(0);
    expect(asked).not.toContain('d1');
  });
});
