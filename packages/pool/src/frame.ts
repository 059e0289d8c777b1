import type { MessagePort } from 'node:worker_threads';

/** The first thing a worker is told. */
export interface OpenMessage {
  readonly kind: 'open';
  readonly workerData: unknown;
  /** Where replies go; a child process has none and answers in place. */
  readonly port?: MessagePort;
  /** Shared with the pool: see {@link STARTED}. A child process has none. */
  readonly control?: Int32Array;
}

/** Index in the control block of the sequence number of the frame that was started last. */
export const STARTED = 0;

/** The answer of a worker that was never opened: Tinypool put it in the place of one that it ended by itself. */
export const NOT_OPENED = 'not opened';

/** Work for one worker: one export of one module, called for each item in turn. */
export interface Frame {
  readonly kind: 'frame';
  /** Tells the frames of a worker apart; a 32-bit integer. */
  readonly sequence: number;
  /** URL of the module. */
  readonly url: string;
  /** Its export. */
  readonly name: string;
  readonly items: readonly unknown[];
}

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

/** Why an item of a frame has no result. */
export interface Failure {
  readonly index: number;
  /** What failed: the function, cloning its result, importing the module, or finding the export in it. */
  readonly what: 'task' | 'result' | 'import' | 'export';
  readonly thrown: EncodedThrown;
}

/** What came of a frame. Failures are listed apart, as there are few. After the first one no further item is started. */
export interface Reply {
  readonly results: readonly unknown[];
  readonly failures?: readonly Failure[];
  /** Milliseconds the items took, without loading the module. */
  readonly elapsed: number;
}
