/** One operation of a random history, and what becomes of it in the store and with its caller. */
export interface Op {
  readonly id: number;
  readonly kind: 'read' | 'write' | 'append' | 'delete';
  readonly key: string | undefined;
  readonly size: number;
  /** What the store does at each attempt of this operation; 'ok' once the list is at its end. */
  readonly fates: readonly ('ok' | 'refuse')[];
  /** When it is added: at that millisecond, in a continuation of the operation before it, or in the call of `execute` of that number. */
  readonly added: { readonly at: number } | 'after the one before' | { readonly inCall: number };
  /** When its caller gives up, in milliseconds after that. */
  readonly abortAfter: number | undefined;
  readonly timeout: number | undefined;
  readonly priority: number | undefined;
  /** Of one made of several: their ids, in the order added; its own is that of the first. */
  readonly parts?: readonly number[];
}

/** What becomes of one call of `execute`. */
export interface Call {
  readonly latency: number;
  readonly fate: 'ok' | 'rejectBefore' | 'rejectAfter' | 'throw' | 'nonsense' | 'hang';
}

/** The ids of what an operation does. */
export function partsOf({ id, parts = [id] }: Op): readonly number[] {
  return parts;
}

/** Makes one of two, except now and then. */
export function mergeOps(earlier: Op, later: Op): Op | undefined {
  if (earlier.kind === 'read' || (earlier.id + later.id) % 4 === 0) return undefined;
  return { ...earlier, size: earlier.size + later.size, parts: [...partsOf(earlier), ...partsOf(later)] };
}

/** When everything must have settled by itself, in milliseconds. */
export const IN_PEACE = 10_000;

export interface History {
  readonly ops: readonly Op[];
  readonly calls: readonly Call[];
  readonly order: 'key' | 'strict' | 'none';
  readonly maxSize: number;
  readonly maxBytes: number;
  readonly linger: number | undefined;
  readonly concurrency: number;
  readonly attempts: number;
  readonly bisect: boolean;
  readonly share: boolean;
  readonly merges: boolean;
  readonly timeout: number;
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  readonly whenFull: 'reject' | 'wait';
  readonly flushAt: readonly number[];
  /** {@link IN_PEACE}, or before. */
  readonly closeAt: number;
  readonly closeTimeout: number | undefined;
}

/** How often an operation is sent at most: halves of halves of a batch come on top of attempts. */
export function mostSent({ attempts, bisect, maxSize }: History): number {
  return attempts + (bisect ? Math.ceil(Math.log2(maxSize)) : 0);
}

/** Draws the history of a seed. */
export function drawHistory(random: () => number): History {
  const upTo = (limit: number): number => Math.floor(random() * (limit + 1));
  const oneOf = <const T>(...choices: readonly T[]): T => choices[upTo(choices.length - 1)] as T;
  const often = (share: number): boolean => random() < share;
  const [aborts, timeouts, priorities, refusals, failures] = [
    often(0.4),
    often(0.3),
    often(0.3),
    often(0.5),
    often(0.5),
  ];
  const timeout = often(0.2) ? oneOf(4, 9) : Infinity;
  const spread = oneOf(0, 4, 20);
  const share = often(0.5);
  const count = 1 + upTo(oneOf(3, 8, 8, 24));
  const added = (): Op['added'] => {
    if (often(0.9)) return { at: 1 + upTo(spread) };
    return often(0.5) ? 'after the one before' : { inCall: upTo(3) };
  };
  const draw = (_: unknown, id: number): Op => ({
    id,
    kind: share && often(0.5) ? 'read' : oneOf('read', 'write', 'write', 'append', 'append', 'delete'),
    key: oneOf('a', 'a', 'a', 'b', 'b', 'c', undefined),
    size: upTo(6),
    fates: refusals && often(0.3) ? [oneOf('ok', 'refuse'), oneOf('ok', 'refuse')] : [],
    added: id === 0 ? { at: 1 } : added(),
    abortAfter: aborts && often(0.4) ? upTo(20) : undefined,
    timeout: timeouts && often(0.6) ? 1 + upTo(20) : undefined,
    priority: priorities && often(0.5) ? oneOf(-1, 0, 1, 7.5) : undefined,
  });
  const badFate = (): Call['fate'] =>
    oneOf('rejectBefore', 'rejectAfter', 'throw', 'nonsense', timeout === Infinity ? 'ok' : 'hang');
  const order = oneOf('key', 'key', 'key', 'strict', 'none');
  return {
    ops: Array.from({ length: count }, draw),
    calls: Array.from({ length: 1 + upTo(5) }, () => ({
      latency: oneOf(1, 1, 2, 6, 12),
      fate: failures && often(0.4) ? badFate() : 'ok',
    })),
    order,
    maxSize: 1 + upTo(4),
    maxBytes: oneOf(Infinity, 5, 9),
    linger: oneOf(undefined, undefined, 3, 20),
    concurrency: oneOf(1, 1, 2, 3, 4, 8),
    attempts: 1 + upTo(2),
    bisect: often(0.5),
    share,
    merges: order === 'key' && often(0.4),
    timeout,
    maxPending: oneOf(Infinity, Infinity, 1, 2, 4),
    maxPendingBytes: oneOf(Infinity, Infinity, 4, 10),
    whenFull: oneOf('reject', 'wait', 'wait', 'wait', 'wait'),
    flushAt: often(0.3) ? [upTo(12), upTo(12)] : [],
    closeAt: oneOf(IN_PEACE, IN_PEACE, IN_PEACE, 8),
    closeTimeout: often(0.3) ? 1 + upTo(6) : undefined,
  };
}
