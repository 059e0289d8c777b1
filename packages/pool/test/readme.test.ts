import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { testReadme } from '@perf/testkit';

const readme = new URL('../README.md', import.meta.url);

// A worker needs a file: the blocks that carry a name are the modules that the others run.
mkdirSync(new URL('.readme/', readme), { recursive: true });
for (const [, name = '', code = ''] of readFileSync(readme, 'utf8').matchAll(/^```js (\S+)\n([\s\S]*?)^```$/gm)) {
  writeFileSync(new URL(`.readme/${name}`, readme), code);
}

testReadme(readme);
