import { writeFile } from 'node:fs/promises';
import type { CpuProfile } from './cpu-profile.ts';

/** The profile as the text of a `.cpuprofile` file, which Chrome DevTools, VS Code and speedscope open. */
export function toCpuProfile(profile: CpuProfile): string {
  return JSON.stringify(profile);
}

/** Writes the profile to the file `path`, conventionally `*.cpuprofile`. Rejects with the error of the file system. */
export async function saveCpuProfile(profile: CpuProfile, path: string | URL): Promise<void> {
  await writeFile(path, toCpuProfile(profile));
}
