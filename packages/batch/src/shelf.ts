import type { Group } from './group.ts';
import { keep } from './keep.ts';
import type { Lane } from './lane.ts';
import { type Link, LinkedQueue } from './linked-queue.ts';
import type { Operation } from './operation.ts';

/** What can be sent of one group at one priority: operations with no other of their key before them, and lanes. First in, first out. */
export class Shelf<Op, R> implements Link {
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;
  readonly group: Group<Op, R>;
  readonly priority: number;
  readonly queue: LinkedQueue<Operation<Op, R> | Lane<Op, R>> = new LinkedQueue();
  /** Whether it stands among those ready to send from. */
  ready = false;

  constructor(group: Group<Op, R>, priority: number) {
    this.group = group;
    this.priority = priority;
  }

  static {
    keep(new Shelf(undefined as never, 0));
  }
}
