import { deserialize, serialize } from 'node:v8';
import { MessageChannel, type MessagePort, type Transferable, receiveMessageOnPort } from 'node:worker_threads';
import { type Frame, type OpenMessage, type Reply, STARTED } from './frame.ts';

/** How frames get to one worker and replies back, through Tinypool. */
export interface Transport {
  /** The first message, before any frame. */
  open(): { readonly message: unknown; readonly transferList: readonly Transferable[] };
  /** The frame as Tinypool shall send it. @throws what the structured clone algorithm says of an input that cannot be cloned */
  encode(frame: Frame): unknown;
  /** What of a caller's list can move; Tinypool takes no readonly one. */
  moves(transferList: readonly Transferable[] | undefined): Transferable[] | undefined;
  /** The reply, given what the dispatcher returned; `undefined` when there is none. */
  decode(answer: unknown): Reply | undefined;
  hasStarted(frame: Frame): boolean;
  close(): void;
}

/**
 * To a thread. The frame is what Tinypool sends; the reply comes on a port of our own, and what the dispatcher returns to Tinypool only says that it is there:
 * it was posted before, so it can be read at once. The last sequence number that was started is in memory that both sides share.
 */
export class ThreadTransport implements Transport {
  readonly #workerData: unknown;
  readonly #control = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #port: MessagePort | undefined;

  constructor(workerData: unknown) {
    this.#workerData = workerData;
  }

  open(): { readonly message: OpenMessage; readonly transferList: readonly Transferable[] } {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const message: OpenMessage = { kind: 'open', workerData: this.#workerData, port: port2, control: this.#control };
    return { message, transferList: [port2] };
  }

  encode(frame: Frame): Frame {
    return frame;
  }

  moves(transferList: readonly Transferable[] | undefined): Transferable[] | undefined {
    return transferList as Transferable[] | undefined;
  }

  decode(): Reply | undefined {
    if (this.#port === undefined) return undefined;
    const received = receiveMessageOnPort(this.#port) as { readonly message: Reply } | undefined;
    return received?.message;
  }

  hasStarted(frame: Frame): boolean {
    return Atomics.load(this.#control, STARTED) === frame.sequence;
  }

  close(): void {
    this.#port?.close();
  }
}

/**
 * To a child process, as bytes: Tinypool hands a message on in an event of its own, where an input that cannot be cloned would be an uncaught exception.
 * Nothing is shared: a frame that was sent may have been started.
 */
export class ProcessTransport implements Transport {
  readonly #workerData: unknown;

  constructor(workerData: unknown) {
    this.#workerData = workerData;
  }

  open(): { readonly message: Uint8Array; readonly transferList: readonly Transferable[] } {
    const message: OpenMessage = { kind: 'open', workerData: this.#workerData };
    return { message: serialize(message), transferList: [] };
  }

  encode(frame: Frame): Uint8Array {
    return serialize(frame);
  }

  moves(): undefined {
    return undefined;
  }

  decode(answer: unknown): Reply | undefined {
    return answer instanceof Uint8Array ? (deserialize(answer) as Reply) : undefined;
  }

  hasStarted(): boolean {
    return true;
  }

  close(): void {}
}
