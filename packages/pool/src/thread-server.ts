import { isPromiseLike } from '@perf/core';
import { receiveMessageOnPort } from 'node:worker_threads';
import { type TaskSetting, callTask, loadFailure, taskFailure } from './call-task.ts';
import type { Carried, Frame, ThreadLink } from './frame.ts';
import { LoadFailure } from './load-export.ts';
import { OutcomeWriter } from './outcome-writer.ts';
import { Patience } from './patience.ts';
import { TaskCells, clockOffset } from './task-cells.ts';
import type { WorkerCall } from './worker-calls.ts';

/** Milliseconds after which results are told of although more tasks of the frame are left. */
const RING_AFTER = 1;

/** The worker's end of the way between a pool and one of its threads: runs the tasks of frames, strictly one after the other. */
export class ThreadServer {
  readonly #link: ThreadLink;
  readonly #setting: TaskSetting;
  readonly #cells: TaskCells;
  readonly #writer: OutcomeWriter;
  readonly #patience = new Patience();
  readonly #backlog: Frame[] = [];
  #working = false;

  constructor(link: ThreadLink, setting: TaskSetting, tellHeap: boolean) {
    this.#link = link;
    this.#setting = setting;
    this.#cells = new TaskCells(link.memory);
    this.#writer = new OutcomeWriter(link, this.#cells, { canCross: setting.canCross, tellHeap });
    this.#cells.clock = clockOffset();
  }

  listen(): void {
    this.#link.bell.on('message', (frame: Frame) => {
      this.#backlog.push(frame);
      if (!this.#working) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#working = true;
    this.#patience.turn(performance.now());
    let frame = this.#backlog.shift();
    while (frame !== undefined) {
      await this.#serve(frame);
      if (this.#patience.isTired(performance.now())) await this.#turn();
      frame = this.#backlog.shift() ?? this.#linger(frame[2].length);
    }
    this.#working = false;
  }

  /** Frames may come faster than they are run, and ports are served before timers. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#patience.turn(performance.now());
  }

  async #serve(frame: Frame): Promise<void> {
    const [first, calls, items, definitions] = frame;
    for (const definition of definitions ?? []) this.#setting.calls.define(definition);
    let rungAt = performance.now();
    for (let index = 0; index < items.length; index++) {
      const id = typeof calls === 'number' ? calls : (calls[index] as number);
      const running = this.#start(this.#setting.calls.get(id), frame, index);
      if (running !== undefined) await running;
      if (index + 1 === items.length) break;
      const now = performance.now();
      if (now - rungAt < RING_AFTER) continue;
      rungAt = now;
      this.#writer.ring();
    }
    // The last task may have rung already; or it was taken back.
    if (!this.#writer.rang(first + items.length - 1)) this.#writer.ring();
  }

  /** Runs a task. Waiting for it costs turns of the microtask queue: only what is not done at once is returned to be waited for. */
  #start(call: WorkerCall, frame: Frame, index: number): Promise<void> | undefined {
    const [first, , items, , carried] = frame;
    const sequence = (first + index) | 0;
    if (!this.#cells.start(sequence, performance.now())) return undefined;
    const task = { sequence, call, item: items[index], carried: carried?.[index], last: index + 1 === items.length };
    const { fn } = call;
    if (fn === undefined) return this.#loadAndRun(task);
    try {
      const returned = callTask(fn, task, this.#setting);
      if (isPromiseLike(returned)) return this.#finish(returned, task);
      this.#writer.write(sequence, returned, task.last);
    } catch (error) {
      this.#writer.fail(sequence, taskFailure(error, this.#setting.canCross), task.last);
    }
    return undefined;
  }

  async #loadAndRun(task: Task): Promise<void> {
    const fn = await this.#setting.calls.load(task.call);
    if (fn instanceof LoadFailure) {
      this.#writer.fail(task.sequence, loadFailure(fn, this.#setting.canCross), task.last);
      return;
    }
    this.#cells.restart(task.sequence, performance.now());
    try {
      await this.#finish(callTask(fn, task, this.#setting), task);
    } catch (error) {
      this.#writer.fail(task.sequence, taskFailure(error, this.#setting.canCross), task.last);
    }
  }

  async #finish(returned: unknown, { sequence, last }: Task): Promise<void> {
    try {
      this.#writer.write(sequence, await returned, last);
    } catch (error) {
      this.#writer.fail(sequence, taskFailure(error, this.#setting.canCross), last);
    }
  }

  /** A caller that awaits each task sends the next one at once: to wait for it here is faster than to go to sleep and be woken. */
  #linger(tasks: number): Frame | undefined {
    const cells = this.#cells;
    for (;;) {
      const { knocks } = cells;
      const received = receiveMessageOnPort(this.#link.bell) as { readonly message: Frame } | undefined;
      if (received !== undefined) return received.message;
      if (!this.#patience.waits(tasks, performance.now())) return undefined;
      this.#patience.wait(
        () => cells.knocks !== knocks,
        (timeout) => cells.waitForKnock(knocks, timeout),
      );
    }
  }
}

interface Task {
  readonly sequence: number;
  readonly call: WorkerCall;
  readonly item: unknown;
  readonly carried: Carried | undefined;
  readonly last: boolean;
}
