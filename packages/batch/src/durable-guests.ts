/** The jobs behind a turn's own whose operations it executes too. Each is removed as soon as all of its operations have settled. */
export class DurableGuests {
  /** How many operations of a job have not settled; the job is there until it is known to be removed. */
  readonly #left = new Map<string, number>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #remove: (job: string) => Promise<unknown>;

  /** @param remove takes a job out of the queue; never rejects. One that stays is found to be done when its turn comes. */
  constructor(remove: (job: string) => Promise<unknown>) {
    this.#remove = remove;
  }

  /** Those that may still be among the jobs that wait. */
  get jobs(): readonly string[] {
    return [...this.#left.keys()];
  }

  /** A job was taken along, `count` operations of which have not settled. */
  came(job: string, count: number): void {
    this.#left.set(job, count);
    if (count === 0) this.#dismiss(job);
  }

  /** An operation of these jobs has settled. */
  settled(jobs: readonly string[]): void {
    for (const job of jobs) {
      const left = (this.#left.get(job) ?? 0) - 1;
      this.#left.set(job, left);
      if (left === 0) this.#dismiss(job);
    }
  }

  /** Resolves when those that are done are gone. */
  async gone(): Promise<void> {
    await Promise.all(this.#leaving);
  }

  #dismiss(job: string): void {
    const leaving = this.#remove(job).then(() => {
      this.#left.delete(job);
      this.#leaving.delete(leaving);
    });
    this.#leaving.add(leaving);
  }
}
