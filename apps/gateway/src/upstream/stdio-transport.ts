import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import {
  type JSONRPCMessage,
  type Transport,
  deserializeMessage,
  serializeMessage,
} from '@modelcontextprotocol/client';
import { delay } from '@perf/core';
import type { Command } from './command.ts';
import { LineReader } from './line-reader.ts';
import { endTree, endWithUs } from './process-tree.ts';
import { StderrTail } from './stderr-tail.ts';

/** A message of up to this many bytes is read; one that is longer ends the session. */
const MAX_MESSAGE = 64 * 1024 * 1024;
/** Milliseconds that what a process wrote last gets to arrive after its end. */
const LAST_WORDS = 200;

export interface StdioTransportOptions extends Command {
  readonly cwd: string;
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string>>;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * A transport over the standard streams of a process. Where the SDK's own would not do: the process leads a group, which ends as a whole and does not hear the
 * Ctrl+C meant for the gateway; a long message costs time in proportion to its length; and the session ends with the process or its
 * output, whichever is first, whoever else holds its pipes.
 */
export class StdioTransport implements Transport {
  onclose: (() => void) | undefined;
  onerror: ((error: Error) => void) | undefined;
  onmessage: Transport['onmessage'];
  readonly #options: StdioTransportOptions;
  readonly #lines = new LineReader(MAX_MESSAGE);
  #child: Child | undefined;
  #stderr: StderrTail | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: StdioTransportOptions) {
    this.#options = options;
  }

  /** The process, once it was started, also when it has ended since. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The line that says most among the last that the process wrote to its standard error. */
  get lastError(): string | undefined {
    return this.#stderr?.lastLine;
  }

  async start(): Promise<void> {
    const { command, args, cwd, env } = this.#options;
    const isWindows = process.platform === 'win32';
    // On Windows most commands are scripts, which only the shell starts.
    const [file, argv] = isWindows ? ['cmd.exe', ['/d', '/s', '/c', command, ...args]] : [command, [...args]];
    const child = spawn(file, argv, { cwd, env, detached: !isWindows, windowsHide: true, stdio: 'pipe' });
    this.#child = child;
    this.#stderr = new StderrTail(child.stderr);
    for (const stream of [child.stdin, child.stdout, child.stderr])
      stream.on('error', (error) => this.onerror?.(error));
    child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
    child.stdout.once('end', () => void this.close());
    child.once('exit', () => void delay(LAST_WORDS, { unref: true }).then(() => this.close()));
    if (child.pid !== undefined) endWithUs(child.pid);
    await once(child, 'spawn');
    child.on('error', (error) => this.onerror?.(error));
  }

  /** Resolves, too, when the process takes no more: the session ends then, and with it each of its calls. */
  send(message: JSONRPCMessage): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child === undefined || this.#closing !== undefined) throw new Error('Not connected');
      this.#child.stdin.write(serializeMessage(message), (error) => {
        if (error) void this.close();
        resolve();
      });
    });
  }

  /** Ends the session, then all that is left of the process and of those it started. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const child = this.#child;
    this.onclose?.();
    if (child?.pid === undefined) return;
    await endTree(child.pid, () => child.stdin.end());
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#closing !== undefined) return;
    try {
      for (const line of this.#lines.read(chunk)) if (line !== '') this.#receive(line);
    } catch (error) {
      this.onerror?.(error as Error);
      void this.close();
    }
  }

  /** What is no message is reported and passed over: some servers print to their standard output. */
  #receive(line: string): void {
    try {
      this.onmessage?.(deserializeMessage(line));
    } catch (error) {
      this.onerror?.(error as Error);
    }
  }
}
