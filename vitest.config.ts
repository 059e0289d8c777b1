import { readdirSync } from 'node:fs';
import { join } from 'node:path';
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

const folders = ['packages', 'apps'].flatMap((parent) => {
  const names = readdirSync(join(import.meta.dirname, parent));
  return names.map((name) => ({ name, root: join(import.meta.dirname, parent, name) }));
});

/** One configuration for all: `pnpm test` in a package runs its project from here. */
export default defineConfig({
  plugins: [lowerDecorators],
  test: {
    // Two cores are the smallest machine the suite must pass on, and some tests start real servers, or install one.
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // Tests run the sources, and Node strips the types of what a worker thread imports with WebAssembly. When V8 of Node 24 collects the code of that while
    // many threads come and go, it may end the process ("Check failed: end > addr"; nodejs/node#64500 looks like the same). Published packages are JavaScript.
    execArgv: ['--no-wasm-code-gc'],
    projects: folders.map(({ name, root }) => ({ extends: true as const, root, test: { name } })),
  },
});
