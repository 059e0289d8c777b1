import { readFileSync } from 'node:fs';
import { descendants } from '../../src/upstream/process-tree.ts';

/** The MCP server processes below `root`, by what is on their command line. */
export async function serverProcesses(root: number, needle = 'server-'): Promise<number[]> {
  const pids = await descendants(root);
  return pids.filter((pid) => commandLine(pid).includes(needle));
}

/** Whether the process is still there, and no zombie. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
