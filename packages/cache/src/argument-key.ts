/**
 * A text for a list of arguments, such that two lists have the same text only if they are equal in depth: same types, same values. The order of an object's members does not
 * matter, the order of `Map` and `Set` entries does.
 *
 * Takes primitives but symbols, arrays, plain objects, `Date`, `RegExp`, `URL`, `Map`, `Set`, `ArrayBuffer` and its views. Anything else has
 * an identity or a hidden state that no text can stand for.
 *
 * @throws TypeError for any other value, and for cycles
 */
export function argumentKey(args: readonly unknown[]): string {
  return textOfItems(args, []);
}

/** @param path the objects this value is inside of */
function textOf(value: unknown, path: readonly object[]): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      return value === null ? 'null' : textOfObject(value, path);
    case 'symbol':
    case 'function':
      return refuse(`a ${typeof value}`);
    default:
      return refuse('a value of unknown type');
  }
}

function textOfObject(value: object, outer: readonly object[]): string {
  if (outer.includes(value)) refuse('a cycle');
  const path = [...outer, value];
  if (Object.getOwnPropertySymbols(value).length > 0) refuse('an object with symbol members');
  const prototype: unknown = Object.getPrototypeOf(value);
  switch (prototype) {
    case Object.prototype:
      return `{${textOfMembers(value, path)}}`;
    case null:
      return `Null{${textOfMembers(value, path)}}`;
    case Array.prototype:
      return textOfArray(value as readonly unknown[], path);
    default:
      return textOfBuiltIn(value, path);
  }
}

function textOfMembers(value: object, path: readonly object[]): string {
  const record = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(record).toSorted();
  return keys.map((key) => `${JSON.stringify(key)}:${textOf(record[key], path)}`).join();
}

function textOfArray(array: readonly unknown[], path: readonly object[]): string {
  if (Object.keys(array).length !== array.length) refuse('an array with holes or members of its own');
  return textOfItems(array, path);
}

function textOfItems(items: Iterable<unknown>, path: readonly object[]): string {
  return `[${Array.from(items, (item) => textOf(item, path)).join()}]`;
}

function textOfBuiltIn(value: object, path: readonly object[]): string {
  if (ArrayBuffer.isView(value) && isBuiltIn(value)) return `${nameOf(value)}(${hex(value)})`;
  if (Object.keys(value).length > 0) refuse(`an instance of ${nameOf(value)}`);
  switch (Object.getPrototypeOf(value)) {
    case Date.prototype:
      return `Date(${(value as Date).getTime()})`;
    case RegExp.prototype:
      return `RegExp(${JSON.stringify((value as RegExp).toString())},${(value as RegExp).lastIndex})`;
    case URL.prototype:
      return `URL(${JSON.stringify((value as URL).href)})`;
    case Map.prototype:
      return `Map${textOfItems(value as Map<unknown, unknown>, path)}`;
    case Set.prototype:
      return `Set${textOfItems(value as Set<unknown>, path)}`;
    case ArrayBuffer.prototype:
      return `ArrayBuffer(${hex(new Uint8Array(value as ArrayBuffer))})`;
    default:
      return refuse(`an instance of ${nameOf(value)}`);
  }
}

/** Whether the value's class is the very one of that name, and no subclass with a state of its own. */
function isBuiltIn(value: object): boolean {
  const types = globalThis as unknown as Readonly<Record<string, { readonly prototype?: unknown } | undefined>>;
  return types[nameOf(value)]?.prototype === Object.getPrototypeOf(value);
}

function hex(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('hex');
}

function nameOf(value: object): string {
  return typeof value.constructor === 'function' ? value.constructor.name : 'an unknown class';
}

function refuse(what: string): never {
  throw new TypeError(`no cache key can be made of ${what}: pass a \`key\` function`);
}
