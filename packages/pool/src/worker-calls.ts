import type { Definition } from './frame.ts';
import { LoadFailure, type TaskFunction, loadExport } from './load-export.ts';

/** An export of a user's module, in a worker. */
export interface WorkerCall {
  readonly definition: Definition;
  /** Once it was loaded. */
  fn: TaskFunction | undefined;
}

/** The exports that this worker was told of, by number. Loaded when they are first called, so that a bad module is an error of its task. */
export class WorkerCalls {
  readonly #calls: WorkerCall[] = [];

  define(definition: Definition): void {
    this.#calls[definition[0]] ??= { definition, fn: undefined };
  }

  get(id: number): WorkerCall {
    return this.#calls[id] as WorkerCall;
  }

  /** What failed is tried again by the next task: the runtime remembers modules that threw, but not files that were missing. */
  async load(call: WorkerCall): Promise<TaskFunction | LoadFailure> {
    const [, url, name] = call.definition;
    const loaded = await loadExport(url, name);
    if (!(loaded instanceof LoadFailure)) call.fn = loaded;
    return loaded;
  }
}
