import { FunctionRecord } from './function-record.ts';

/** The name under which everything past the limit is put together. */
export const OVERFLOW_NAME = '(other)';

/** The records by name, never more than `limit` of them and one for the rest. */
export class FunctionRegistry {
  readonly #limit: number;
  #records = new Map<string, FunctionRecord>();
  #overflow: FunctionRecord | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The record of `name`, made when there is none; the common one when the registry is full. */
  get(name: string): FunctionRecord {
    const known = this.#records.get(name);
    if (known !== undefined) return known;
    if (this.#records.size >= this.#limit || name === OVERFLOW_NAME) {
      return (this.#overflow ??= new FunctionRecord(OVERFLOW_NAME));
    }
    const record = new FunctionRecord(name);
    this.#records.set(name, record);
    return record;
  }

  find(name: string): FunctionRecord | undefined {
    return name === OVERFLOW_NAME ? this.#overflow : this.#records.get(name);
  }

  all(): FunctionRecord[] {
    const records = [...this.#records.values()];
    if (this.#overflow !== undefined) records.push(this.#overflow);
    return records;
  }

  /** Forgets every name. Calls still running keep writing to the records of before, which nobody reads any more. */
  reset(): void {
    for (const record of this.all()) record.retired = true;
    this.#records = new Map();
    this.#overflow = undefined;
  }
}

/** Where a wrapped function finds its record: looked up at the first call and after a reset, kept in between. */
export class RecordSlot {
  readonly #registry: FunctionRegistry;
  readonly #nameFor: (self: unknown) => string;
  #name: string | undefined;
  #record: FunctionRecord | undefined;

  /** @param nameFor names the function at its first call, from its `this` */
  constructor(registry: FunctionRegistry, nameFor: (self: unknown) => string) {
    this.#registry = registry;
    this.#nameFor = nameFor;
  }

  record(self: unknown): FunctionRecord {
    const record = this.#record;
    if (record !== undefined && !record.retired) return record;
    this.#name ??= this.#nameFor(self);
    return (this.#record = this.#registry.get(this.#name));
  }
}
