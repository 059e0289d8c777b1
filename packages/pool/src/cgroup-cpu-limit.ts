import { type ReadFile, cgroupFolders } from '@perf/core';

/**
 * Cores the process may use per unit of time, possibly a fraction: the least quota of its control groups and all their parents. `Infinity` without one.
 * See the kernel's cgroup-v2.rst and sched-bwc.rst.
 */
export function cgroupCpuLimit(readFile: ReadFile): number {
  const quotas = cgroupFolders('cpu', readFile).map(({ version, folder }) =>
    version === 2
      ? parseCpuMax(readFile(`${folder}/cpu.max`))
      : parseQuota(readFile(`${folder}/cpu.cfs_quota_us`), readFile(`${folder}/cpu.cfs_period_us`)),
  );
  return Math.min(Infinity, ...quotas);
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
