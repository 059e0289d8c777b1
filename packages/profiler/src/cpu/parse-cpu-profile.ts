import { InvalidProfileError } from '../errors.ts';
import type { CallFrame, CpuProfile, CpuProfileNode } from './cpu-profile.ts';

type Json = Readonly<Record<string, unknown>>;

interface MutableNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly hitCount: number;
  readonly children: number[];
}

/**
 * Reads a `.cpuprofile`: of Node.js, of Chrome (also with `parent` in place of `children`), or of the time before 2017 with its nested `head`.
 *
 * @throws InvalidProfileError (`PERF_PROFILER_INVALID_PROFILE`) for anything else
 */
export function parseCpuProfile(text: string): CpuProfile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidProfileError('it is not JSON', { cause: error });
  }
  // Chrome's performance panel and some tools wrap the profile in an object.
  const json = asObject(isObject(value) && isObject(value['profile']) ? value['profile'] : value, 'the file');
  const nodes = isObject(json['head']) ? fromHead(json['head']) : fromList(asArray(json['nodes'], '`nodes`'));
  if (nodes.length === 0) throw new InvalidProfileError('it has no nodes');
  return { nodes, ...timing(json) };
}

function fromList(list: readonly unknown[]): CpuProfileNode[] {
  const byId = new Map<number, MutableNode>();
  const parents: [child: number, parent: number][] = [];
  for (const each of list) {
    const json = asObject(each, 'a node');
    const node = readNode(json);
    byId.set(node.id, node);
    if (Array.isArray(json['children']))
      node.children.push(...json['children'].map((id) => asNumber(id, 'a child id')));
    if (json['parent'] !== undefined) parents.push([node.id, asNumber(json['parent'], 'a parent id')]);
  }
  for (const [child, parent] of parents) {
    const children = byId.get(parent)?.children;
    if (children === undefined) throw new InvalidProfileError(`node ${child} has the unknown parent ${parent}`);
    if (!children.includes(child)) children.push(child);
  }
  return [...byId.values()];
}

function fromHead(head: Json): CpuProfileNode[] {
  const nodes: MutableNode[] = [];
  const todo: Json[] = [head];
  for (let json = todo.pop(); json !== undefined; json = todo.pop()) {
    const node = readNode({ ...json, callFrame: json });
    nodes.push(node);
    if (!Array.isArray(json['children'])) continue;
    for (const each of json['children']) {
      const child = asObject(each, 'a child');
      node.children.push(asNumber(child['id'], 'a node id'));
      todo.push(child);
    }
  }
  return nodes;
}

function readNode(json: Json): MutableNode {
  const frame = asObject(json['callFrame'], '`callFrame`');
  const callFrame = {
    functionName: asText(frame['functionName'], ''),
    // A number in what `v8.startCpuProfile` and old versions write.
    scriptId: asText(frame['scriptId'], '0'),
    url: asText(frame['url'], ''),
    lineNumber: asNumber(frame['lineNumber'] ?? -1, '`lineNumber`'),
    columnNumber: asNumber(frame['columnNumber'] ?? -1, '`columnNumber`'),
  };
  return {
    id: asNumber(json['id'], 'a node id'),
    callFrame,
    hitCount: asNumber(json['hitCount'] ?? 0, '`hitCount`'),
    children: [],
  };
}

function timing(json: Json): Pick<CpuProfile, 'samples' | 'timeDeltas' | 'startTime' | 'endTime'> {
  const samples = numbers(json['samples'], '`samples`');
  if (!Array.isArray(json['timestamps'])) {
    const timeDeltas = numbers(json['timeDeltas'], '`timeDeltas`');
    if (timeDeltas.length !== samples.length) {
      throw new InvalidProfileError(`it has ${samples.length} samples but ${timeDeltas.length} time deltas`);
    }
    const startTime = asNumber(json['startTime'], '`startTime`');
    return { samples, timeDeltas, startTime, endTime: asNumber(json['endTime'], '`endTime`') };
  }
  // The old format: absolute microseconds here, but seconds in `startTime` and `endTime`. One more than samples: the first is the start.
  const stamps = numbers(json['timestamps'], '`timestamps`');
  const startTime = stamps[0] ?? 0;
  const own = stamps.length === samples.length + 1 ? stamps.slice(1) : stamps;
  if (own.length !== samples.length) {
    throw new InvalidProfileError(`it has ${samples.length} samples but ${stamps.length} timestamps`);
  }
  const timeDeltas = own.map((stamp, i) => stamp - (own[i - 1] ?? startTime));
  return { samples, timeDeltas, startTime, endTime: own.at(-1) ?? startTime };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asObject(value: unknown, what: string): Json {
  if (!isObject(value)) throw new InvalidProfileError(`${what} is not an object`);
  return value;
}

function asArray(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new InvalidProfileError(`${what} is not a list`);
  return value;
}

function asText(value: unknown, byDefault: string): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : byDefault;
}

function asNumber(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new InvalidProfileError(`${what} is not a number`);
  return value;
}

function numbers(value: unknown, what: string): number[] {
  return asArray(value, what).map((each) => asNumber(each, `an entry of ${what}`));
}
