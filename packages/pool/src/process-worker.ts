import { deserialize, serialize } from 'node:v8';
import type { Options as TinypoolOptions } from 'tinypool';
import { encodeThrown } from './encode-thrown.ts';
import type { WorkerExit } from './errors.ts';
import { NOT_OPENED, type OpenMessage, type ProcessFrame, type ProcessReply } from './frame.ts';
import { TinypoolWorker } from './tinypool-worker.ts';
import { type Answer, InputFailure, type Shipment, type WorkerHandle } from './worker-handle.ts';

/**
 * A child process: it is sent one task at a time, as nothing is shared with it that would tell what it did and what not when it is killed.
 * As bytes: Tinypool hands a message on in an event of its own, where an input that cannot be cloned would be an uncaught exception.
 */
export class ProcessWorker implements WorkerHandle {
  readonly opened: Promise<void>;
  readonly exited: Promise<WorkerExit>;
  readonly window: number = 1;
  heap = 0;
  onRing: () => void = () => {};
  readonly #worker: TinypoolWorker;
  #sequence = 0;
  #startedAt = 0;
  #answer: Answer | undefined;

  constructor(options: TinypoolOptions, open: { readonly workerData: unknown; readonly tellHeap: boolean }) {
    const message: OpenMessage = { kind: 'open', ...open };
    this.#worker = new TinypoolWorker(options, { message: serialize(message), transferList: [] });
    ({ opened: this.opened, exited: this.exited } = this.#worker);
  }

  send(tasks: readonly Shipment[]): number {
    const { call, item, carried } = tasks[0] as Shipment;
    const frame: ProcessFrame = { kind: 'frame', call: call.definition, item, carried };
    let bytes: Uint8Array;
    try {
      bytes = serialize(frame);
    } catch (error) {
      throw new InputFailure(error);
    }
    this.#answer = undefined;
    this.#startedAt = performance.now();
    void this.#run(bytes);
    return ++this.#sequence;
  }

  async #run(bytes: Uint8Array): Promise<void> {
    let answer: unknown;
    try {
      answer = await this.#worker.run(bytes);
    } catch {
      // It is ending: `exited` tells how.
      this.terminate();
      return;
    }
    if (answer === NOT_OPENED || !(answer instanceof Uint8Array)) this.terminate();
    else this.#arrived(answer);
  }

  #arrived(bytes: Uint8Array): void {
    const endedAt = performance.now();
    try {
      const { outcome, elapsed, heap } = deserialize(bytes) as ProcessReply;
      this.heap = heap;
      // The way there and back is no part of its run, but loading the module is none of its waiting.
      this.#answer = { outcome, startedAt: Math.max(this.#startedAt, endedAt - elapsed), endedAt };
    } catch (error) {
      const thrown = encodeThrown(error, () => true);
      this.#answer = {
        outcome: [undefined, { index: 0, what: 'result', thrown }],
        startedAt: this.#startedAt,
        endedAt,
      };
    }
    this.onRing();
  }

  answer(): Answer | undefined {
    return this.#answer;
  }

  startOf(): number {
    return this.#startedAt;
  }

  revoke(): boolean {
    return false;
  }

  terminate(): void {
    this.#worker.terminate();
  }

  release(): void {}
}
