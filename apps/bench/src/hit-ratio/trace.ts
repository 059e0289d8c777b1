/** A sequence of requests. Keys are numbered from 0 on, in the order of their first request. */
export interface Trace {
  readonly name: string;
  readonly requests: Uint32Array;
  /** How many different keys there are. */
  readonly distinct: number;
}

/** Numbers the keys of a sequence of requests. */
export function traceOf(name: string, keys: Iterable<number | bigint | string>): Trace {
  const numbers = new Map<number | bigint | string, number>();
  const requests: number[] = [];
  for (const key of keys) {
    let number = numbers.get(key);
    if (number === undefined) numbers.set(key, (number = numbers.size));
    requests.push(number);
  }
  return { name, requests: Uint32Array.from(requests), distinct: numbers.size };
}
