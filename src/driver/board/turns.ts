/**
 * Pieces of jobs, begun in the order of the jobs and at most so many at once. What a piece is, is asked when its turn
 * comes and not before.
 */

/** Begins the next piece of a job; undefined when there is none left. */
type Next = () => Promise<void> | undefined;

interface Job {
  next: Next;
  /** Pieces under way. */
  active: number;
  ended: boolean;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Turns {
  readonly #most: number;
  readonly #jobs: Job[] = [];
  #active = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when all pieces have ended. Rejects with the first failure; none is begun after it. */
  run(next: Next): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ next, active: 0, ended: false, resolve, reject });
      queueMicrotask(() => this.#begin());
    });
  }

  #begin(): void {
    for (let job = this.#jobs[0]; job && this.#active < this.#most; job = this.#jobs[0]) {
      const piece = job.ended ? undefined : job.next();
      if (piece) {
        this.#active++;
        job.active++;
        this.#follow(job, piece);
      } else {
        this.#jobs.shift();
        job.ended = true;
        if (job.active === 0) job.resolve();
      }
    }
  }

  async #follow(job: Job, piece: Promise<void>): Promise<void> {
    try {
      await piece;
    } catch (error) {
      job.ended = true;
      job.reject(error);
    }
    this.#active--;
    job.active--;
    if (job.ended && job.active === 0) job.resolve();
    this.#begin();
  }
}
