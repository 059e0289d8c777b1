import type { JobOperation } from './durable-job.ts';
import type { Planned } from './durable-plan.ts';

/** An operation a worker has taken up and that has not settled. */
export class DurablePending<Op> implements Planned {
  readonly key: string;
  readonly orderingKey: string | undefined;
  readonly op: Op;
  readonly traceparent: string | undefined;
  /** The producers to tell: more than one when it was added more than once. */
  readonly producers: Set<string>;
  /** The jobs it is part of that were taken along. */
  readonly guests: string[] = [];
  readonly group: string;
  attempt: number = 1;
  readyAt: number = 0;
  cap: number;

  constructor(wire: JobOperation, place: { readonly from: string; readonly group: string; readonly cap: number }) {
    this.key = wire.i;
    this.orderingKey = wire.k;
    this.op = wire.v as Op;
    this.traceparent = wire.t;
    this.producers = new Set([place.from]);
    this.group = place.group;
    this.cap = place.cap;
  }

  /** The operation as it was added: what a call does to its copy shows neither in the next try nor in the dead letter. */
  copy(): Op {
    return typeof this.op === 'object' ? (JSON.parse(JSON.stringify(this.op)) as Op) : this.op;
  }
}
