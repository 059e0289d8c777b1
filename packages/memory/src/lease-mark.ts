/**
 * The pool's note on an object it manages: whose it is and where it is. Any object carries it, frozen ones and typed arrays
 * too, invisibly to everyone else.
 *
 * It is a private field put on a foreign object by a constructor that returns that object. A `WeakMap` would say the same
 * for two to four times the price of a release, and costs the collector extra work per entry.
 */

/** In the pool's stack. */
export const IDLE = 0;
/** With a caller. */
export const LENT = 1;
/** In the hands of one of the pool's callbacks. */
export const BUSY = 2;
/** Not the pool's any more. */
export const GONE = 3;

/** Where a pooled object is. */
export type LeaseState = typeof IDLE | typeof LENT | typeof BUSY | typeof GONE;

// oxlint-disable-next-line typescript/no-extraneous-class -- a base whose constructor returns what it is given
class Returned {
  constructor(target: object) {
    return target;
  }
}

export class LeaseMark extends Returned {
  #owner: object;
  #state: LeaseState = BUSY;
  #tag = 0;

  private constructor(target: object, owner: object) {
    super(target);
    this.#owner = owner;
  }

  /** Marks `target` as the owner's. False, and nothing changed, when another pool (or this one) has it already. */
  static put(target: object, owner: object): boolean {
    if (!(#owner in target)) {
      // oxlint-disable-next-line no-new -- the mark is on the target afterwards
      new LeaseMark(target, owner);
      return true;
    }
    if (target.#state !== GONE) return false;
    target.#owner = owner;
    target.#state = BUSY;
    return true;
  }

  /** The mark that `owner` put on `target`, if there is one. */
  static of(target: unknown, owner: object): LeaseMark | undefined {
    if (typeof target !== 'object' && typeof target !== 'function') return undefined;
    if (target === null || !(#owner in target) || target.#owner !== owner) return undefined;
    return target;
  }

  static state(mark: LeaseMark): LeaseState {
    return mark.#state;
  }

  static move(target: object, state: LeaseState): void {
    (target as LeaseMark).#state = state;
  }

  /** A number of the owner's own. */
  static tag(target: object): number {
    return (target as LeaseMark).#tag;
  }

  static setTag(target: object, tag: number): void {
    (target as LeaseMark).#tag = tag;
  }
}
