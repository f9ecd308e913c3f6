/** Adam (Kingma & Ba 2015) on lists of parameters, in plain TypeScript: for small or partial updates. */
export class Adam {
  /** Steps so far. */
  count = 0;
  /** Running means of the gradients and of their squares, one list a parameter list. */
  readonly first: Float64Array[];
  readonly second: Float64Array[];

  readonly #parameters: readonly Float32Array[];
  readonly #options: { beta1?: number; beta2?: number; epsilon?: number };

  /** @param parameters are changed in place by `step` */
  constructor(
    parameters: readonly Float32Array[],
    options: { beta1?: number; beta2?: number; epsilon?: number } = {},
  ) {
    this.#parameters = parameters;
    this.#options = options;

    this.first = parameters.map((list) => new Float64Array(list.length));
    this.second = parameters.map((list) => new Float64Array(list.length));
  }

  /** @param gradients one list a parameter list, of the same lengths */
  step(gradients: readonly ArrayLike<number>[], rate: number): void {
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = this.#options;
    this.count++;
    const scale1 = 1 / (1 - beta1 ** this.count);
    const scale2 = 1 / (1 - beta2 ** this.count);
    this.#parameters.forEach((list, k) => {
      const m = this.first[k];
      const v = this.second[k];
      for (let i = 0; i < list.length; i++) {
        const g = gradients[k][i];
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        list[i] -= (rate * m[i] * scale1) / (Math.sqrt(v[i] * scale2) + epsilon);
      }
    });
  }
}
