import { CONTENDERS } from './contenders.ts';

const [name = '', entries = '1000000'] = process.argv.slice(2);
const make = CONTENDERS[name];
if (make === undefined) throw new Error(`there is no contender "${name}"`);
const size = Number(entries);
const keys = Array.from({ length: 2 * size }, (_, index) => `user:${index}`);
const value = {};

const empty = used();
const cache = make(size);
fill(0, size);
const filled = (used() - empty) / size;
fill(size, 2 * size);
const churned = (used() - empty) / size;
// Read last, so that neither is collected before it has been measured.
if (cache.get(keys[0] as string) === keys) throw new Error('a cache gave what it was not given');
console.log(JSON.stringify({ filled, churned }));
// Some peers leave a timer.
process.exit(0);

function fill(from: number, to: number): void {
  for (let index = from; index < to; index++) {
    const key = keys[index] as string;
    if (cache.get(key) === undefined) cache.set(key, value);
  }
}

function used(): number {
  for (let round = 0; round < 4; round++) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
