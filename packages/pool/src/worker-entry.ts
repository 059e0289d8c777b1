/**
 * What runs in a worker: the one file Tinypool is ever told to run. It loads the modules of the tasks itself, so that a bad one is an error
 * of its task and not the end of the worker, and has ports of its own to a thread, which are faster, and tell more, than Tinypool's.
 * It does not import the package's index: a worker should start fast.
 */
import { deserialize } from 'node:v8';
import { canClone, canSerialize } from './can-cross.ts';
import { NOT_OPENED, type OpenMessage } from './frame.ts';
import { ProcessServer } from './process-server.ts';
import { createContext } from './task-context.ts';
import { ThreadServer } from './thread-server.ts';
import { WorkerCalls } from './worker-calls.ts';

let server: ProcessServer | undefined;

type Answer = Uint8Array | typeof NOT_OPENED | undefined;

/** Takes a message of Tinypool: the first one opens the worker; then a thread is sent frames on its own port, and a child process bytes. */
export async function dispatch(message: OpenMessage | Uint8Array): Promise<Answer> {
  if (!(message instanceof Uint8Array)) return open(message);
  if (server !== undefined) return server.serve(message);
  const first = deserialize(message) as Partial<OpenMessage>;
  return first.kind === 'open' ? open(first as OpenMessage) : NOT_OPENED;
}

function open({ thread, workerData, tellHeap }: OpenMessage): undefined {
  const setting = {
    calls: new WorkerCalls(),
    context: createContext(workerData),
    canCross: thread === undefined ? canSerialize : canClone,
  };
  if (thread !== undefined) new ThreadServer(thread, setting, tellHeap).listen();
  else server = new ProcessServer(setting, tellHeap);
}
