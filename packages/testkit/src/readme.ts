import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';

const FENCE = /^```(\S+)([^\n]*)\n([\s\S]*?)^```$/gm;
const EXPECTATION = /^(\s*)console\.log\((.*)\);?\s*\/\/ => (.*)$/gm;

/** Options of {@link testReadme}. */
export interface ReadmeOptions {
  /** Set while the blocks run, for examples that read a URL from the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Registers one test per `ts` code block of a README: each block runs as a module of its own inside the package, so it imports the package by
 * its name. A line `console.log(x); // => text` must be reached and print `text`; how much white space there is does not matter. A fence
 * marked `no-run` is skipped: for fragments such as an option list.
 *
 * @param readme URL of the README; the blocks are written to `.readme/` beside it
 */
export function testReadme(readme: URL, options: ReadmeOptions = {}): void {
  const text = readFileSync(readme, 'utf8');
  const blocks = [...text.matchAll(FENCE)].filter(([, lang, info]) => lang === 'ts' && !info?.includes('no-run'));
  test('the README has code that runs', () => expect(blocks.length).toBeGreaterThan(0));
  const folder = new URL('.readme/', readme);
  mkdirSync(folder, { recursive: true });
  for (const [index, block] of blocks.entries()) {
    const line = text.slice(0, block.index).split('\n').length;
    test(`README block ${index + 1} (line ${line})`, async () => {
      const file = new URL(`block-${index + 1}.ts`, folder);
      const code = block[3] ?? '';
      writeFileSync(file, instrument(code));
      Object.assign(process.env, options.env);
      const printed: [expected: string, actual: string][] = [];
      (globalThis as Record<string, unknown>)['__readmeCheck'] = (expected: string, ...values: unknown[]) => {
        printed.push([expected, values.map(show).join(' ')]);
      };
      await import(/* @vite-ignore */ file.href);
      for (const [expected, actual] of printed) expect(squeeze(actual)).toBe(squeeze(expected));
      // A line that was never reached, or that is no `console.log` of one line, would pass unseen.
      expect(new Set(printed.map(([expected]) => expected))).toEqual(new Set(promised(code)));
    });
  }
}

function instrument(code: string): string {
  const checked = code.replace(EXPECTATION, (_, indent: string, args: string, expected: string) => {
    return `${indent}__readmeCheck(${JSON.stringify(expected)}, ${args});`;
  });
  return `declare const __readmeCheck: (expected: string, ...values: unknown[]) => void;\n${checked}\nexport {};\n`;
}

/** What the block says it prints. */
function promised(code: string): string[] {
  return [...code.matchAll(/\/\/ => (.*)$/gm)].map(([, text]) => text as string);
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, { breakLength: Infinity });
}

function squeeze(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
