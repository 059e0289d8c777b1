/** Prints what the tour does and what came out: a heading a stop, a line a finding. */
export class Narrator {
  stop(title: string): void {
    console.log(`\n── ${title} ${'─'.repeat(Math.max(0, 74 - title.length))}`);
  }

  say(text: string): void {
    console.log(`  ${text}`);
  }

  /** A finding: what, and how much. */
  found(what: string, value: string): void {
    console.log(`  ${what.padEnd(46)} ${value}`);
  }

  /** Text of several lines, as it is. */
  show(text: string): void {
    for (const line of text.trimEnd().split('\n')) console.log(`  ${line}`);
  }
}

/** A result and how long it took. */
export interface Timed<T> {
  readonly result: T;
  /** Milliseconds. */
  readonly took: number;
}

export async function timed<T>(work: () => T | Promise<T>): Promise<Timed<T>> {
  const start = performance.now();
  const result = await work();
  return { result, took: performance.now() - start };
}

export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
