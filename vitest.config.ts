import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Pseudo-terminals are numbered by the system: a test that waits for its lost port to come back could take the one
    // that another file has just made.
    fileParallelism: false,
  },
});
