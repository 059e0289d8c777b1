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

/** The value itself; what is to move with it is added to the list. */
export function unwrap(value: unknown, transferList: Transferable[]): unknown {
  if (!(value instanceof Transferred)) return value;
  transferList.push(...value.transferList);
  return value.value as unknown;
}
