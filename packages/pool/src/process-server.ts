import { deserialize, getHeapStatistics, serialize } from 'node:v8';
import { type TaskSetting, callTask, loadFailure, taskFailure } from './call-task.ts';
import { canSerialize } from './can-cross.ts';
import { encodeThrown } from './encode-thrown.ts';
import type { Outcome, ProcessFrame, ProcessReply, Reply } from './frame.ts';
import { LoadFailure, type TaskFunction } from './load-export.ts';
import { Transferred } from './transferred.ts';
import { withoutUncloneable } from './without-uncloneable.ts';

/** The worker's end of the way between a pool and one of its child processes: one task at a time, as bytes, answered in place. */
export class ProcessServer {
  readonly #setting: TaskSetting;
  readonly #tellHeap: boolean;

  constructor(setting: TaskSetting, tellHeap: boolean) {
    this.#setting = setting;
    this.#tellHeap = tellHeap;
  }

  async serve(bytes: Uint8Array): Promise<Uint8Array> {
    const { call: definition, item, carried } = deserialize(bytes) as ProcessFrame;
    const { calls, canCross } = this.#setting;
    calls.define(definition);
    const call = calls.get(definition[0]);
    const fn = call.fn ?? (await calls.load(call));
    const startedAt = performance.now();
    const outcome: Outcome =
      fn instanceof LoadFailure ? [undefined, loadFailure(fn, canCross)] : await this.#run(fn, { call, item, carried });
    const elapsed = performance.now() - startedAt;
    return encode(
      { outcome, elapsed, heap: this.#tellHeap ? getHeapStatistics().used_heap_size : 0 },
      call.definition[3] === 'each',
    );
  }

  async #run(fn: TaskFunction, task: Parameters<typeof callTask>[1]): Promise<Outcome> {
    try {
      const value: unknown = await callTask(fn, task, this.#setting);
      return [value instanceof Transferred ? (value.value as unknown) : value];
    } catch (error) {
      return [undefined, taskFailure(error, this.#setting.canCross)];
    }
  }
}

function encode(reply: ProcessReply, isChunk: boolean): Uint8Array {
  try {
    return serialize(reply);
  } catch (error) {
    const outcome: Outcome = isChunk
      ? [withoutUncloneable(reply.outcome[0] as Reply, error, canSerialize)]
      : [undefined, { index: 0, what: 'result', thrown: encodeThrown(error, canSerialize) }];
    return serialize({ ...reply, outcome });
  }
}
