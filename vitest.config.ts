import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: ['packages/*', 'apps/*'],
    // Two cores are the smallest machine the suite must pass on; real servers start inside some tests.
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
