import { Worker } from 'node:worker_threads';

/** A thread and `postMessage`, and nothing that could go wrong with them: answers come in the order of the tasks. */
export class BareWorker {
  readonly #worker = new Worker(new URL('./bare-worker.mjs', import.meta.url));
  readonly #waiting: ((result: number) => void)[] = [];
  #answered = 0;

  constructor() {
    this.#worker.on('message', (result: number) => {
      this.#waiting[this.#answered++]?.(result);
      if (this.#answered < this.#waiting.length) return;
      this.#waiting.length = this.#answered = 0;
    });
  }

  run(n: number): Promise<number> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#worker.postMessage(n);
    });
  }

  close(): Promise<number> {
    return this.#worker.terminate();
  }
}
