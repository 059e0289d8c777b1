/** Where a durable queue keeps what, in Redis. */
export class DurableKeys {
  readonly #name: string;
  readonly #base: string;
  readonly #prefix: string;

  constructor(prefix: string, name: string) {
    this.#prefix = prefix;
    this.#name = name;
    // No queue of BullMQ has such a key: its jobs, if they are named by their users, have no colon in their name.
    this.#base = `${prefix}:${name}:durable`;
  }

  /** The name of the BullMQ queue of a partition. */
  queue(partition: number): string {
    return `${this.#name}-${partition}`;
  }

  /** String: the number of partitions. */
  get partitions(): string {
    return `${this.#base}:partitions`;
  }

  /** String, expiring: how the operation with this idempotency key came out. */
  record(key: string): string {
    return `${this.#base}:record:${key}`;
  }

  /** String: the number of the last turn taken in a partition. */
  fence(partition: number): string {
    return `${this.#base}:fence:${partition}`;
  }

  /** Hash by idempotency key: how often it was under way when its worker vanished. */
  crashes(partition: number): string {
    return `${this.#base}:crashes:${partition}`;
  }

  /** Hash: operations by outcome. */
  get counts(): string {
    return `${this.#base}:counts`;
  }

  /** Sorted set by time: the idempotency keys of dead letters. */
  get deadIndex(): string {
    return `${this.#base}:dead`;
  }

  /** Hash by idempotency key: the dead letters. */
  get deadLetters(): string {
    return `${this.#base}:dead-letters`;
  }

  /** Channel on which the producer with this id is told of results. */
  replies(producer: string): string {
    return `${this.#base}:replies:${producer}`;
  }

  /** Channel on which everybody is told which operations have settled. */
  get settled(): string {
    return `${this.#base}:settled`;
  }

  /** What BullMQ puts before the ids of jobs of a partition. */
  jobs(partition: number): string {
    return `${this.#prefix}:${this.queue(partition)}:`;
  }

  /** The lock BullMQ keeps for a job. */
  lock(partition: number, job: string): string {
    return `${this.jobs(partition)}${job}:lock`;
  }

  /** BullMQ's list of waiting jobs, the next one at the right end. */
  waiting(partition: number): string {
    return `${this.jobs(partition)}wait`;
  }

  /** Hash: BullMQ's settings of a partition. */
  settings(partition: number): string {
    return `${this.jobs(partition)}meta`;
  }

  /** BullMQ's list of jobs being worked on. */
  active(partition: number): string {
    return `${this.jobs(partition)}active`;
  }
}
