import { seededRandom } from '@perf/testkit';

/** A small seeded generator, so that a failure can be run again. */
export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

type Mutation = (bytes: Buffer, random: Random, others: readonly Uint8Array[]) => Buffer;

const HEADER_SIZE = 16;
const EDGES = [0, 1, 2, 3, 4, 7, 8, 15, 16, 63, 64, 127, 128, 192, 254, 255];
const LENGTHS = [0, 1, 15, 16, 255, 65_535, 65_536, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

const flip: Mutation = (bytes, random) => {
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  return bytes;
};
const overwrite: Mutation = (bytes, random) => {
  const start = random.below(bytes.length);
  return bytes.fill(random.pick(EDGES), start, Math.min(bytes.length, start + 1 + random.below(8)));
};
const insert: Mutation = (bytes, random) => {
  const at = random.below(bytes.length + 1);
  const noise = Buffer.alloc(1 + random.below(4), random.below(256));
  return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
};
const remove: Mutation = (bytes, random) => {
  const at = random.below(bytes.length);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(4))]);
};
const truncate: Mutation = (bytes, random) => bytes.subarray(0, random.below(bytes.length));
const swap: Mutation = (bytes, random) => {
  const [at, other] = [random.below(bytes.length), random.below(bytes.length)];
  [bytes[at], bytes[other]] = [bytes[other] as number, bytes[at] as number];
  return bytes;
};
/** The start of one, the end of another. */
const splice: Mutation = (bytes, random, others) => {
  const other = random.pick(others);
  const isAligned = random.below(2) === 0;
  const cut = isAligned ? HEADER_SIZE : random.below(bytes.length + 1);
  return Buffer.concat([
    bytes.subarray(0, cut),
    other.subarray(isAligned ? HEADER_SIZE : random.below(other.length + 1)),
  ]);
};
const append: Mutation = (bytes, random, others) => Buffer.concat([bytes, random.pick(others)]);
const editHeader: Mutation = (bytes, random) => {
  if (bytes.length >= HEADER_SIZE) bytes[random.below(HEADER_SIZE)] = random.pick(EDGES);
  return bytes;
};
/** Another frame's checksum, or a few other fields at once. */
const borrowHeader: Mutation = (bytes, random, others) => {
  if (bytes.length < HEADER_SIZE) return bytes;
  const start = random.pick([0, 3, 4, 8, 9, 10, 12]);
  bytes.set(random.pick(others).subarray(start, start + random.pick([1, 4, HEADER_SIZE - start])), start);
  return bytes;
};
const lieAboutLength: Mutation = (bytes, random) => {
  if (bytes.length >= HEADER_SIZE) bytes.writeUInt32LE(random.pick([...LENGTHS, bytes.length, bytes.length - 1]), 12);
  return bytes;
};

const FRAME_MUTATIONS = [
  flip,
  overwrite,
  insert,
  remove,
  truncate,
  swap,
  splice,
  append,
  editHeader,
  borrowHeader,
  lieAboutLength,
];
const PAYLOAD_MUTATIONS = [flip, flip, overwrite, insert, remove, truncate, swap];

/** One to three mutations of a frame; `others` are what it may be mixed with. The result may be equal to the frame, or to another one. */
export function mutateFrame(frame: Uint8Array, random: Random, others: readonly Uint8Array[]): Buffer {
  return mutate(frame, random, { mutations: FRAME_MUTATIONS, others });
}

/** The same for the bytes inside of one. */
export function mutatePayload(payload: Uint8Array, random: Random): Buffer {
  return mutate(payload, random, { mutations: PAYLOAD_MUTATIONS, others: [payload] });
}

function mutate(
  bytes: Uint8Array,
  random: Random,
  how: { readonly mutations: readonly Mutation[]; readonly others: readonly Uint8Array[] },
): Buffer {
  let out: Buffer = Buffer.from(bytes);
  for (let times = 1 + random.below(3); times > 0 && out.length > 0; times--) {
    out = random.pick(how.mutations)(out, random, how.others);
  }
  return out;
}
