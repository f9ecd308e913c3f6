import { defineConfig } from 'vitest/config';

/**
 * Pseudo-terminals are numbered by the system: a test that waits for its lost port to come back could take the one
 * that another file has just made. Files with such tests run by themselves, one after the other.
 */
const ALONE = [
  'test/{boards/arc-one,driver,virtual-board/serving}/**/*.test.ts',
  'test/integration/{board,finetune,gate,link,qemu}.test.ts',
];

const common = { testTimeout: 60_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'beside',
          include: ['test/**/*.test.{ts,tsx}'],
          // Chaos on a hub takes minutes: `npm run soak:hub`.
          exclude: [...ALONE, ...(process.env.MEMLOOP_SOAK_JOBS ? [] : ['test/hub/chaos.test.ts'])],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...common,
          name: 'alone',
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
