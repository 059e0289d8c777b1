import type { RedisArgument } from './redis-client.ts';

/** No text in UTF-8 starts with it. */
const NOT_UTF8 = 0xff;

/** What the names of all entries of a namespace start with. @throws RangeError when names of two namespaces could meet */
export function entryPrefix(prefix: string, namespace: string): string {
  if (namespace === '' || namespace.includes(':')) {
    throw new RangeError(`a namespace must not be empty or contain a colon, got ${JSON.stringify(namespace)}`);
  }
  return `${prefix}:${namespace}:`;
}

/** The name of an entry. Lone surrogates are no UTF-8, and would make different keys one: such a key is kept as UTF-16. */
export function entryName(start: string, key: string): RedisArgument {
  if (key.isWellFormed()) return start + key;
  return Buffer.concat([Buffer.from(start), Buffer.from([NOT_UTF8]), Buffer.from(key, 'utf16le')]);
}

/** The name of what is kept about a namespace. It is no entry's, since a namespace is never empty. */
export function namespaceName(prefix: string, namespace: string): string {
  return `${prefix}::${namespace}`;
}

/** Where an entry is put together before it gets its name; outside of what is tracked. Nothing stays there. */
export function scratchName(entry: string | Buffer): string {
  const text = entry.toString();
  return `${text.slice(0, text.indexOf(':'))}~`;
}

/** What a name stands for: an entry, or without `key` all of a namespace; `undefined` for a name of another kind. */
export function parseName(name: Buffer, start: string): { namespace: string; key: string | undefined } | undefined {
  const from = Buffer.byteLength(start);
  if (name.length <= from || name.toString('utf8', 0, from) !== start) return undefined;
  if (name[from] === COLON) return { namespace: name.toString('utf8', from + 1), key: undefined };
  const end = name.indexOf(COLON, from);
  if (end === -1) return undefined;
  const namespace = name.toString('utf8', from, end);
  const isUtf16 = name[end + 1] === NOT_UTF8;
  return { namespace, key: isUtf16 ? name.toString('utf16le', end + 2) : name.toString('utf8', end + 1) };
}

const COLON = 0x3a;
