import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CONTENDERS } from './contenders.ts';

const CHILD = fileURLToPath(new URL('./measure.ts', import.meta.url));

/** Bytes for each entry, of one contender. */
export interface EntrySize {
  /** After as many keys as fit. */
  readonly filled: number;
  /** After twice as many, when half of them have gone. */
  readonly churned: number;
}

/** Measures a contender in a process of its own, so that nothing else moves on its heap. */
export function entrySize(name: string, entries: number): EntrySize {
  const output = execFileSync(process.execPath, ['--expose-gc', CHILD, name, String(entries)], { encoding: 'utf8' });
  return JSON.parse(output) as EntrySize;
}

/** The table of what an entry costs, in Markdown. */
export function entrySizeTable(entries: number, onProgress: (name: string) => void = () => {}): string {
  const rows = Object.keys(CONTENDERS).map((name) => {
    onProgress(name);
    const { filled, churned } = entrySize(name, entries);
    return `| ${name.startsWith('@') ? `**${name}**` : name} | ${filled.toFixed(1)} | ${churned.toFixed(1)} |`;
  });
  return `**Bytes for each of ${entries.toLocaleString('en')} entries**, keys and values not counted (heap and array buffers after garbage collection, in a process of its own)

| | when full | after as many again |
| --- | ---: | ---: |
${rows.join('\n')}
`;
}
