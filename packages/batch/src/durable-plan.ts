/** What deciding the next call needs to know of an operation that waits for its turn. */
export interface Planned {
  readonly orderingKey: string | undefined;
  readonly group: string;
  /** Which try comes next, from 1. */
  readonly attempt: number;
  /** When it may be tried, on the clock `now` is taken from. */
  readonly readyAt: number;
  /** With how many others it may be in a call at most, itself included: fewer while what fails a batch is looked for. */
  readonly cap: number;
}

/** The call to make now; or when to ask again. */
export interface Plan<P> {
  readonly call: readonly P[];
  /** Set when `call` is empty because all that may come next has to wait. */
  readonly readyAt: number;
}

/**
 * The next call: from the front, operations of one group and try. An operation that cannot be part of it holds up those of its ordering key behind it, and
 * no others.
 */
export function planCall<P extends Planned>(
  waiting: Iterable<P>,
  limits: { readonly now: number; readonly maxSize: number; readonly maxPerKey: number },
): Plan<P> {
  const taken = new Map<string, number>();
  const call: P[] = [];
  let readyAt = Infinity;
  for (const each of waiting) {
    const { orderingKey } = each;
    const ofKey = orderingKey === undefined ? 0 : (taken.get(orderingKey) ?? 0);
    if (ofKey >= limits.maxPerKey) continue;
    const ready = each.readyAt <= limits.now;
    if (!ready) readyAt = Math.min(readyAt, each.readyAt);
    if (ready && goesWith(call[0], each)) {
      call.push(each);
      if (orderingKey !== undefined) taken.set(orderingKey, ofKey + 1);
      if (call.length >= Math.min(limits.maxSize, each.cap)) break;
    } else if (orderingKey !== undefined) {
      taken.set(orderingKey, Infinity);
    }
  }
  return { call, readyAt };
}

function goesWith(first: Planned | undefined, next: Planned): boolean {
  if (first === undefined) return true;
  return first.group === next.group && first.attempt === next.attempt && first.cap === next.cap;
}
