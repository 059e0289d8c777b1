import type { MemoryReading } from './memory-reading.ts';
import type { Pressure } from './pressure.ts';
import type { PressureLevel } from './pressure-level.ts';

/** A reading and what the monitor makes of it. */
export interface MemorySample extends MemoryReading, Pressure {
  /** The level after this reading. */
  readonly level: PressureLevel;
  /** The smallest of the limits that apply, in bytes: of the heap, of the container, and the one given. */
  readonly limit: number;
}
