export function square(n: number): number;
export function work(n: number): number;
export function transform(x: number): number;
export function transformAll(numbers: Float64Array): Float64Array;
export function transformRange(range: {
  readonly data: { readonly input: Float64Array; readonly output: Float64Array };
  readonly start: number;
  readonly end: number;
}): void;
