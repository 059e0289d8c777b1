/** Reads a text file; `undefined` when that is not possible. */
export type ReadFile = (path: string) => string | undefined;

/** A control group of this process that has a memory limit. */
export interface LimitedGroup {
  /** Bytes. */
  readonly limit: number;
  /** The folder of the group. */
  readonly folder: string;
  readonly version: 1 | 2;
}

interface Hierarchy {
  readonly version: 1 | 2;
  /** Where the hierarchy is mounted. */
  readonly mount: string;
  /** Which of its groups is mounted there. */
  readonly root: string;
  /** The group of this process. */
  readonly path: string;
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
  for (const hierarchy of findHierarchies(readFile)) {
    for (const folder of foldersUp(hierarchy)) {
      const limit = readLimit(readFile, folder, hierarchy.version);
      if (limit !== undefined && (smallest === undefined || limit < smallest.limit)) {
        smallest = { limit, folder, version: hierarchy.version };
      }
    }
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

function findHierarchies(readFile: ReadFile): Hierarchy[] {
  const found: Hierarchy[] = [];
  const mounts = readFile('/proc/self/mountinfo') ?? '';
  for (const line of (readFile('/proc/self/cgroup') ?? '').split('\n')) {
    const [id, controllers, ...rest] = line.split(':');
    if (controllers === undefined || rest.length === 0) continue;
    const path = rest.join(':');
    if (id === '0' && controllers === '') found.push({ version: 2, path, ...findMount(mounts, 2) });
    else if (controllers.split(',').includes('memory')) found.push({ version: 1, path, ...findMount(mounts, 1) });
  }
  return found;
}

/** See proc(5): `id parent device root mount options [more]... - type source superOptions`. */
function findMount(mounts: string, version: 1 | 2): { readonly mount: string; readonly root: string } {
  for (const line of mounts.split('\n')) {
    const [left, right] = line.split(' - ');
    const [type, , superOptions] = (right ?? '').split(' ');
    const fits = version === 2 ? type === 'cgroup2' : type === 'cgroup' && superOptions?.split(',').includes('memory');
    const [, , , root, mount] = (left ?? '').split(' ');
    if (fits && root !== undefined && mount !== undefined) return { root: unescape(root), mount: unescape(mount) };
  }
  return { root: '/', mount: version === 2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory' };
}

function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The folder of the process's own group and of its parents, as far up as they are mounted. */
function foldersUp({ mount, root, path }: Hierarchy): string[] {
  const base = root === '/' ? '' : root;
  const inside = path === base || path.startsWith(`${base}/`) ? path.slice(base.length) : '';
  const names = inside.split('/').filter((name) => name !== '');
  // A path with `..` lies outside of this process's cgroup namespace: only the mounted root is known then.
  if (names.includes('..')) return [mount];
  return Array.from({ length: names.length + 1 }, (_, up) =>
    [mount === '/' ? '' : mount, ...names.slice(0, names.length - up)].join('/'),
  );
}

function readLimit(readFile: ReadFile, folder: string, version: 1 | 2): number | undefined {
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
