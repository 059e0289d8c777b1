import type { Stream } from 'node:stream';

const KEPT = 4_096;

/** Keeps the end of what a process writes to its standard error, to say why it failed, and lets the rest go. */
export class StderrTail {
  #text = '';

  constructor(stream: Stream | null) {
    stream?.on('data', (chunk: Buffer | string) => {
      this.#text = (this.#text + chunk.toString()).slice(-KEPT);
    });
  }

  /** The line that says most: the last error message if there is one, else the last line. */
  get lastLine(): string | undefined {
    const lines = this.#text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('at ') && !line.startsWith('Node.js v'));
    return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
  }
}
