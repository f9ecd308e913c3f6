import { defineConfig } from 'vitest/config';

/** Rooms whose tests open no port: their files run side by side. */
const BESIDE = ['interop', 'loop', 'model', 'plots', 'shared'].map((room) => `test/${room}/**/*.test.ts`);

const common = { testTimeout: 60_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: { ...common, name: 'beside', include: BESIDE, maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        test: {
          ...common,
          name: 'alone',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: BESIDE,
          // Pseudo-terminals are numbered by the system: a test that waits for its lost port to come back could take
          // the one that another file has just made.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
