import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  /** Ended, and not taken note of by its parent. */
  readonly zombie: boolean;
}

/** The processes whose parent is `pid`. */
export function childrenOf(pid: number): number[] {
  return processes()
    .filter(({ parent, zombie }) => parent === pid && !zombie)
    .map((each) => each.pid);
}

/** Waits until none of `pids` runs. Zombies do not: where nobody takes note of orphans, as in some containers, they stay. */
export async function ended(pids: readonly number[]): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const running = new Set(processes().flatMap(({ pid, zombie }) => (zombie ? [] : [pid])));
    if (!pids.some((pid) => running.has(pid))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`processes did not end within 10 seconds: ${pids.join(', ')}`);
}

/** Sends `signal` to those of `pids` that are still there. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
  }
}

function processes(): ProcessRow[] {
  if (process.platform !== 'linux') return listed();
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // pid (name) state parent …, where the name may hold anything.
      const [state, parent] = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
      return [{ pid: Number(name), parent: Number(parent), zombie: state === 'Z' || state === 'X' }];
    } catch {
      return [];
    }
  });
}

function listed(): ProcessRow[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,state='], { encoding: 'utf8' });
  return table.split('\n').map((line) => {
    const [pid, parent, state = ''] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), zombie: state.startsWith('Z') };
  });
}
