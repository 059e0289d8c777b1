import { describe, expect, test } from 'vitest';
import { findLimitedGroup, workingSet } from '../src/cgroup.ts';
import { findContainerLimit } from '../src/memory-reader.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const UNLIMITED_V1 = '9223372036854771712\n';

const reader =
  (files: Readonly<Record<string, string>>) =>
  (path: string): string | undefined =>
    files[path];

const V2_MOUNT = '31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n';
const V1_MOUNTS = `31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime master:3 - cgroup cgroup rw,memory
`;

describe('cgroup v2', () => {
  test('the limit of the process`s own group', () => {
    const readFile = reader({
      '/proc/self/cgroup': '0::/app\n',
      '/proc/self/mountinfo': V2_MOUNT,
      '/sys/fs/cgroup/app/memory.max': `${512 * MIB}\n`,
      '/sys/fs/cgroup/app/memory.high': 'max\n',
    });
    expect(findLimitedGroup(readFile)).toEqual({ limit: 512 * MIB, folder: '/sys/fs/cgroup/app', version: 2 });
  });

  test('a smaller limit on a parent counts', () => {
    const readFile = reader({
      '/proc/self/cgroup': '0::/kubepods/pod1/app\n',
      '/proc/self/mountinfo': V2_MOUNT,
      '/sys/fs/cgroup/kubepods/pod1/app/memory.max': 'max\n',
      '/sys/fs/cgroup/kubepods/pod1/memory.max': `${256 * MIB}\n`,
      '/sys/fs/cgroup/kubepods/memory.max': `${GIB}\n`,
    });
    expect(findLimitedGroup(readFile)).toMatchObject({ limit: 256 * MIB, folder: '/sys/fs/cgroup/kubepods/pod1' });
  });

  test('memory.high counts where it is the lower one', () => {
    const readFile = reader({
      '/proc/self/cgroup': '0::/\n',
      '/proc/self/mountinfo': V2_MOUNT,
      '/sys/fs/cgroup/memory.max': 'max\n',
      '/sys/fs/cgroup/memory.high': `${300 * MIB}\n`,
    });
    expect(findLimitedGroup(readFile)).toMatchObject({ limit: 300 * MIB, folder: '/sys/fs/cgroup' });
  });

  test('no limit anywhere', () => {
    const readFile = reader({
      '/proc/self/cgroup': '0::/app\n',
      '/proc/self/mountinfo': V2_MOUNT,
      '/sys/fs/cgroup/app/memory.max': 'max\n',
    });
    expect(findLimitedGroup(readFile)).toBeUndefined();
  });

  test('a group outside of the namespace is read at the mount', () => {
    const readFile = reader({
      '/proc/self/cgroup': '0::/../other\n',
      '/proc/self/mountinfo': V2_MOUNT,
      '/sys/fs/cgroup/memory.max': `${GIB}\n`,
    });
    expect(findLimitedGroup(readFile)).toMatchObject({ limit: GIB, folder: '/sys/fs/cgroup' });
  });

  test('the working set is the usage without the inactive page cache', () => {
    const group = { limit: GIB, folder: '/g', version: 2 } as const;
    const readFile = reader({
      '/g/memory.current': `${700 * MIB}\n`,
      '/g/memory.stat': `anon 1\nactive_file 5\ninactive_file ${200 * MIB}\n`,
    });
    expect(workingSet(readFile, group)).toBe(500 * MIB);
    expect(workingSet(reader({ '/g/memory.current': '5' }), group)).toBe(5);
    expect(workingSet(reader({}), group)).toBeUndefined();
  });
});

