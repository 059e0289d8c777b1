import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of this folder, in a process of its own. */
export class Child {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  static readonly #all = new Set<Child>();

  /** Leaves none behind, whatever became of the test. */
  static async killAll(): Promise<void> {
    await Promise.all([...Child.#all].map((child) => child.kill()));
  }

  constructor(program: string, args: readonly string[], onLine?: (line: string) => void) {
    const file = fileURLToPath(new URL(program, import.meta.url));
    this.process = spawn(process.execPath, [file, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    Child.#all.add(this);
    this.ended = once(this.process, 'exit').finally(() => Child.#all.delete(this));
    createInterface({ input: this.process.stdout as NonNullable<ChildProcess['stdout']> }).on('line', (line) => {
      onLine?.(line);
    });
  }

  /** Resolves with whether it ended by itself, without an error. */
  async finished(): Promise<boolean> {
    await this.ended;
    return this.process.exitCode === 0;
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  /** Lets it stand still for `time` milliseconds. */
  async pause(time: number): Promise<void> {
    this.process.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, time));
    this.process.kill('SIGCONT');
  }
}
