import { type Timer, startTimer } from '@perf/core';
import type { Connector } from './connector.ts';
import { CallbackTimeoutError, ConnectionLostError } from './errors.ts';
import type { Settings } from './options.ts';

/** What becomes of an {@link Attempt}. */
export interface AttemptEvents<C> {
  /** Its end, if the connection is there and alive. */
  opened(connection: C): void;
  /** It has failed; the place it takes is free later, when `ended` is called. Not called after `giveUp()`. */
  failed(error: unknown): void;
  /** The place is free again. Called once unless it was `opened`. */
  ended(): void;
  /** A connection came after all and is being destroyed. */
  late(): void;
  /** The connection died after it was `opened`. */
  lost(reason: unknown): void;
}

/**
 * One call of `create`: its time limit, and its answer, which may come late or never.
 *
 * An attempt that was given up keeps its place until `create` has answered, since the peer may have the connection open; but no longer
 * than `destroyTimeout`, so that a `create` that hangs for ever does not use up the pool.
 */
export class Attempt<C> {
  readonly #connector: Connector<C>;
  readonly #settings: Settings<C>;
  readonly #events: AttemptEvents<C>;
  readonly #controller = new AbortController();
  #state: 'new' | 'running' | 'opened' | 'given up' | 'ended' = 'new';
  #timer: Timer | undefined;
  #lost: { readonly reason: unknown } | undefined;

  constructor(connector: Connector<C>, settings: Settings<C>, events: AttemptEvents<C>) {
    this.#connector = connector;
    this.#settings = settings;
    this.#events = events;
  }

  /** Calls `create`, unless given up before: the `create` of another one has called the pool. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    const { createTimeout } = this.#settings;
    this.#timer = startTimer(() => {
      const error = new CallbackTimeoutError('create', createTimeout);
      this.giveUp(error);
      this.#events.failed(error);
    }, createTimeout);
    const ctx = { signal: this.#controller.signal, lost: (reason?: unknown) => this.#onLost(reason) };
    this.#connector.create(ctx).then(
      (connection) => this.#onCreated(connection),
      (error: unknown) => this.#onFailed(error),
    );
  }

  /** Nobody wants the connection any more; `create` is told why. */
  giveUp(reason: unknown): void {
    if (this.#state === 'new') this.#end();
    if (this.#state !== 'running') return;
    this.#state = 'given up';
    this.#timer?.cancel();
    this.#timer = startTimer(() => this.#end(), this.#settings.destroyTimeout);
    this.#controller.abort(reason);
  }

  #onCreated(connection: C): void {
    if (this.#state !== 'running') {
      this.#events.late();
      this.#destroyThenEnd(connection);
      return;
    }
    this.#timer?.cancel();
    if (this.#lost === undefined) {
      this.#state = 'opened';
      this.#events.opened(connection);
      return;
    }
    this.#state = 'given up';
    this.#events.late();
    this.#events.failed(new ConnectionLostError({ cause: this.#lost.reason }));
    this.#destroyThenEnd(connection);
  }

  #destroyThenEnd(connection: C): void {
    const pending = this.#connector.destroy(connection);
    // `destroy` has a limit of its own; before, this attempt's must not free the place.
    this.#timer?.cancel();
    if (pending === undefined) this.#end();
    else void pending.then(() => this.#end());
  }

  #onFailed(error: unknown): void {
    this.#timer?.cancel();
    if (this.#state === 'running') this.#events.failed(error);
    this.#end();
  }

  #onLost(reason: unknown): void {
    if (this.#state === 'opened') this.#events.lost(reason);
    else this.#lost ??= { reason };
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#events.ended();
  }
}
