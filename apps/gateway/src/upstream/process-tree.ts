import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { delay } from '@perf/core';

/**
 * The processes below `root`, the nearest first. A server started through a launcher (npx, a shell) has its own process there,
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

/** Milliseconds a server gets after the end of its input, and then after the request to end. */
const PATIENCE = 2_000;
const GRACE = 1_000;
/** And after the order, which no process can refuse; a dead one may still wait to be noticed by its parent. */
const BURIAL = 250;
const POLL = 25;

/**
 * Ends the process `pid`, its group and all below it, and resolves when none is left: first by `hangUp`, then those still there are asked to end, and then killed.
 */
export async function endTree(pid: number, hangUp: () => void): Promise<void> {
  // A negative number is a group; those that left it are known only while their parents are there.
  const targets = process.platform === 'win32' ? [pid] : [-pid, ...(await descendants(pid))];
  hangUp();
  let left = await whoStays(targets, PATIENCE);
  for (const target of left) signal(target, 'SIGTERM');
  left = await whoStays(left, GRACE);
  for (const target of left) signal(target, 'SIGKILL');
  await whoStays(left, BURIAL);
  ours.delete(pid);
}

/** The groups that must not outlive this process. */
const ours = new Set<number>();

/** Sees to it that the process `pid` and its group end with this process, even if that exits without closing anything. */
export function endWithUs(pid: number): void {
  // One listener for all of them.
  if (!process.listeners('exit').includes(killOurs)) process.on('exit', killOurs);
  ours.add(pid);
}

function killOurs(): void {
  for (const pid of ours) signal(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
}

async function whoStays(targets: readonly number[], patience: number): Promise<number[]> {
  let left = targets.filter(isAlive);
  for (let waited = 0; left.length > 0 && waited < patience; waited += POLL) {
    await delay(POLL);
    left = left.filter(isAlive);
  }
  return left;
}

function isAlive(target: number): boolean {
  return signal(target, 0);
}

/** Whether the process, or for a negative number any process of the group, was there to be signalled. */
function signal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, name);
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
