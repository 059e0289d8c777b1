import { decodeThrown } from './decode-thrown.ts';
import { TaskCloneError, TaskLoadError } from './errors.ts';
import type { Failure, Frame, Reply } from './frame.ts';

/** The result of the only item of a reply, or what it failed with, thrown. */
export function readResult(reply: Reply, call: Pick<Frame, 'url' | 'name'>): unknown {
  const failure = reply.failures?.[0];
  if (failure !== undefined) throw failureOf(failure, call);
  return reply.results[0];
}

/** The results of a reply one by one; throws the first failure in its place. */
export function* readReply(reply: Reply, call: Pick<Frame, 'url' | 'name'>): Generator<unknown, undefined, undefined> {
  const failures = reply.failures?.toSorted((one, other) => one.index - other.index);
  const first = failures?.[0];
  for (const [index, result] of reply.results.entries()) {
    if (index === first?.index) break;
    yield result;
  }
  if (first !== undefined) throw failureOf(first, call);
  return undefined;
}

function failureOf({ what, thrown }: Failure, { url, name }: Pick<Frame, 'url' | 'name'>): unknown {
  switch (what) {
    case 'task':
      return decodeThrown(thrown);
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
