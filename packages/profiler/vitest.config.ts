import { lowerDecorators } from '@perf/testkit/lower-decorators';
import { defineConfig } from 'vitest/config';

export default defineConfig({ plugins: [lowerDecorators], test: { testTimeout: 30_000 } });
