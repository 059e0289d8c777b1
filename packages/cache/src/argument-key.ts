/** Objects inside of each other, past which a value is refused: it may well be a cycle, and a cycle has no end. */
const DEEPEST = 500;

/**
 * A text for a list of arguments, such that two lists have the same text if and only if they are equal in depth: same types, same values. The order of an object's members does
 * not matter, the order of `Map` and `Set` entries does.
 *
 * Takes primitives but symbols, arrays, plain objects, `Date`, `RegExp`, `URL`, `Map`, `Set`, `ArrayBuffer` and its views. Anything else has
 * an identity or a hidden state that no text can stand for. Texts have their length before them, so that nothing in them can be taken for what comes after.
 *
 * @throws TypeError for any other value, for cycles, and for more than 500 objects inside of each other
 */
export function argumentKey(args: readonly unknown[]): string {
  // What most functions are called with: nothing comes after it, and lists start with a bracket.
  if (args.length === 1) {
    const [only] = args;
    if (typeof only === 'string') return `"${only}`;
    if (typeof only === 'number') return `#${textOfNumber(only)}`;
  }
  return textOfItems(args, 0);
}

/** @param depth the number of objects this value is inside of */
function textOf(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return `"${value.length}:${value}`;
    case 'number':
      return textOfNumber(value);
    case 'bigint':
      return `${value}n`;
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      return value === null ? 'null' : textOfObject(value, depth + 1);
    case 'symbol':
    case 'function':
      return refuse(`a ${typeof value}`);
    default:
      return refuse('a value of unknown type');
  }
}

function textOfNumber(value: number): string {
  return value === 0 && Object.is(value, -0) ? '-0' : `${value}`;
}

function textOfObject(value: object, depth: number): string {
  if (depth > DEEPEST) refuse(`a cycle, or of more than ${DEEPEST} objects inside of each other`);
  if (Object.getOwnPropertySymbols(value).length > 0) refuse('an object with symbol members');
  const prototype: unknown = Object.getPrototypeOf(value);
  switch (prototype) {
    case Object.prototype:
      return textOfMembers(value, depth);
    case null:
      return `Null${textOfMembers(value, depth)}`;
    case Array.prototype:
      return textOfArray(value as readonly unknown[], depth);
    default:
      return textOfBuiltIn(value, depth);
  }
}

function textOfMembers(value: object, depth: number): string {
  const record = value as Readonly<Record<string, unknown>>;
  let text = '{';
  for (const key of Object.keys(record).sort()) text += `${key.length}:${key}:${textOf(record[key], depth)},`;
  return `${text}}`;
}

function textOfArray(array: readonly unknown[], depth: number): string {
  if (!Array.isArray(array) || !isDense(array)) refuse('an array with holes or members of its own');
  return textOfItems(array, depth);
}

function isDense(array: readonly unknown[]): boolean {
  const names = Object.keys(array);
  // Indexes come first, in ascending order: when the last of so many names is an index, there are no others.
  return names.length === array.length && (names.length === 0 || names.at(-1) === `${array.length - 1}`);
}

function textOfItems(items: Iterable<unknown>, depth: number): string {
  let text = '[';
  for (const item of items) text += `${textOf(item, depth)},`;
  return `${text}]`;
}

function textOfEntries(map: ReadonlyMap<unknown, unknown>, depth: number): string {
  let text = 'Map[';
  for (const [key, value] of map) text += `${textOf(key, depth)},${textOf(value, depth)},`;
  return `${text}]`;
}

function textOfBuiltIn(value: object, depth: number): string {
  if (ArrayBuffer.isView(value) && isBuiltIn(value)) return textOfView(value);
  if (Object.keys(value).length > 0) refuse(`an instance of ${nameOf(value)}`);
  switch (Object.getPrototypeOf(value)) {
    case Date.prototype:
      return `Date(${(value as Date).getTime()})`;
    case RegExp.prototype: {
      const { source, flags, lastIndex } = value as RegExp;
      return `RegExp(${source.length}:${source}${flags},${lastIndex})`;
    }
    case URL.prototype:
      return `URL(${textOf((value as URL).href, depth)})`;
    case Map.prototype:
      return textOfEntries(value as Map<unknown, unknown>, depth);
    case Set.prototype:
      return `Set${textOfItems(value as Set<unknown>, depth)}`;
    case ArrayBuffer.prototype:
      return `ArrayBuffer(${textOfBytes(new Uint8Array(value as ArrayBuffer))})`;
    default:
      return refuse(`an instance of ${nameOf(value)}`);
  }
}

/** Whether the value's class is the very one of that name, and no subclass with a state of its own. */
function isBuiltIn(value: object): boolean {
  const types = globalThis as unknown as Readonly<Record<string, { readonly prototype?: unknown } | undefined>>;
  return types[nameOf(value)]?.prototype === Object.getPrototypeOf(value);
}

function textOfView(view: ArrayBufferView): string {
  // Besides its bytes, which are members.
  const members = view instanceof DataView ? 0 : (view as Uint8Array).length;
  if (Object.keys(view).length !== members) refuse(`an instance of ${nameOf(view)} with members of its own`);
  return `${nameOf(view)}(${textOfBytes(view)})`;
}

/** A character for each byte. */
function textOfBytes(view: ArrayBufferView): string {
  return `${view.byteLength}:${Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('latin1')}`;
}

function nameOf(value: object): string {
  return typeof value.constructor === 'function' ? value.constructor.name : 'an unknown class';
}

function refuse(what: string): never {
  throw new TypeError(`no cache key can be made of ${what}: pass a \`key\` function`);
}
