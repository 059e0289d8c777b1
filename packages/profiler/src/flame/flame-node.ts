import { type CallNode, type CallTree, callTree } from '../cpu/call-tree.ts';
import type { CpuProfile } from '../cpu/cpu-profile.ts';
import { type FunctionCategory, locationOf } from '../cpu/profiled-function.ts';
import { walkStacks } from '../cpu/walk-stacks.ts';

/** A frame of a flame graph: calls of the same function from the same stack. Times are in milliseconds. */
export interface FlameNode {
  readonly name: string;
  readonly location: string;
  readonly category: FunctionCategory;
  readonly children: FlameNode[];
  /** Time with this stack and its continuations, idle time left out: the frame's width. */
  total: number;
  self: number;
  /** The same in the profile compared with. */
  beforeTotal: number;
  beforeSelf: number;
}

/** The frames of one profile, under a root named `all`. */
export function flameTree(profile: CpuProfile): FlameNode {
  const root = emptyRoot();
  graft(root, callTree(profile), addAfter);
  return root;
}

/**
 * The frames of both profiles on top of each other. Frames are the same by name and place in the source: script ids differ from run to run. The
 * times of `before` are scaled to as much busy time as `after` has, so that a longer run is no slower one.
 */
export function flameDiffTree(before: CpuProfile, after: CpuProfile): FlameNode {
  const root = emptyRoot();
  const [beforeTree, afterTree] = [callTree(before), callTree(after)];
  // With nothing busy after, there is no common scale; before stays as it was.
  const scale = beforeTree.busy > 0 && afterTree.busy > 0 ? afterTree.busy / beforeTree.busy : 1;
  graft(root, afterTree, addAfter);
  graft(root, beforeTree, (flame, total, self) => {
    flame.beforeTotal += total * scale;
    flame.beforeSelf += self * scale;
  });
  return root;
}

type Add = (flame: FlameNode, total: number, self: number) => void;

const addAfter: Add = (flame, total, self) => {
  flame.total += total;
  flame.self += self;
};

function emptyRoot(): FlameNode {
  return emptyNode({ name: 'all', location: '', category: 'root' });
}

function emptyNode(frame: Pick<FlameNode, 'name' | 'location' | 'category'>): FlameNode {
  return { ...frame, children: [], total: 0, self: 0, beforeTotal: 0, beforeSelf: 0 };
}

/** Adds the tree to the frames: V8's `(root)` becomes ours, idle time vanishes, siblings that are the same frame become one. */
function graft(root: FlameNode, tree: CallTree, add: Add): void {
  const indexes = new Map<FlameNode, Map<string, FlameNode>>();
  const path: FlameNode[] = [];
  const childOf = (parent: FlameNode, { fn }: CallNode): FlameNode => {
    let index = indexes.get(parent);
    if (index === undefined) {
      index = new Map(parent.children.map((child) => [`${child.name}\n${child.location}`, child]));
      indexes.set(parent, index);
    }
    const location = locationOf(fn);
    const key = `${fn.name}\n${location}`;
    let child = index.get(key);
    if (child === undefined) {
      child = emptyNode({ name: fn.name, location, category: fn.category });
      index.set(key, child);
      parent.children.push(child);
    }
    return child;
  };
  add(root, tree.busy, 0);
  walkStacks(
    tree.nodes.filter(({ parent, fn }) => parent === undefined && fn.category !== 'idle'),
    {
      enter(node) {
        if (node.fn.category === 'root') {
          path.push(root);
          return;
        }
        const flame = childOf(path.at(-1) ?? root, node);
        if (node.fn.category !== 'idle') add(flame, node.total, node.self);
        path.push(flame);
      },
      leave: () => void path.pop(),
    },
  );
}
