import { transform } from 'esbuild';

/** What vite takes as a plugin, as far as it is used here. */
interface TransformPlugin {
  readonly name: string;
  readonly enforce: 'pre';
  transform(code: string, id: string): Promise<{ readonly code: string; readonly map: string } | undefined>;
}

/** For the vitest configuration of a package with TC39 decorators: neither vite nor Node.js takes them yet; esbuild lowers them. */
export const lowerDecorators: TransformPlugin = {
  name: 'lower-decorators',
  enforce: 'pre',
  async transform(code, id) {
    if (!/^\s*@\w/m.test(code) || !id.endsWith('.ts') || id.includes('node_modules')) return undefined;
    return transform(code, { loader: 'ts', target: 'es2023', sourcefile: id, sourcemap: true });
  },
};
