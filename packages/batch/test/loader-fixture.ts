import { DataLoader, type DataLoaderOptions } from '../src/index.ts';
import { Recorder } from './recorder.ts';

/** A loader whose batches wait for the test to answer them. */
export function setUp<V = unknown>(
  options?: DataLoaderOptions<unknown, V>,
): { readonly recorder: Recorder<unknown, V>; readonly loader: DataLoader<unknown, V> } {
  const recorder = new Recorder<unknown, V>();
  const loader = new DataLoader<unknown, V>((keys, context) => recorder.execute(keys, context as never), options);
  return { recorder, loader };
}
