import { describe, expect, test } from 'vitest';
import { cgroupFolders } from '../src/index.ts';

const reader = (files: Readonly<Record<string, string>>) => (path: string) => files[path];
const V2_MOUNT = '29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate';
const V1_MOUNTS = [
  '33 32 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct',
  '36 32 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
].join('\n');

describe('cgroupFolders', () => {
  test('names the own group and its parents, version 2', () => {
    const readFile = reader({ '/proc/self/cgroup': '0::/pod/app\n', '/proc/self/mountinfo': V2_MOUNT });
    expect(cgroupFolders('memory', readFile)).toEqual([
      { version: 2, folder: '/sys/fs/cgroup/pod/app' },
      { version: 2, folder: '/sys/fs/cgroup/pod' },
      { version: 2, folder: '/sys/fs/cgroup' },
    ]);
  });

  test('finds the controller among those of version 1, and both versions side by side', () => {
    const readFile = reader({
      '/proc/self/cgroup': '11:cpu,cpuacct:/a\n9:memory:/b\n3:cpuset:/c\n0::/\n',
      '/proc/self/mountinfo': `${V1_MOUNTS}\n${V2_MOUNT}`,
    });
    expect(cgroupFolders('cpu', readFile)).toEqual([
      { version: 1, folder: '/sys/fs/cgroup/cpu,cpuacct/a' },
      { version: 1, folder: '/sys/fs/cgroup/cpu,cpuacct' },
      { version: 2, folder: '/sys/fs/cgroup' },
    ]);
    expect(cgroupFolders('memory', readFile)[0]).toEqual({ version: 1, folder: '/sys/fs/cgroup/memory/b' });
  });

  test.each([
    ['a path the host has for it', '/docker/abc', '/docker/abc', ['/sys/fs/cgroup']],
    ['a path that leads nowhere in here', '/kubepods/x', '/docker/abc', ['/sys/fs/cgroup']],
    ['a path below the mounted group', '/docker/abc/job', '/docker/abc', ['/sys/fs/cgroup/job', '/sys/fs/cgroup']],
    ['a path outside of the namespace', '/../other', '/', ['/sys/fs/cgroup']],
    ['a colon in the path', '/a:b', '/', ['/sys/fs/cgroup/a:b', '/sys/fs/cgroup']],
  ])('copes with %s', (_, path, root, folders) => {
    const mount = V2_MOUNT.replace(' / ', ` ${root} `);
    const readFile = reader({ '/proc/self/cgroup': `0::${path}\n`, '/proc/self/mountinfo': mount });
    expect(cgroupFolders('cpu', readFile).map(({ folder }) => folder)).toEqual(folders);
  });

  test('reads an escaped mount point, and guesses where mounts cannot be read', () => {
    const blank = V2_MOUNT.replace('/sys/fs/cgroup', String.raw`/mnt/my\040groups`);
    const groups = { '/proc/self/cgroup': '0::/\n' };
    expect(cgroupFolders('cpu', reader({ ...groups, '/proc/self/mountinfo': blank }))[0]?.folder).toBe(
      '/mnt/my groups',
    );
    expect(cgroupFolders('cpu', reader(groups))[0]?.folder).toBe('/sys/fs/cgroup');
  });

  test('finds none where there are none, and survives nonsense', () => {
    expect(cgroupFolders('cpu', reader({}))).toEqual([]);
    expect(
      cgroupFolders('cpu', reader({ '/proc/self/cgroup': 'x\n::\n:', '/proc/self/mountinfo': '- - -\n' })),
    ).toEqual([]);
  });
});
