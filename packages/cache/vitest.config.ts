import { transform } from 'esbuild';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [
    {
      // Vite's own transform leaves decorators as they are, and Node.js does not know them yet.
      name: 'lower-decorators',
      enforce: 'pre',
      async transform(code, id) {
        if (!id.endsWith('.ts') || !/^\s*@\w/m.test(code)) return undefined;
        const lowered = await transform(code, { loader: 'ts', target: 'es2022', sourcefile: id, sourcemap: true });
        return { code: lowered.code, map: lowered.map };
      },
    },
  ],
  test: { testTimeout: 30_000, hookTimeout: 120_000 },
});
