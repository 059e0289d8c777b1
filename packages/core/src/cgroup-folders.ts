/** Reads a text file; `undefined` when that is not possible. */
export type ReadFile = (path: string) => string | undefined;

/** A control group of Linux that this process is in. */
export interface CgroupFolder {
  readonly version: 1 | 2;
  /** Where its files are, as this process sees them. */
  readonly folder: string;
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
 * The control groups that limit this process's use of a resource: its own and all of its parents, as far up as they are mounted here, in version 2,
 * version 1, and both side by side. Empty where there are none. A limit holds for a group and all below it, so the smallest of all of them counts:
 * a limit on a pod, a slice or a service shows on a parent.
 *
 * See cgroups(7), proc(5), and the kernel's admin-guide/cgroup-v2.rst.
 */
export function cgroupFolders(controller: 'cpu' | 'memory', readFile: ReadFile): CgroupFolder[] {
  const mounts = readFile('/proc/self/mountinfo') ?? '';
  const folders: CgroupFolder[] = [];
  for (const line of (readFile('/proc/self/cgroup') ?? '').split('\n')) {
    // `id:controllers:path`; version 2 has id 0 and no controllers.
    const [id, controllers, ...rest] = line.split(':');
    if (controllers === undefined || rest.length === 0) continue;
    const version = id === '0' && controllers === '' ? 2 : 1;
    if (version === 1 && !controllers.split(',').includes(controller)) continue;
    const hierarchy: Hierarchy = { version, path: rest.join(':'), ...findMount(mounts, version, controller) };
    for (const folder of foldersUp(hierarchy)) folders.push({ version, folder });
  }
  return folders;
}

/** Lines are `id parent device root mount options [more]... - type source superOptions`. */
function findMount(
  mounts: string,
  version: 1 | 2,
  controller: string,
): { readonly mount: string; readonly root: string } {
  for (const line of mounts.split('\n')) {
    const [left, right] = line.split(' - ');
    const [type, , superOptions] = (right ?? '').split(' ');
    const fits =
      version === 2 ? type === 'cgroup2' : type === 'cgroup' && superOptions?.split(',').includes(controller);
    const [, , , root, mount] = (left ?? '').split(' ');
    if (fits && root !== undefined && mount !== undefined) return { root: unescape(root), mount: unescape(mount) };
  }
  return { root: '/', mount: version === 2 ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controller}` };
}

/** Blanks and the like stand there as `\040`. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function foldersUp({ mount, root, path }: Hierarchy): string[] {
  const base = root === '/' ? '' : root;
  // A container may see the path its host has for it, which leads nowhere in here: the mount itself is its group then.
  const inside = path === base || path.startsWith(`${base}/`) ? path.slice(base.length) : '';
  const names = inside.split('/').filter((name) => name !== '');
  // A path with `..` lies outside of this process's cgroup namespace: only the mounted root is known then.
  if (names.includes('..')) return [mount];
  return Array.from({ length: names.length + 1 }, (_, up) =>
    [mount === '/' ? '' : mount, ...names.slice(0, names.length - up)].join('/'),
  );
}
