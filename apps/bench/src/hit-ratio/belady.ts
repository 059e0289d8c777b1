import type { Trace } from './trace.ts';

const NEVER = 0xffff_ffff;

/**
 * How many requests hit when the future is known: the bound for every policy (Belady, IBM Systems Journal 1966). What is asked for last, or never again, goes first,
 * and a new key that comes even later is not taken in.
 */
export function beladyHits(trace: Trace, capacity: number): number {
  const { requests, distinct } = trace;
  const next = nextRequests(requests, distinct);
  const heap = new LatestFirst();
  const due = new Float64Array(distinct).fill(-1);
  let hits = 0;
  let held = 0;
  for (let at = 0; at < requests.length; at++) {
    const key = requests[at] as number;
    if (due[key] === at) hits++;
    else held++;
    const again = next[at] as number;
    // Never again: it need not be held at all.
    due[key] = again === NEVER ? -1 : again;
    if (again === NEVER) held--;
    else heap.push(again, key);
    while (held > capacity) {
      const [time, latest] = heap.pop();
      if (due[latest] !== time) continue;
      due[latest] = -1;
      held--;
    }
  }
  return hits;
}

/** For each request, when its key is asked for again. */
function nextRequests(requests: Uint32Array, distinct: number): Uint32Array {
  const next = new Uint32Array(requests.length);
  const latest = new Uint32Array(distinct).fill(NEVER);
  for (let at = requests.length - 1; at >= 0; at--) {
    const key = requests[at] as number;
    next[at] = latest[key] as number;
    latest[key] = at;
  }
  return next;
}

/** A binary heap of keys by the time they are due. What is out of date stays in it until it comes up. */
class LatestFirst {
  readonly #times: number[] = [];
  readonly #keys: number[] = [];

  push(time: number, key: number): void {
    let at = this.#times.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.#times[parent] as number) >= time) break;
      this.#put(at, this.#times[parent] as number, this.#keys[parent] as number);
      at = parent;
    }
    this.#put(at, time, key);
  }

  pop(): [time: number, key: number] {
    const top: [number, number] = [this.#times[0] as number, this.#keys[0] as number];
    const time = this.#times.pop() as number;
    const key = this.#keys.pop() as number;
    const size = this.#times.length;
    if (size === 0) return top;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && (this.#times[child + 1] as number) > (this.#times[child] as number)) child++;
      if ((this.#times[child] as number) <= time) break;
      this.#put(at, this.#times[child] as number, this.#keys[child] as number);
      at = child;
    }
    this.#put(at, time, key);
    return top;
  }

  #put(at: number, time: number, key: number): void {
    this.#times[at] = time;
    this.#keys[at] = key;
  }
}
