import { AsyncLocalStorage } from 'node:async_hooks';

/** A `use()` that holds a connection. */
export class Scope {
  /** The one around it, in the same pool; one that has ended may be left out. */
  parent: Scope | undefined;
  /** Where it was called. */
  readonly trace: Error;
  /** How many callers in it wait for one more connection of the pool. */
  waiting = 0;
  ended = false;

  constructor(parent: Scope | undefined, trace: Error) {
    this.parent = parent;
    this.trace = trace;
  }
}

/**
 * Knows which callers of `use()` wait for a connection inside of it: they do not give theirs back before they get one more.
 * It takes what is asked for inside a `use()` for something that the `use()` waits for.
 */
export class DeadlockWatch {
  readonly #context = new AsyncLocalStorage<Scope>();
  readonly #blocked = new Set<Scope>();

  /** The `use()` that the running code is in. */
  get current(): Scope | undefined {
    return this.#context.getStore();
  }

  /** Those that hold a connection and wait. */
  get blocked(): ReadonlySet<Scope> {
    return this.#blocked;
  }

  /** Runs what holds a connection. @param trace where it asked for it */
  async run<R>(trace: Error, work: () => R | PromiseLike<R>): Promise<R> {
    const scope = new Scope(withoutEnded(this.current), trace);
    try {
      return await this.#context.run(scope, work);
    } finally {
      scope.ended = true;
      this.#blocked.delete(scope);
    }
  }

  /** A caller in `scope` begins to wait. */
  waits(scope: Scope | undefined): void {
    for (let each = scope; each !== undefined; each = each.parent) {
      each.waiting++;
      if (!each.ended) this.#blocked.add(each);
    }
  }

  /** A caller in `scope` waits no more. */
  goesOn(scope: Scope | undefined): void {
    for (let each = scope; each !== undefined; each = each.parent) {
      if (--each.waiting === 0) this.#blocked.delete(each);
    }
  }
}

/**
 * The innermost of `scope` and those around it that has not ended, and no ended ones around it any more: work that begins its successor before it
 * ends, again and again, would otherwise be a chain without end.
 */
function withoutEnded(scope: Scope | undefined): Scope | undefined {
  let innermost = scope;
  while (innermost?.ended === true) innermost = innermost.parent;
  for (let each = innermost; each !== undefined; each = each.parent) {
    while (each.parent?.ended === true) each.parent = each.parent.parent;
  }
  return innermost;
}
