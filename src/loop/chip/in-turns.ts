/** Pieces of work that wait for the board now and then, several of them under way, so that the board need not wait. */

/** Work in steps; each ends with a request to the board. */
export type Steps<T> = Generator<Promise<unknown>, T, void>;

/** Ends a step with this request; the next step begins with the answer. */
export function* answered<T>(asked: Promise<T>): Steps<T> {
  let answer: { value: T } | undefined;
  yield asked.then((value) => {
    answer = { value };
  });
  return answer!.value;
}

/**
 * The results of pieces of work with the same number of steps, in order. `atOnce` pieces are under way and take steps in
 * turn, so the board gets the same requests in the same order however fast it answers. When one fails, the others under
 * way are awaited and no new one is begun.
 */
export async function* inTurns<T>(pieces: Iterable<Steps<T>>, atOnce = 2): AsyncGenerator<T> {
  const waiting = pieces[Symbol.iterator]();
  const underWay: { steps: Steps<T>; asked: Promise<unknown> }[] = [];
  const step = (steps: Steps<T>): IteratorResult<Promise<unknown>, T> => {
    const result = steps.next();
    if (!result.done) {
      // Awaited in its turn, which is later than it may fail.
      result.value.catch(() => {});
      underWay.push({ steps, asked: result.value });
    }
    return result;
  };
  const begin = () => {
    const next = waiting.next();
    if (!next.done) step(next.value);
  };
  try {
    for (let i = 0; i < atOnce; i++) begin();
    while (underWay.length > 0) {
      const { steps, asked } = underWay.shift()!;
      await asked;
      const result = step(steps);
      if (!result.done) continue;
      begin();
      yield result.value;
    }
  } finally {
    await Promise.allSettled(underWay.map(({ asked }) => asked));
  }
}
