import type { Comparison } from '../comparison.ts';

/** The suites by package, loaded when they run: a peer's start-up work must not disturb the others'. */
export const SUITES: Readonly<Record<string, () => Promise<readonly Comparison[]>>> = {
  core: async () => (await import('./core.ts')).core,
};
