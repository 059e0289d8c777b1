import type { Transferable } from 'node:worker_threads';

/** A result whose buffers or ports move to the caller instead of being copied. */
export class Transferred<R> {
  readonly value: R;
  readonly transferList: readonly Transferable[];

  constructor(value: R, transferList: readonly Transferable[]) {
    this.value = value;
    this.transferList = transferList;
  }
}
