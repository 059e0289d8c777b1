/** What an object carries to be in a {@link LinkedList}; it is in one list at a time. */
export interface Linked<N> {
  previous: N | undefined;
  next: N | undefined;
}

/** A doubly linked list through the nodes themselves: every operation is O(1) and allocates nothing. */
export class LinkedList<N extends Linked<N>> implements Iterable<N> {
  #head: N | undefined;
  #tail: N | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The node that came last. */
  get last(): N | undefined {
    return this.#tail;
  }

  push(node: N): void {
    node.previous = this.#tail;
    node.next = undefined;
    if (this.#tail === undefined) this.#head = node;
    else this.#tail.next = node;
    this.#tail = node;
    this.#size++;
  }

  /** Adds `node` in front of `next`, which is in this list, or last. */
  insertBefore(next: N | undefined, node: N): void {
    if (next === undefined) {
      this.push(node);
      return;
    }
    node.previous = next.previous;
    node.next = next;
    if (next.previous === undefined) this.#head = node;
    else next.previous.next = node;
    next.previous = node;
    this.#size++;
  }

  /** Takes the node that came last. */
  pop(): N | undefined {
    const node = this.#tail;
    if (node !== undefined) this.remove(node);
    return node;
  }

  /** Takes the node that came first. */
  shift(): N | undefined {
    const node = this.#head;
    if (node !== undefined) this.remove(node);
    return node;
  }

  /** Takes `node`, which is in this list or in none. */
  remove(node: N): void {
    const { previous, next } = node;
    if (previous === undefined && this.#head !== node) return;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    node.previous = node.next = undefined;
    this.#size--;
  }

  /** First to last; the node just yielded may be removed meanwhile. */
  *[Symbol.iterator](): IterableIterator<N> {
    let node = this.#head;
    while (node !== undefined) {
      const { next } = node;
      yield node;
      node = next;
    }
  }
}
