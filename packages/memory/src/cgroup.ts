import { type CgroupFolder, type ReadFile, cgroupFolders } from '@perf/core';

/** A control group of this process that has a memory limit. */
export interface LimitedGroup extends CgroupFolder {
  /** Bytes. */
  readonly limit: number;
}

/**
 * The control group with the smallest memory limit among those this process is in: its own and all of its parents, in cgroup v2
 * (`memory.max`, and `memory.high`, above which the kernel throttles), v1, and both side by side.
 *
 * Node.js itself (libuv) reads the process's own group only; a limit on a pod, a slice or a service shows on a parent.
 * See https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html.
 */
export function findLimitedGroup(readFile: ReadFile): LimitedGroup | undefined {
  let smallest: LimitedGroup | undefined;
  for (const group of cgroupFolders('memory', readFile)) {
    const limit = readLimit(readFile, group);
    if (limit !== undefined && (smallest === undefined || limit < smallest.limit)) smallest = { ...group, limit };
  }
  return smallest;
}

/**
 * What the group uses and cannot give back easily, in bytes: its usage without the inactive page cache, which the kernel drops before it
 * kills anything (the "working set" of the kubelet).
 */
export function workingSet(readFile: ReadFile, { folder, version }: LimitedGroup): number | undefined {
  const usage = bytesIn(readFile(`${folder}/${version === 2 ? 'memory.current' : 'memory.usage_in_bytes'}`));
  if (usage === undefined) return undefined;
  const stat = readFile(`${folder}/memory.stat`) ?? '';
  return Math.max(0, usage - (statOf(stat, version === 2 ? 'inactive_file' : 'total_inactive_file') ?? 0));
}

function readLimit(readFile: ReadFile, { folder, version }: CgroupFolder): number | undefined {
  const limits =
    version === 2
      ? [bytesIn(readFile(`${folder}/memory.max`)), bytesIn(readFile(`${folder}/memory.high`))]
      : [
          bytesIn(readFile(`${folder}/memory.limit_in_bytes`)),
          // The kernel's own minimum over all parents, those outside of the container included.
          statOf(readFile(`${folder}/memory.stat`) ?? '', 'hierarchical_memory_limit'),
        ];
  const valid = limits.filter((limit) => limit !== undefined);
  return valid.length === 0 ? undefined : Math.min(...valid);
}

function statOf(stat: string, name: string): number | undefined {
  for (const line of stat.split('\n')) if (line.startsWith(`${name} `)) return bytesIn(line.slice(name.length + 1));
  return undefined;
}

/** A number of bytes; `max` and v1's huge numbers both mean that there is no limit. */
function bytesIn(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? '';
  if (!/^\d+$/.test(trimmed)) return undefined;
  const bytes = Number(trimmed);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}
