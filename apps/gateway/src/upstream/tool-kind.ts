import type { ToolDescription } from './session.ts';

/** What a call does to the server's state; the groups in which calls are batched. */
export type ToolKind = 'read' | 'write' | 'delete' | 'create';

/**
 * The kind of a tool: reads are what the server declares read-only; among the others the name tells, for the protocol has no hint finer than
 * that. A tool taken for a write where it is a create is batched with the writes, nothing more.
 */
export function toolKind({ name, annotations }: ToolDescription): ToolKind {
  if (annotations?.readOnlyHint === true) return 'read';
  const words = name.split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/).map((word) => word.toLowerCase());
  if (words.some((word) => /^(delete|remove|drop|unlink)$/.test(word))) return 'delete';
  if (words.some((word) => /^(create|mkdir|new|insert)$/.test(word))) return 'create';
  return 'write';
}

/**
 * Whether a result of the tool may be served again for a while: it changes nothing, and it looks only at the server's own state. `openWorldHint` is true
 * unless the server says otherwise. The protocol promises no more than that, so the operator also has to ask for caching.
 */
export function isCacheable({ annotations }: ToolDescription): boolean {
  return annotations?.readOnlyHint === true && annotations.openWorldHint === false;
}
