import { readFileSync, writeFileSync } from 'node:fs';
import type { CpuProfile } from '../cpu/cpu-profile.ts';
import { parseCpuProfile } from '../cpu/parse-cpu-profile.ts';
import { Failure, messageOf } from './failure.ts';

/** The profile in a file. @throws Failure naming the file */
export function readProfile(file: string): CpuProfile {
  return about(file, () => parseCpuProfile(readFileSync(file, 'utf8')));
}

/** @throws Failure naming the file */
export function writeText(file: string, text: string): void {
  about(file, () => writeFileSync(file, text));
}

/** What `work` does with `file`; its errors say which file it was. @throws Failure */
export function about<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Failure(`${file}: ${messageOf(error)}`, { cause: error });
  }
}
