/** Counts the operations added between two flushes that have not settled yet. */
export interface FlushMark {
  open: number;
}

interface WaitedMark extends FlushMark {
  readonly passed: (() => void)[];
}

/**
 * Knows when everything that was added before a given moment has settled, at the cost of one counter per operation.
 * Invariant: a mark somebody waits for is never the last one, so that nothing added later is counted in it.
 */
export class FlushMarks {
  /** Those before the last one, the oldest first: one for each flush that waits. */
  readonly #waitedFor: WaitedMark[] = [];
  #last: WaitedMark = { open: 0, passed: [] };

  /** Counts one operation in, which keeps its mark until it leaves. */
  enter(): FlushMark {
    this.#last.open++;
    return this.#last;
  }

  leave({ mark }: { readonly mark: FlushMark | undefined }): void {
    if (mark !== undefined) mark.open--;
    if (this.#waitedFor.length > 0) this.#pass();
  }

  #pass(): void {
    while (this.#waitedFor[0]?.open === 0) {
      for (const passed of this.#waitedFor.shift()?.passed ?? []) passed();
    }
  }

  /** Resolves when everything that has entered so far has left. */
  passed(): Promise<void> {
    if (this.#waitedFor.length === 0 && this.#last.open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#last.passed.push(resolve);
      this.#waitedFor.push(this.#last);
      this.#last = { open: 0, passed: [] };
    });
  }
}
