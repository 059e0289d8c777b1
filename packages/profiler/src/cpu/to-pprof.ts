import { gzipSync } from 'node:zlib';
import { Function as PprofFunction, Line, Location, Profile, Sample, StringTable, ValueType } from 'pprof-format';
import { type CallNode, callTree } from './call-tree.ts';
import type { CpuProfile } from './cpu-profile.ts';
import type { ProfiledFunction } from './profiled-function.ts';

/**
 * The profile in the format of `pprof` (gzipped protocol buffer), for `go tool pprof` and the services that take it. One sample type, CPU time
 * in nanoseconds; idle time is left out.
 *
 * @throws InvalidProfileError (`PERF_PROFILER_INVALID_PROFILE`) when the profile contradicts itself
 */
export function toPprof(profile: CpuProfile): Uint8Array {
  const { nodes, duration } = callTree(profile);
  const strings = new StringTable();
  const cpu = new ValueType({ type: strings.dedup('cpu'), unit: strings.dedup('nanoseconds') });
  const functions = new Map<ProfiledFunction, number>();
  const idOf = (fn: ProfiledFunction): number => {
    let id = functions.get(fn);
    if (id === undefined) functions.set(fn, (id = functions.size + 1));
    return id;
  };
  const sample = nodes
    .filter(({ fn, self }) => self > 0 && fn.category !== 'idle' && fn.category !== 'root')
    .map((node) => new Sample({ locationId: stackOf(node, idOf), value: [Math.round(node.self * 1e6)] }));
  const entries = [...functions];
  const encoded = new Profile({
    sampleType: [cpu],
    periodType: cpu,
    sample,
    location: entries.map(([{ line }, id]) => new Location({ id, line: [new Line({ functionId: id, line })] })),
    function: entries.map(([fn, id]) => {
      const name = strings.dedup(fn.name);
      return new PprofFunction({ id, name, systemName: name, filename: strings.dedup(fn.url), startLine: fn.line });
    }),
    stringTable: strings,
    durationNanos: Math.round(duration * 1e6),
  }).encode();
  return gzipSync(encoded);
}

/** Ids of the functions on the stack, innermost first; a location of pprof is a function here, as V8 names no line inside it. */
function stackOf(leaf: CallNode, idOf: (fn: ProfiledFunction) => number): number[] {
  const ids: number[] = [];
  for (let node: CallNode | undefined = leaf; node !== undefined; node = node.parent) {
    if (node.fn.category !== 'root') ids.push(idOf(node.fn));
  }
  return ids;
}
