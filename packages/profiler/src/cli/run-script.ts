import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { Failure, messageOf } from './failure.ts';

/** What to run, and where the profile goes. */
export interface RunRequest {
  readonly script: string;
  readonly args: readonly string[];
  readonly output: string;
  /** Milliseconds. */
  readonly interval: number;
  /** The module that records, loaded before the script. */
  readonly preload: URL;
}

/**
 * Runs the script in a Node.js of its own, on this terminal, and waits for its end.
 * @returns its exit code, 128 and the signal's number if a signal ended it
 * @throws Failure when it cannot be run
 */
export async function runScript({ script, args, output, interval, preload }: RunRequest): Promise<number> {
  if (!existsSync(script)) throw new Failure(`${script}: no such file`);
  const child = spawn(process.execPath, ['--import', preload.href, script, ...args], {
    stdio: 'inherit',
    env: { ...process.env, PERF_PROFILE_OUTPUT: output, PERF_PROFILE_INTERVAL: String(interval) },
  });
  const ended = once(child, 'exit');
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  // From a terminal, Ctrl-C reaches the child without us; we only have to live on until it has ended.
  const interrupt = process.stdin.isTTY ? (): void => undefined : forward;
  process.on('SIGTERM', forward).on('SIGHUP', forward).on('SIGINT', interrupt);
  try {
    const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (error) {
    throw new Failure(`cannot run ${process.execPath}: ${messageOf(error)}`, { cause: error });
  } finally {
    process.off('SIGTERM', forward).off('SIGHUP', forward).off('SIGINT', interrupt);
  }
}
