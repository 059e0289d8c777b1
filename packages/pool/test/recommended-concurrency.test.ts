import { describe, expect, test } from 'vitest';
import { recommendedConcurrency } from '../src/index.ts';

const V2 = '0::/service/app\n';
const V2_MOUNT = '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';
const V1 = '4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n';

function machine(cores: number, files: Record<string, string>) {
  const all: Record<string, string> = files;
  return { cores, readFile: (path: string): string | undefined => all[path] };
}

function v2(cores: number, quotas: Record<string, string>) {
  const files = Object.fromEntries(
    Object.entries(quotas).map(([group, text]) => [`/sys/fs/cgroup${group}/cpu.max`, text]),
  );
  return machine(cores, { '/proc/self/cgroup': V2, '/proc/self/mountinfo': V2_MOUNT, ...files });
}

describe('cgroup version 2', () => {
  test.each<[string, number, Record<string, string>, number]>([
    ['a quota below one core', 8, { '/service/app': '25000 100000\n' }, 1],
    ['a fraction is rounded down', 8, { '/service/app': '150000 100000\n' }, 1],
    ['whole cores', 8, { '/service/app': '400000 100000\n' }, 4],
    ['no limit', 8, { '/service/app': 'max 100000\n' }, 8],
    ['a limit of the parent', 8, { '/service/app': 'max 100000\n', '/service': '300000 100000\n' }, 3],
    ['a limit of the root, as a container has it', 8, { '': '200000 100000\n' }, 2],
    ['more than the affinity', 2, { '/service/app': '400000 100000\n' }, 2],
    ['another period', 8, { '/service/app': '100000 50000\n' }, 2],
    ['nonsense', 8, { '/service/app': 'hello\n' }, 8],
  ])('%s', (_, cores, quotas, expected) => {
    expect(recommendedConcurrency('cpu', v2(cores, quotas))).toBe(expected);
  });
});

describe('cgroup version 1', () => {
  const mount = (root: string): string =>
    `32 31 0:29 ${root} /sys/fs/cgroup/cpu,cpuacct rw,relatime master:12 - cgroup cgroup rw,cpu,cpuacct\n`;
  const files = (root: string, folder: string, quota: string) => ({
    '/proc/self/cgroup': V1,
    '/proc/self/mountinfo': mount(root),
    [`/sys/fs/cgroup/cpu,cpuacct${folder}/cpu.cfs_quota_us`]: quota,
    [`/sys/fs/cgroup/cpu,cpuacct${folder}/cpu.cfs_period_us`]: '100000\n',
  });

  test.each<[string, Record<string, string>, number]>([
    ['a quota below one core', files('/', '/docker/abc', '25000\n'), 1],
    ['a quota of the group', files('/', '/docker/abc', '250000\n'), 2],
    ['a quota of the parent', files('/', '/docker', '300000\n'), 3],
    ['no limit', files('/', '/docker/abc', '-1\n'), 8],
    ['inside a container, whose mount is its group', files('/docker/abc', '', '150000\n'), 1],
    ['a mount of another group, as in a container with the paths of its host', files('/elsewhere', '', '200000\n'), 2],
  ])('%s', (_, content, expected) => {
    expect(recommendedConcurrency('cpu', machine(8, content))).toBe(expected);
  });
});

test('without control groups, the affinity alone counts', () => {
  expect(recommendedConcurrency('cpu', machine(4, {}))).toBe(4);
});

test('io and async work get more', () => {
  expect(recommendedConcurrency('io', machine(2, {}))).toBe(6);
  expect(recommendedConcurrency('async', machine(2, {}))).toBe(40);
});

test('works on this machine', () => {
  expect(recommendedConcurrency('cpu')).toBeGreaterThanOrEqual(1);
});

test('both versions side by side: the lesser counts', () => {
  const files = {
    '/proc/self/cgroup': '3:cpu,cpuacct:/app\n0::/app\n',
    '/proc/self/mountinfo': `${V2_MOUNT}32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n`,
    '/sys/fs/cgroup/app/cpu.max': '500000 100000\n',
    '/sys/fs/cgroup/cpu/app/cpu.cfs_quota_us': '300000\n',
    '/sys/fs/cgroup/cpu/app/cpu.cfs_period_us': '100000\n',
  };
  expect(recommendedConcurrency('cpu', machine(8, files))).toBe(3);
});

test('a quota below one core still lets more be done that waits', () => {
  expect(recommendedConcurrency('io', v2(8, { '/service/app': '25000 100000\n' }))).toBe(3);
  expect(recommendedConcurrency('async', v2(8, { '/service/app': '25000 100000\n' }))).toBe(20);
});

test.each<[string, object]>([
  ['`cores` must be a positive integer, got 0', { cores: 0 }],
  ['`readFile` must be a function, got 5', { readFile: 5 }],
  ['recommendedConcurrency has no option `core`', { core: 2 }],
])('refuses a bad machine: %s', (message, bad) => {
  expect(() => recommendedConcurrency('cpu', bad)).toThrow(message);
});

test('refuses an unknown kind', () => {
  expect(() => recommendedConcurrency('gpu' as never)).toThrow(
    "`kind` must be one of 'cpu', 'io', 'async', got \"gpu\"",
  );
});
