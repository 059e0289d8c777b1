/** Of a long string only the ends are read: a worse spread costs a little of the hit ratio, nothing else. */
const READ_AT_EACH_END = 32;

const float = new Float64Array(1);
const words = new Int32Array(float.buffer);

/** Numbers for keys that have an identity instead of a value. */
const identities = /*@__PURE__*/ new WeakMap<WeakKey, number>();
let latestIdentity = 0;

/**
 * A 32-bit hash of any key, never 0.
 *
 * @param seed differs from cache to cache, so that nobody can prepare keys that collide
 */
export function hashKey(key: unknown, seed: number): number {
  switch (typeof key) {
    case 'string':
      return mixed(hashString(key, seed));
    case 'number':
      float[0] = key;
      return mixed(Math.imul((words[0] as number) ^ seed, 0x9e3779b1) ^ (words[1] as number));
    case 'bigint': {
      const upper = Number(BigInt.asIntN(32, key >> 32n));
      return mixed(Math.imul(Number(BigInt.asIntN(32, key)) ^ seed, 0x85ebca6b) ^ upper);
    }
    case 'symbol':
      // One of the registry cannot be held weakly, and is the same for the same description.
      return Symbol.keyFor(key) === undefined ? hashIdentity(key, seed) : mixed(hashString(String(key), seed));
    case 'object':
    case 'function':
      return key === null ? mixed(~seed) : hashIdentity(key, seed);
    case 'boolean':
    case 'undefined':
    default:
      return mixed(hashString(String(key), seed));
  }
}

function hashIdentity(key: WeakKey, seed: number): number {
  let identity = identities.get(key);
  if (identity === undefined) identities.set(key, (identity = ++latestIdentity));
  return mixed(Math.imul(identity ^ seed, 0x9e3779b1));
}

/** FNV-1a over the UTF-16 units. */
function hashString(text: string, seed: number): number {
  let hash = seed ^ text.length;
  const end = text.length;
  const firstEnd = Math.min(end, READ_AT_EACH_END);
  for (let index = 0; index < firstEnd; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  for (let index = Math.max(firstEnd, end - READ_AT_EACH_END); index < end; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}

/** The finalizer of MurmurHash3. */
function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h === 0 ? 1 : h;
}
