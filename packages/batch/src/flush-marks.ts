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
  readonly #marks: WaitedMark[] = [{ open: 0, passed: [] }];

  /** Counts one operation in; give the mark back to {@link leave}. */
  enter(): FlushMark {
    const last = this.#marks.at(-1) as WaitedMark;
    last.open++;
    return last;
  }

  leave(mark: FlushMark): void {
    mark.open--;
    while (this.#marks.length > 1 && this.#marks[0]?.open === 0) {
      for (const passed of this.#marks.shift()?.passed ?? []) passed();
    }
  }

  /** Resolves when everything that has entered so far has left. */
  passed(): Promise<void> {
    const last = this.#marks.at(-1) as WaitedMark;
    if (this.#marks.length === 1 && last.open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      last.passed.push(resolve);
      this.#marks.push({ open: 0, passed: [] });
    });
  }
}
