/**
 * What runs in a worker: the one file Tinypool is ever told to run. It loads the modules of the tasks itself, so that a bad one is an error
 * of its task and not the end of the worker, and answers on a port of its own, so that a result that cannot be cloned is found out here, where it can
 * be answered with an error. It does not import the package's index: a worker should start fast.
 */
import { deserialize } from 'node:v8';
import type { MessagePort } from 'node:worker_threads';
import { type Frame, NOT_OPENED, type OpenMessage, STARTED } from './frame.ts';
import { runFrame } from './run-frame.ts';
import { canClone, canSerialize, postReply, serializeReply } from './send-reply.ts';
import { type TaskContext, createContext } from './task-context.ts';

let context: TaskContext | undefined;
let port: MessagePort | undefined;
let control: Int32Array | undefined;

type Answer = Uint8Array | typeof NOT_OPENED | undefined;

/** Takes one message of the pool. A thread answers on its port, a child process with the bytes of the reply. */
export async function dispatch(message: OpenMessage | Frame | Uint8Array): Promise<Answer> {
  if (message instanceof Uint8Array) return dispatchBytes(deserialize(message) as OpenMessage | Frame);
  if (message.kind === 'open') return open(message);
  if (context === undefined || port === undefined || control === undefined) return NOT_OPENED;
  Atomics.store(control, STARTED, message.sequence);
  const { reply, transferList } = await runFrame(message, context, canClone);
  postReply(port, reply, transferList);
  return undefined;
}

async function dispatchBytes(message: OpenMessage | Frame): Promise<Answer> {
  if (message.kind === 'open') return open(message);
  if (context === undefined) return NOT_OPENED;
  const { reply } = await runFrame(message, context, canSerialize);
  return serializeReply(reply);
}

function open(message: OpenMessage): undefined {
  context = createContext(message.workerData);
  ({ port, control } = message);
}
