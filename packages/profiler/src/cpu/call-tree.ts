import { InvalidProfileError } from '../errors.ts';
import type { CallFrame, CpuProfile, CpuProfileNode } from './cpu-profile.ts';
import { type ProfiledFunction, profiledFunction } from './profiled-function.ts';

/** A node of a {@link CallTree}: a function at one place of the call hierarchy. Times are in milliseconds. */
export interface CallNode {
  readonly fn: ProfiledFunction;
  readonly parent: CallNode | undefined;
  readonly children: CallNode[];
  /** Time with this very stack. */
  self: number;
  /** Time with this stack or one that continues it. */
  total: number;
}

/** A CPU profile by time spent. */
export interface CallTree {
  /** Parents before their children. */
  readonly nodes: readonly CallNode[];
  /** Time from the first sample to the end; the sum of all `self`. */
  readonly duration: number;
  /** `duration` without the time the thread had nothing to do. */
  readonly busy: number;
}

/**
 * Turns samples into times. A sample stands for the time until the next one, the last for the time until the end; the time before the first is
 * V8's own start. V8 delivers samples out of order now and then (a negative delta): they are put in order, not cut.
 *
 * One {@link ProfiledFunction} object stands for one function: script, line and column tell them apart, since names do not.
 * O(nodes + samples × log samples), without recursion.
 *
 * @throws InvalidProfileError (`PERF_PROFILER_INVALID_PROFILE`) when the profile contradicts itself
 */
export function callTree(profile: CpuProfile): CallTree {
  const { nodes, byId } = link(profile.nodes);
  const duration = addSelfTimes(profile, byId);
  let idle = 0;
  for (const node of nodes) {
    node.total = node.self;
    if (node.fn.category === 'idle') idle += node.self;
  }
  for (let i = nodes.length - 1; i >= 0; i--) {
    const { parent, total } = nodes[i] as CallNode;
    if (parent !== undefined) parent.total += total;
  }
  return { nodes, duration, busy: duration - idle };
}

function link(list: readonly CpuProfileNode[]): { nodes: CallNode[]; byId: Map<number, CallNode> } {
  const sources = new Map(list.map((node) => [node.id, node]));
  const called = new Set(list.flatMap((node) => node.children ?? []));
  const functions = new Map<string, ProfiledFunction>();
  const byId = new Map<number, CallNode>();
  const nodes: CallNode[] = [];
  const todo = list
    .filter(({ id }) => !called.has(id))
    .map((source) => ({ source, parent: undefined as CallNode | undefined }))
    .reverse();
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { source, parent } = next;
    if (byId.has(source.id)) throw new InvalidProfileError(`node ${source.id} has two callers`);
    const node = { fn: functionOf(source.callFrame, functions), parent, children: [], self: 0, total: 0 };
    byId.set(source.id, node);
    nodes.push(node);
    parent?.children.push(node);
    for (const id of (source.children ?? []).toReversed()) {
      const child = sources.get(id);
      if (child === undefined) throw new InvalidProfileError(`node ${source.id} calls the unknown node ${id}`);
      todo.push({ source: child, parent: node });
    }
  }
  if (byId.size < sources.size) throw new InvalidProfileError('its nodes call one another in a circle');
  return { nodes, byId };
}

function functionOf(frame: CallFrame, known: Map<string, ProfiledFunction>): ProfiledFunction {
  const { scriptId, url, lineNumber, columnNumber, functionName } = frame;
  const key = `${scriptId}\n${url}\n${lineNumber}\n${columnNumber}\n${functionName}`;
  let fn = known.get(key);
  if (fn === undefined) known.set(key, (fn = profiledFunction(frame)));
  return fn;
}

function addSelfTimes(profile: CpuProfile, byId: ReadonlyMap<number, CallNode>): number {
  const { samples, timeDeltas, startTime, endTime } = profile;
  let time = startTime;
  const times = timeDeltas.map((delta) => (time += delta));
  if (times.length !== samples.length) {
    throw new InvalidProfileError(`it has ${samples.length} samples but ${times.length} time deltas`);
  }
  const order = samples.map((_, i) => i).sort((a, b) => (times[a] as number) - (times[b] as number));
  let duration = 0;
  for (let i = 0; i < order.length; i++) {
    const at = order[i] as number;
    const begin = times[at] as number;
    const next = order[i + 1];
    const end = next === undefined ? Math.max(endTime, begin) : (times[next] as number);
    const node = byId.get(samples[at] as number);
    if (node === undefined) throw new InvalidProfileError(`sample ${at} names the unknown node ${samples[at]}`);
    const spent = (end - begin) / 1000;
    node.self += spent;
    duration += spent;
  }
  return duration;
}
