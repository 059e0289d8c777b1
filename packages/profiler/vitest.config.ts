import { transform } from 'esbuild';
import { defineConfig } from 'vitest/config';

// Neither vite nor Node.js takes TC39 decorators yet; esbuild lowers them.
const lowerDecorators = {
  name: 'lower-decorators',
  enforce: 'pre',
  async transform(code: string, id: string) {
    if (!/^\s*@\w/m.test(code) || !id.endsWith('.ts') || id.includes('node_modules')) return undefined;
    return transform(code, { loader: 'ts', target: 'es2023', sourcefile: id, sourcemap: true });
  },
} as const;

export default defineConfig({ plugins: [lowerDecorators], test: { testTimeout: 30_000 } });
