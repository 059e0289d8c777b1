import type { KeyvTag } from './keyv-cell.ts';

/** What a version stands for. */
export interface KeyvVersion {
  /** Of the namespace: changes with a `clear`. */
  readonly generation: string;
  /** Of the history of all tags of the namespace: changes with each invalidation. */
  readonly history: string;
  /** By this process's clock, before it was read. */
  readonly readAt: number;
  /** Of the cell of the key, empty when there was none. */
  readonly id: string;
  /** The tags that were looked at too. */
  readonly known: readonly KeyvTag[];
}

export function packVersion({ generation, history, readAt, id, known }: KeyvVersion): string {
  return JSON.stringify([generation, history, readAt, id, known]);
}

/** `undefined` for what is no version of ours. */
export function unpackVersion(version: string): KeyvVersion | undefined {
  try {
    const [generation, history, readAt, id, known] = JSON.parse(version) as [
      string,
      string,
      number,
      string,
      readonly KeyvTag[],
    ];
    return { generation, history, readAt, id, known };
  } catch {
    return undefined;
  }
}
