import { MessageChannel, type MessagePort, type Transferable, receiveMessageOnPort } from 'node:worker_threads';
import type { Options as TinypoolOptions } from 'tinypool';
import { encodeThrown } from './encode-thrown.ts';
import type { WorkerExit } from './errors.ts';
import type { Definition, Frame, OpenMessage, Outcome } from './frame.ts';
import { CELLS, STATE, TaskCells, clockOffset } from './task-cells.ts';
import { TinypoolWorker } from './tinypool-worker.ts';
import { type Answer, InputFailure, type Shipment, type WorkerHandle } from './worker-handle.ts';

const NOTHING: Outcome = [undefined];
const CONSTANTS = new Map<number, Outcome>([
  [STATE.undefined, NOTHING],
  [STATE.null, [null]],
  [STATE.true, [true]],
  [STATE.false, [false]],
]);

/** A thread: frames go to it on a port of their own, and what came of their tasks is found in memory that is shared with it. */
export class ThreadWorker implements WorkerHandle {
  readonly opened: Promise<void>;
  readonly exited: Promise<WorkerExit>;
  readonly window: number = CELLS;
  onRing: () => void = () => {};
  readonly #worker: TinypoolWorker;
  readonly #cells = new TaskCells();
  readonly #bell: MessagePort;
  readonly #outcomes: MessagePort;
  /** Outcomes that came with a ring. */
  readonly #rung: Outcome[] = [];
  readonly #known = new Set<number>();
  readonly #clock: number = clockOffset();
  #next = 0;
  #outstanding = 0;

  constructor(options: TinypoolOptions, open: { readonly workerData: unknown; readonly tellHeap: boolean }) {
    const bell = new MessageChannel();
    const outcomes = new MessageChannel();
    this.#bell = bell.port1;
    this.#outcomes = outcomes.port1;
    const thread = { bell: bell.port2, outcomes: outcomes.port2, memory: this.#cells.memory };
    const message: OpenMessage = { kind: 'open', ...open, thread };
    this.#worker = new TinypoolWorker(options, { message, transferList: [bell.port2, outcomes.port2] });
    ({ opened: this.opened, exited: this.exited } = this.#worker);
    this.#listen();
  }

  #listen(): void {
    this.#bell.on('message', (outcome: Outcome | null) => {
      if (outcome !== null) this.#rung.push(outcome);
      this.onRing();
    });
    this.#bell.on('messageerror', (error: unknown) => {
      this.#rung.push(unreadable(error));
      this.onRing();
    });
    // A thread that ends closes the bell first: with nothing else to do, this process would end before it hears of the rest, and the task never settle.
    this.#bell.on('close', () => this.#worker.ref());
    this.#bell.unref();
  }

  get heap(): number {
    return this.#cells.heap;
  }

  send(tasks: readonly Shipment[]): number {
    const first = this.#next;
    for (let index = 0; index < tasks.length; index++) this.#cells.reset(first + index);
    const { frame, transferList } = this.#pack(first, tasks);
    try {
      this.#bell.postMessage(frame, transferList);
    } catch (error) {
      throw new InputFailure(error);
    }
    for (const [id] of frame[3] ?? []) this.#known.add(id);
    this.#cells.knock();
    this.#next = (first + tasks.length) | 0;
    if (this.#outstanding === 0) this.#bell.ref();
    this.#outstanding += tasks.length;
    return first;
  }

  #pack(
    first: number,
    tasks: readonly Shipment[],
  ): { readonly frame: Frame; readonly transferList: readonly Transferable[] } {
    const id = tasks[0]?.call.definition[0] as number;
    const items: unknown[] = [];
    let isMixed = false;
    let carries = false;
    let definitions: Definition[] | undefined;
    let known = -1;
    for (const { call, item, carried } of tasks) {
      items.push(item);
      if (carried !== undefined) carries = true;
      const { definition } = call;
      if (definition[0] === known) continue;
      known = definition[0];
      if (known !== id) isMixed = true;
      if (!this.#known.has(known)) (definitions ??= []).push(definition);
    }
    const calls = isMixed ? tasks.map(({ call }) => call.definition[0]) : id;
    // A task with such a list travels alone.
    const transferList = tasks[0]?.transferList ?? [];
    if (carries)
      return { frame: [first, calls, items, definitions, tasks.map(({ carried }) => carried)], transferList };
    return {
      frame: definitions === undefined ? [first, calls, items] : [first, calls, items, definitions],
      transferList,
    };
  }

  answer(sequence: number): Answer | undefined {
    const state = this.#cells.state(sequence);
    if (state < STATE.skipped) return undefined;
    const outcome = state === STATE.skipped ? undefined : this.#outcome(sequence, state);
    if (outcome === undefined && state !== STATE.skipped) return undefined;
    if (--this.#outstanding === 0) this.#bell.unref();
    const offset = this.#cells.clock - this.#clock;
    return {
      outcome,
      startedAt: this.#cells.startedAt(sequence) + offset,
      endedAt: this.#cells.endedAt(sequence) + offset,
    };
  }

  #outcome(sequence: number, state: number): Outcome | undefined {
    if (state === STATE.number) return [this.#cells.number(sequence)];
    if (state === STATE.posted) return receive(this.#outcomes) ?? undefined;
    if (state !== STATE.rung) return CONSTANTS.get(state);
    // It may lie in the port: of a thread that is gone, or if nobody was told of it yet.
    let next: Outcome | null | undefined = this.#rung.shift() ?? receive(this.#bell);
    while (next === null) next = receive(this.#bell);
    return next;
  }

  startOf(sequence: number): number | undefined {
    if (this.#cells.state(sequence) === STATE.pending || this.#cells.state(sequence) === STATE.revoked)
      return undefined;
    return this.#cells.startedAt(sequence) + this.#cells.clock - this.#clock;
  }

  revoke(sequence: number): boolean {
    return this.#cells.revoke(sequence);
  }

  terminate(): void {
    this.#worker.terminate();
  }

  release(): void {
    this.#bell.close();
    this.#outcomes.close();
  }
}

/** The next message, without waiting for the event loop; `null` of a mere ring. */
function receive(port: MessagePort): Outcome | null | undefined {
  try {
    return (receiveMessageOnPort(port) as { readonly message: Outcome | null } | undefined)?.message;
  } catch (error) {
    return unreadable(error);
  }
}

/** Cloned over there, and not to be read here. */
function unreadable(error: unknown): Outcome {
  return [undefined, { index: 0, what: 'result', thrown: encodeThrown(error, () => true) }];
}
