import type { MessagePort } from 'node:worker_threads';
import type { SpanContext } from './carried.ts';

/** How an export is called for the item of a task: once, once for each item of a chunk, or for ranges that the workers divide among them. */
export type CallMode = 'one' | 'each' | 'ranges';

/** The first thing a worker is told. */
export interface OpenMessage {
  readonly kind: 'open';
  readonly workerData: unknown;
  /** Whether it shall say how much heap it uses. */
  readonly tellHeap: boolean;
  /** What it shares with the pool; a child process has nothing, and is sent one task at a time. */
  readonly thread?: ThreadLink;
}

/** What a thread shares with the pool. */
export interface ThreadLink {
  /** Frames come on it, and the pool is rung on it. */
  readonly bell: MessagePort;
  /** Outcomes are left on it, and nobody is woken. */
  readonly outcomes: MessagePort;
  /** See `TaskCells`. */
  readonly memory: SharedArrayBuffer;
}

/** An export as the worker will be told of it, by number. */
export type Definition = readonly [id: number, url: string, name: string, mode: CallMode];

/** What crosses with a task besides its input. */
export interface Carried {
  /** What the pool's `carry` returned. */
  readonly value?: unknown;
  /** The caller's span. */
  readonly span?: SpanContext;
}

/** Work for a thread: tasks with consecutive sequence numbers. An array, as the names of properties would be sent each time. */
export type Frame = readonly [
  first: number,
  /** The export to call: one for all, or one for each. */
  calls: number | readonly number[],
  items: readonly unknown[],
  /** Of exports that the worker was not told of yet. */
  definitions?: readonly Definition[] | undefined,
  carried?: readonly (Carried | undefined)[] | undefined,
];

/** Work for a child process. */
export interface ProcessFrame {
  readonly kind: 'frame';
  readonly call: Definition;
  readonly item: unknown;
  readonly carried: Carried | undefined;
}

/** What came of a task that a cell has no room for: its result, or why there is none. */
export type Outcome = readonly [result: unknown] | readonly [nothing: undefined, failure: Failure];

/** The answer of a child process. */
export interface ProcessReply {
  readonly outcome: Outcome;
  /** Milliseconds the function took, without loading its module. */
  readonly elapsed: number;
  /** Bytes of heap in use, if it was to be told. */
  readonly heap: number;
}

/** The answer of a worker that was never opened: Tinypool put it in the place of one that it ended by itself. */
export const NOT_OPENED = 'not opened';

/** What can be said of a thrown value so that it can be made again on the other side. */
export type EncodedThrown =
  | { readonly kind: 'value'; readonly value: unknown }
  | {
      readonly kind: 'error';
      /** Name of its class. */
      readonly className: string;
      /** The nearest class on its prototype chain that both sides know. */
      readonly base: string;
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
      /** Own properties, by name. */
      readonly properties: Readonly<Record<string, EncodedThrown>>;
      /** Wrapped, since a cause may be `undefined`. */
      readonly cause?: EncodedThrown;
      /** Of an `AggregateError`. */
      readonly errors?: readonly EncodedThrown[];
    };

/** Why an item has no result. */
export interface Failure {
  /** Its place in a chunk; 0 without one. */
  readonly index: number;
  /** What failed: the function, cloning its result, importing the module, or finding the export in it. */
  readonly what: 'task' | 'result' | 'import' | 'export';
  readonly thrown: EncodedThrown;
}

/** What came of a chunk. Failures are listed apart, as there are few. After the first one no further item is started. */
export interface Reply {
  readonly results: readonly unknown[];
  readonly failures?: readonly Failure[];
  /** Milliseconds the items took, without loading the module. */
  readonly elapsed: number;
}