describe('cgroup v1', () => {
  test('a container without a cgroup namespace: the path is below the mounted root', () => {
    const readFile = reader({
      '/proc/self/cgroup': '5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/docker/abc\n',
      '/proc/self/mountinfo': V1_MOUNTS.replace('0:32 / ', '0:32 /docker/abc '),
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${400 * MIB}\n`,
    });
    expect(findLimitedGroup(readFile)).toEqual({ limit: 400 * MIB, folder: '/sys/fs/cgroup/memory', version: 1 });
  });

  test('the kernel`s number for "unlimited" is no limit', () => {
    const readFile = reader({
      '/proc/self/cgroup': '4:memory:/a/b\n0::/\n',
      '/proc/self/mountinfo': V1_MOUNTS,
      '/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes': UNLIMITED_V1,
      '/sys/fs/cgroup/memory/a/b/memory.stat': `hierarchical_memory_limit ${UNLIMITED_V1}`,
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': UNLIMITED_V1,
    });
    expect(findLimitedGroup(readFile)).toBeUndefined();
  });

  test('a limit on a parent outside of the container shows as the hierarchical limit', () => {
    const readFile = reader({
      '/proc/self/cgroup': '4:memory:/\n',
      '/proc/self/mountinfo': V1_MOUNTS,
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': UNLIMITED_V1,
      '/sys/fs/cgroup/memory/memory.stat': `cache 0\nhierarchical_memory_limit ${128 * MIB}\ntotal_inactive_file 0\n`,
    });
    expect(findLimitedGroup(readFile)).toMatchObject({ limit: 128 * MIB, version: 1 });
  });

  test('the working set reads v1 names', () => {
    const readFile = reader({
      '/g/memory.usage_in_bytes': '1000\n',
      '/g/memory.stat': 'inactive_file 1\ntotal_inactive_file 300\n',
    });
    expect(workingSet(readFile, { limit: GIB, folder: '/g', version: 1 })).toBe(700);
  });
});

test('v1 and v2 side by side: the smaller limit of both', () => {
  const files = {
    '/proc/self/cgroup': '4:memory:/a\n0::/b\n',
    '/proc/self/mountinfo': `${V1_MOUNTS}41 31 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`,
    '/sys/fs/cgroup/memory/a/memory.limit_in_bytes': `${GIB}\n`,
    '/sys/fs/cgroup/unified/b/memory.max': `${2 * GIB}\n`,
  };
  expect(findLimitedGroup(reader(files))).toMatchObject({ limit: GIB, version: 1 });
  const lower = { ...files, '/sys/fs/cgroup/unified/b/memory.max': '1000\n' };
  expect(findLimitedGroup(reader(lower))).toMatchObject({ limit: 1000, version: 2 });
});

test('mount points with blanks and lines that make no sense are read', () => {
  const readFile = reader({
    '/proc/self/cgroup': 'nonsense\n\n0::/a:b\n',
    '/proc/self/mountinfo': `garbage\n31 23 0:28 / /my\\040groups rw - cgroup2 cgroup2 rw\n`,
    '/my groups/a:b/memory.max': '1000\n',
  });
  expect(findLimitedGroup(readFile)).toMatchObject({ limit: 1000, folder: '/my groups/a:b' });
});

test('without mountinfo the usual places are tried', () => {
  const readFile = reader({ '/proc/self/cgroup': '0::/x\n', '/sys/fs/cgroup/memory.max': '1000\n' });
  expect(findLimitedGroup(readFile)).toMatchObject({ limit: 1000, folder: '/sys/fs/cgroup' });
});

test('a system without control groups has none', () => {
  expect(findLimitedGroup(reader({}))).toBeUndefined();
});

describe('the limit of the container', () => {
  const totalMemory = (): number => 16 * GIB;
  const grouped = reader({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': `${GIB}\n` });

  test.each([0, undefined, 2 ** 64, 17 * GIB, NaN, -1])('%o from the operating system is no limit', (constrained) => {
    const system = { totalMemory, constrainedMemory: () => constrained };
    expect(findContainerLimit({ ...system, readFile: reader({}) })).toBeUndefined();
    expect(findContainerLimit({ ...system, readFile: grouped })).toMatchObject({ limit: GIB, group: { version: 2 } });
  });

  test('the smaller one of the group and the operating system', () => {
    const system = { totalMemory, readFile: grouped };
    expect(findContainerLimit({ ...system, constrainedMemory: () => 100 * MIB })).toEqual({ limit: 100 * MIB });
    expect(findContainerLimit({ ...system, constrainedMemory: () => 2 * GIB })).toMatchObject({ limit: GIB });
  });

  test('a group limit above the machine`s memory is none', () => {
    const readFile = reader({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': `${20 * GIB}\n` });
    expect(findContainerLimit({ totalMemory, readFile, constrainedMemory: () => 0 })).toBeUndefined();
  });
});
