import { expectTypeOf } from 'vitest';
import {
  type Comparison,
  type FunctionReport,
  Profiler,
  type ProfilerOptions,
  type Span,
  compare,
  startCpuProfile,
} from '../src/index.ts';

const profiler = new Profiler();

async function load<T>(id: T, retries?: number): Promise<T[]> {
  return [id].slice(0, retries);
}
class Thing {
  readonly size: number;
  constructor(size: number) {
    this.size = size;
  }
}

expectTypeOf(profiler.wrap(load)).toEqualTypeOf<typeof load>();
expectTypeOf(profiler.wrap(Thing)).toEqualTypeOf<typeof Thing>();
expectTypeOf(profiler.unwrap(load)).toEqualTypeOf<typeof load>();
expectTypeOf(profiler.measure('x', () => 1 as const)).toEqualTypeOf<1>();
expectTypeOf(profiler.measure('x', async () => 'text')).toEqualTypeOf<Promise<string>>();
expectTypeOf(profiler.span('x')).toEqualTypeOf<Span>();
expectTypeOf(profiler.report('x')).toEqualTypeOf<FunctionReport | undefined>();
expectTypeOf(compare([1], [2])).toEqualTypeOf<Comparison>();
expectTypeOf(startCpuProfile).parameter(0).toEqualTypeOf<{ readonly interval?: number } | undefined>();

// @ts-expect-error -- no such option
export const misspelt: ProfilerOptions = { samplerate: 1 };
// @ts-expect-error -- not a function
profiler.wrap({ call: 1 });

export class Decorated {
  @profiler.profile()
  method(a: number, b?: string): string {
    return `${a}${b}`;
  }

  @profiler.profile('getter')
  get value(): number {
    return 1;
  }

  @profiler.profile()
  accessor level = 1;

  @profiler.profile()
  handler = (): number => this.level;

  @profiler.profile()
  static async make(): Promise<Decorated> {
    return new Decorated();
  }
}
expectTypeOf<Decorated['method']>().toEqualTypeOf<(a: number, b?: string) => string>();
