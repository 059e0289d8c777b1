import type { RedisServer } from '@perf/testkit';
import { vi } from 'vitest';
import type { BusListener, BusMessage } from '../src/index.ts';

/** A bus listener that writes down what it hears: messages without their source, and `'up'` and `'down'`. */
export class RecordingListener implements BusListener {
  readonly heard: (Omit<BusMessage, 'source'> | 'up' | 'down')[] = [];
  connected = false;

  get messages(): Omit<BusMessage, 'source'>[] {
    return this.heard.filter((each) => typeof each === 'object');
  }

  onMessage({ namespace, keys, tags }: BusMessage): void {
    this.heard.push({ namespace, ...(keys && { keys }), ...(tags && { tags }) });
  }

  onConnected(): void {
    this.connected = true;
    this.heard.push('up');
  }

  onDisconnected(): void {
    this.connected = false;
    this.heard.push('down');
  }

  /** Waits until it is connected, for the nth time. */
  async up(times = 1): Promise<void> {
    await this.#until(() => this.connected && this.heard.filter((each) => each === 'up').length >= times);
  }

  async down(): Promise<void> {
    await this.#until(() => !this.connected);
  }

  async count(messages: number): Promise<void> {
    await this.#until(() => this.messages.length >= messages);
  }

  /** Waits until it is connected to `server`, hears that this hangs, and that it dies, and each time that it is back. */
  async hearsLosses(server: RedisServer): Promise<void> {
    await this.up();
    server.pause();
    await this.down();
    server.resume();
    await this.up(2);
    await server.kill();
    await this.down();
    await server.restart();
    await this.up(3);
  }

  async #until(condition: () => boolean): Promise<void> {
    await vi.waitFor(
      () => {
        if (!condition()) throw new Error(`still waiting, having heard ${JSON.stringify(this.heard)}`);
      },
      { timeout: 15_000, interval: 5 },
    );
  }
}
