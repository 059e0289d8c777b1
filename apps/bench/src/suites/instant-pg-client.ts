import { EventEmitter } from 'node:events';

/** What a statement of {@link InstantPgClient} gives. */
interface Answer {
  readonly command: string;
  readonly rows: readonly object[];
}

type Callback = (error: Error | null, answer?: Answer) => void;

const ANSWER: Answer = { command: 'SELECT', rows: [{}] };

/** A client as `pg` has it, without a server: each statement is answered in the next microtask, so that what is left is what the pools cost. */
export class InstantPgClient extends EventEmitter {
  readonly connection: EventEmitter & { readonly stream: EventEmitter & { destroy(): void } };
  readonly readyForQuery = true;
  readonly _queryable = true;
  readonly _ending = false;

  constructor() {
    super();
    const stream = Object.assign(new EventEmitter(), { destroy: () => void stream.emit('close') });
    this.connection = Object.assign(new EventEmitter(), { stream });
  }

  connect(callback?: Callback): Promise<void> {
    this.connection.emit('readyForQuery', { status: 'I' });
    if (callback !== undefined) queueMicrotask(() => callback(null));
    return Promise.resolve();
  }

  query(_text: unknown, _values?: unknown, callback?: Callback): Promise<Answer> {
    if (callback === undefined) return Promise.resolve(ANSWER);
    queueMicrotask(() => callback(null, ANSWER));
    return NEVER;
  }

  end(callback?: () => void): Promise<void> {
    this.emit('end');
    callback?.();
    return Promise.resolve();
  }
}

/** With a callback nobody looks at the promise. */
const NEVER = new Promise<never>(() => {});
