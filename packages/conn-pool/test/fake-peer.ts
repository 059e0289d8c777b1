import { delay } from '@perf/core';
import type { ConnectionPoolOptions, CreateContext } from '../src/index.ts';

/** A connection that knows who has it. */
export class FakeConnection {
  readonly id: number;
  readonly lost: (reason?: unknown) => void;
  alive = true;
  owner: string | undefined;

  constructor(id: number, lost: (reason?: unknown) => void) {
    this.id = id;
    this.lost = lost;
  }
}

/** The other end of the connections of a pool: how it behaves is set by its fields, and it counts what really exists. */
export class FakePeer {
  createDelay = 0;
  destroyDelay = 0;
  /** While set, `create` rejects with it. */
  down: unknown;
  hangs = false;

  creates = 0;
  destroys = 0;
  creating = 0;
  peakCreating = 0;
  live = 0;
  peak = 0;
  readonly connections: FakeConnection[] = [];

  /** The callbacks for a pool. */
  readonly callbacks: Pick<ConnectionPoolOptions<FakeConnection>, 'create' | 'destroy'> = {
    create: (ctx) => this.#create(ctx),
    destroy: (connection) => this.#destroy(connection),
  };

  async #create({ signal, lost }: CreateContext): Promise<FakeConnection> {
    this.creates++;
    this.creating++;
    this.peakCreating = Math.max(this.peakCreating, this.creating);
    try {
      if (this.hangs) await delay(Infinity, { signal });
      if (this.createDelay > 0) await delay(this.createDelay);
      if (this.down !== undefined) throw this.down;
      this.live++;
      this.peak = Math.max(this.peak, this.live);
      const connection = new FakeConnection(this.connections.length, lost);
      this.connections.push(connection);
      return connection;
    } finally {
      this.creating--;
    }
  }

  async #destroy(connection: FakeConnection): Promise<void> {
    if (!connection.alive) throw new Error(`connection ${connection.id} is destroyed twice`);
    connection.alive = false;
    if (this.destroyDelay > 0) await delay(this.destroyDelay);
    this.destroys++;
    this.live--;
  }
}
