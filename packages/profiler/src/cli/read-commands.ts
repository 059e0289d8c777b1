import { basename, extname } from 'node:path';
import type { TopSort } from '../cpu/top-functions.ts';
import { renderDiff } from '../flame/render-diff.ts';
import { renderFlameGraph } from '../flame/render-flame-graph.ts';
import { about, readProfile, writeText } from './profile-files.ts';
import { topText } from './top-text.ts';

/** `perf-profile top`. @throws Failure */
export function top(file: string, { limit, sort }: { readonly limit: number; readonly sort: TopSort }): void {
  const profile = readProfile(file);
  process.stdout.write(`${about(file, () => topText(profile, limit, sort))}\n`);
}

/** Options of the commands that write a page. */
export interface PageOptions {
  readonly output?: string;
  readonly title?: string;
}

/** `perf-profile flame`. @throws Failure */
export function flame(
  file: string,
  { output = replaceExtension(file, '.html'), title = basename(file) }: PageOptions,
): void {
  const profile = readProfile(file);
  writePage(
    output,
    about(file, () => renderFlameGraph(profile, { title })),
  );
}

/** `perf-profile diff`. @throws Failure */
export function diff(before: string, after: string, { output = 'diff.html', title }: PageOptions): void {
  const profiles = [readProfile(before), readProfile(after)] as const;
  const named = { title: title ?? `${basename(before)} and ${basename(after)}` };
  writePage(
    output,
    about(`${before}, ${after}`, () => renderDiff(...profiles, named)),
  );
}

function writePage(output: string, html: string): void {
  writeText(output, html);
  process.stdout.write(`${output}\n`);
}

function replaceExtension(file: string, extension: string): string {
  return `${file.slice(0, file.length - extname(file).length)}${extension}`;
}
