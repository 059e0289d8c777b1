import type { CallNode } from './call-tree.ts';

/**
 * Visits every node between its ancestors' `enter` and `leave`, children in order, without recursion: stacks can be thousands of calls deep.
 *
 * @param roots the nodes without a parent
 */
export function walkStacks<N extends { readonly children: readonly N[] }>(
  roots: readonly N[],
  visit: { enter(node: N): void; leave(node: N): void },
): void {
  const todo: { readonly node: N; readonly leave: boolean }[] = roots.map((node) => ({ node, leave: false })).reverse();
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { node, leave } = next;
    if (leave) {
      visit.leave(node);
      continue;
    }
    visit.enter(node);
    todo.push({ node, leave: true });
    for (let i = node.children.length - 1; i >= 0; i--) todo.push({ node: node.children[i] as N, leave: false });
  }
}

/**
 * Sums the time under each key, so that time under two nested nodes of one key is counted once: what recursion makes wrong in a plain sum.
 *
 * @param keyOf what to sum a node's total under; `undefined` to leave it out
 */
export function sumOnce<K>(nodes: readonly CallNode[], keyOf: (node: CallNode) => K | undefined): Map<K, number> {
  const sums = new Map<K, number>();
  const open = new Map<K, number>();
  const roots = nodes.filter(({ parent }) => parent === undefined);
  walkStacks(roots, {
    enter(node) {
      const key = keyOf(node);
      if (key === undefined) return;
      const depth = open.get(key) ?? 0;
      open.set(key, depth + 1);
      if (depth === 0) sums.set(key, (sums.get(key) ?? 0) + node.total);
    },
    leave(node) {
      const key = keyOf(node);
      if (key !== undefined) open.set(key, (open.get(key) as number) - 1);
    },
  });
  return sums;
}
