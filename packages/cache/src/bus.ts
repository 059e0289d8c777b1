/** Says that values have changed. Without `keys` and `tags`, all of the namespace has. */
export interface BusMessage {
  /** The cache that made the change, which ignores the message. */
  readonly source: string;
  readonly namespace: string;
  /** Whose values changed. */
  readonly keys?: readonly string[];
  /** Every value with one of these tags has ended. */
  readonly tags?: readonly string[];
}

/** Hears of changes made by others. Its methods do not throw. */
export interface BusListener {
  onMessage(message: BusMessage): void;
  /** Every message published from now on will arrive. Called right away if that is so when the listener subscribes. */
  onConnected(): void;
  /** Messages may be missed from now on. */
  onDisconnected(): void;
}

/** Carries invalidations between processes, in whatever order and at least once while connected. */
export interface Bus {
  /** Resolves when the message is on its way. */
  publish(message: BusMessage): Promise<void>;
  /** @returns a function that ends the subscription; idempotent */
  subscribe(listener: BusListener): () => void;
}
