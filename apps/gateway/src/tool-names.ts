import { createHash } from 'node:crypto';

/** Between the server's name and the tool's. Model APIs allow letters, digits, `_` and `-` in a tool name, and nothing else. */
const SEPARATOR = '__';
const MAX_LENGTH = 64;

/** Which tool of which server a public name stands for. */
export interface ToolRef {
  readonly server: string;
  readonly tool: string;
}

/**
 * Gives every tool a public name: `<server>__<tool>`, with characters that clients refuse replaced by `_`. A name that would be too long, or that two tools
 * would share, ends in a hash of what it stands for, so the same tool has the same name whatever else is there.
 */
export function nameTools(refs: readonly ToolRef[]): Map<string, ToolRef> {
  const wanted = Map.groupBy(refs, plainName);
  const named = new Map<string, ToolRef>();
  for (const ref of refs) {
    const plain = plainName(ref);
    const unique = plain.length <= MAX_LENGTH && wanted.get(plain)?.length === 1;
    named.set(unique ? plain : hashedName(plain, ref), ref);
  }
  return named;
}

function plainName({ server, tool }: ToolRef): string {
  return `${server}${SEPARATOR}${tool}`.replace(/[^A-Za-z0-9_-]/g, '_');
}

function hashedName(plain: string, ref: ToolRef): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([ref.server, ref.tool]))
    .digest('hex')
    .slice(0, 8);
  return `${plain.slice(0, MAX_LENGTH - hash.length - 1)}_${hash}`;
}
