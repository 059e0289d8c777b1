/**
 * How much CPU the control groups of Linux allow this process: pure parsing of `/proc/self/cgroup`, `/proc/self/mountinfo` and the
 * quota files they lead to (cgroups(7), the kernel's cgroup-v2.rst and sched-bwc.rst).
 */

/** Reads a file; `undefined` when there is none. */
export type ReadFile = (path: string) => string | undefined;

interface CgroupMount {
  /** Where in the hierarchy the mount begins. */
  readonly root: string;
  readonly mountPoint: string;
}

/** Cores the process may use per unit of time, possibly a fraction: the least quota of its groups and all their parents. `Infinity` without one. */
export function cgroupCpuLimit(readFile: ReadFile): number {
  const groups = parseGroups(readFile('/proc/self/cgroup') ?? '');
  const mounts = parseMounts(readFile('/proc/self/mountinfo') ?? '');
  let limit = Infinity;
  for (const folder of foldersOf(groups.v2, mounts.v2)) {
    limit = Math.min(limit, parseCpuMax(readFile(`${folder}/cpu.max`)));
  }
  for (const folder of foldersOf(groups.v1, mounts.v1)) {
    const quota = readFile(`${folder}/cpu.cfs_quota_us`);
    limit = Math.min(limit, parseQuota(quota, readFile(`${folder}/cpu.cfs_period_us`)));
  }
  return limit;
}

/** `max 100000` is no limit, `150000 100000` one and a half cores. */
export function parseCpuMax(text: string | undefined): number {
  const [quota, period = '100000'] = text?.trim().split(/\s+/) ?? [];
  return parseQuota(quota, period);
}

function parseQuota(quota: string | undefined, period: string | undefined): number {
  const cores = Number.parseInt(quota ?? '', 10) / Number.parseInt(period ?? '', 10);
  // Version 1 says -1 for no limit. Whatever cannot be read is none either.
  return cores > 0 ? cores : Infinity;
}

/** Lines are `id:controllers:path`; version 2 has id 0 and no controllers. */
function parseGroups(text: string): { v1: string | undefined; v2: string | undefined } {
  let v1: string | undefined;
  let v2: string | undefined;
  for (const line of text.split('\n')) {
    const [id, controllers, ...path] = line.split(':');
    if (controllers === undefined) continue;
    if (id === '0' && controllers === '') v2 = path.join(':');
    else if (controllers.split(',').includes('cpu')) v1 = path.join(':');
  }
  return { v1, v2 };
}

/** Lines are `id parent major:minor root mountPoint options ... - type source superOptions`. */
function parseMounts(text: string): { v1: CgroupMount | undefined; v2: CgroupMount | undefined } {
  let v1: CgroupMount | undefined;
  let v2: CgroupMount | undefined;
  for (const line of text.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, mountPoint] = before.split(' ');
    const [type, , superOptions = ''] = after.split(' ');
    if (root === undefined || mountPoint === undefined) continue;
    if (type === 'cgroup2') v2 ??= { root, mountPoint };
    if (type === 'cgroup' && superOptions.split(',').includes('cpu')) v1 ??= { root, mountPoint };
  }
  return { v1, v2 };
}

/** The folder of a group and those of its parents, as far up as this process can see. */
function foldersOf(group: string | undefined, mount: CgroupMount | undefined): string[] {
  if (group === undefined || mount === undefined) return [];
  const root = mount.root === '/' ? '' : mount.root;
  // A container may see the path its host has for it, which leads nowhere in here: the mount itself is its group then.
  const inside = group === root || group.startsWith(`${root}/`) ? group.slice(root.length) : '';
  const folders: string[] = [mount.mountPoint];
  for (const name of inside.split('/')) {
    if (name !== '') folders.push(`${folders.at(-1)}/${name}`);
  }
  return folders;
}
