import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { delay } from '@perf/core';

/**
 * The processes below `root`, children first. A server started through a launcher (npx, a shell) has its own process there,
 * and ending the launcher alone would leave it running.
 */
export async function descendants(root: number): Promise<number[]> {
  const children = Map.groupBy(await listProcesses(), ({ parent }) => parent);
  const found: number[] = [];
  const pending = [root];
  for (let parent = pending.shift(); parent !== undefined; parent = pending.shift()) {
    for (const { pid } of children.get(parent) ?? []) {
      found.push(pid);
      pending.push(pid);
    }
  }
  return found;
}

/** The process and those below it. */
export async function snapshotTree(pid: number): Promise<number[]> {
  return [...(await descendants(pid)), pid];
}

/** Milliseconds between the request to end and the order. */
const GRACE = 1_000;
const POLL = 25;

/** Resolves when none of `pids` is left: those still there are asked to end, and then killed. */
export async function endTree(pids: readonly number[]): Promise<void> {
  let left = pids.filter((pid) => signal(pid, 'SIGTERM'));
  for (let waited = 0; left.length > 0 && waited < GRACE; waited += POLL) {
    await delay(POLL);
    left = left.filter(isAlive);
  }
  for (const pid of left) signal(pid, 'SIGKILL');
}

function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

/** Whether the process was there to be signalled. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
}

async function listProcesses(): Promise<ProcessEntry[]> {
  if (process.platform === 'linux') return listFromProc();
  if (process.platform === 'win32') return [];
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([pid = 0, parent = 0]) => ({ pid, parent }));
}

async function listFromProc(): Promise<ProcessEntry[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const entries = await Promise.all(pids.map(readProcEntry));
  return entries.filter((entry) => entry !== undefined);
}

async function readProcEntry(pid: number): Promise<ProcessEntry | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, blanks and parentheses too; the fields follow the last one.
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
