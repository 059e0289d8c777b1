import { walkStacks } from '../cpu/walk-stacks.ts';
import type { FlameNode } from './flame-node.ts';

/** What the viewer draws. Times are whole microseconds. */
export interface FlameLayout {
  readonly total: number;
  readonly depth: number;
  /** `[name, location, category]` of every function. */
  readonly frames: readonly (readonly [string, string, string])[];
  /** Six numbers a frame, parents first: index into `frames`, depth, left edge, width, self time, width before. */
  readonly rects: readonly number[];
}

/** Puts children under their parents, widest first, side by side without overlapping. Frames without a width are left out. */
export function flameLayout(root: FlameNode): FlameLayout {
  const frames: (readonly [string, string, string])[] = [];
  const known = new Map<string, number>();
  const frameOf = ({ name, location, category }: FlameNode): number => {
    const key = `${name}\n${location}`;
    let index = known.get(key);
    if (index === undefined) {
      known.set(key, (index = frames.length));
      frames.push([name, location, category]);
    }
    return index;
  };
  const rects: number[] = [];
  // The left edge for the next frame at each depth; what is deeper than the frame before begins where that one begins.
  const edges: number[] = [0];
  let depth = -1;
  let deepest = 0;
  sortChildren(root);
  walkStacks([root], {
    enter(node) {
      depth++;
      const left = edges[depth] as number;
      const width = micros(node.total);
      edges[depth] = left + width;
      edges[depth + 1] = left;
      if (width === 0) return;
      deepest = Math.max(deepest, depth);
      rects.push(frameOf(node), depth, left, width, micros(node.self), micros(node.beforeTotal));
    },
    leave: () => void depth--,
  });
  return { total: micros(root.total), depth: deepest + 1, frames, rects };
}

function sortChildren(root: FlameNode): void {
  walkStacks([root], {
    enter: ({ children }) => void children.sort((a, b) => b.total - a.total),
    leave: () => undefined,
  });
}

function micros(ms: number): number {
  return Math.round(ms * 1000);
}
