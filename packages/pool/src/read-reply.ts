import type { Call } from './call-table.ts';
import { type Reaction, decodeThrown, decodeThrownHere } from './decode-thrown.ts';
import { TaskCloneError, TaskLoadError } from './errors.ts';
import type { Failure, Reply } from './frame.ts';

/** The results of a chunk one by one; throws the first failure in its place. */
export function* readReply(reply: Reply, call: Call): Generator<unknown, undefined, undefined> {
  const failures = reply.failures?.toSorted((one, other) => one.index - other.index);
  const first = failures?.[0];
  for (const [index, result] of reply.results.entries()) {
    if (index === first?.index) break;
    yield result;
  }
  if (first !== undefined) throw failureError(first, call);
  return undefined;
}

/** What a task rejects with. @param reaction within which it is made: see `decodeThrownHere` */
export function failureError(
  { what, thrown }: Failure,
  { definition: [, url, name] }: Call,
  reaction?: Reaction,
): unknown {
  switch (what) {
    case 'task':
      return reaction === undefined ? decodeThrown(thrown) : decodeThrownHere(thrown, reaction);
    case 'result':
      return new TaskCloneError({ task: name, direction: 'result', cause: decodeThrown(thrown) });
    case 'import':
      return new TaskLoadError(url, name, { cause: decodeThrown(thrown) });
    case 'export':
      return new TaskLoadError(url, name);
    default:
      return what satisfies never;
  }
}
