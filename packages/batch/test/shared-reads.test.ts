import { describe, expect, test } from 'vitest';
import { Batcher } from '../src/index.ts';
import { useFakeTime } from './fake-time.ts';
import { Recorder, settle, watch } from './recorder.ts';

useFakeTime();

describe('a dedupe key', () => {
  interface Command {
    readonly kind: 'read' | 'stat' | 'write';
    readonly key?: string;
  }
  const read = (key: string): Command => ({ kind: 'read', key });
  const options = (recorder: Recorder<Command, string>) => ({
    execute: recorder.execute,
    groupBy: ({ kind }: Command) => kind,
    orderingKey: ({ key }: Command) => key,
    dedupeKey: ({ kind, key }: Command) => (kind === 'write' ? undefined : (key ?? 'all')),
  });

  test('lets equal reads share one execution, waiting or being executed', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher(options(recorder));
    const first = batcher.add(read('k'));
    const second = batcher.add(read('k'));
    await settle();
    const third = batcher.add(read('k'));
    await settle();
    expect(recorder.batches).toEqual([[read('k')]]);
    await recorder.call(0).answer(['value']);
    expect(await Promise.all([first, second, third])).toEqual(['value', 'value', 'value']);
    expect(batcher.stats()).toMatchObject({ added: 1, shared: 2, succeeded: 1, pending: 0 });
    void batcher.add(read('k'));
    await settle();
    expect(recorder.calls).toHaveLength(2);
    await recorder.call(1).answer(['newer']);
  });

  test('does not let a read share one from before a write of its ordering key', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher({ ...options(recorder), concurrency: 9 });
    const before = batcher.add(read('k'));
    await settle();
    void batcher.add({ kind: 'write', key: 'k' });
    void batcher.add({ kind: 'write', key: 'other' });
    const after = [batcher.add(read('k')), batcher.add(read('k'))];
    await settle();
    await recorder.call(1).answer(['other written']);
    await recorder.call(0).answer(['old']);
    await recorder.call(2).answer(['written']);
    await recorder.call(3).answer(['new']);
    expect(recorder.calls).toHaveLength(4);
    expect(await before).toBe('old');
    expect(await Promise.all(after)).toEqual(['new', 'new']);
  });

  test('without an ordering key, does not let a read share one that began before a write was over', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher({ ...options(recorder), orderingKey: undefined });
    void batcher.add(read('k'));
    await settle();
    void batcher.add({ kind: 'write', key: 'k' });
    void batcher.add(read('k'));
    await settle();
    expect(recorder.calls).toHaveLength(3);
    const write = recorder.calls.findIndex(({ context }) => context.group === 'write');
    await recorder.call(write).answer(['written']);
    void batcher.add(read('k'));
    await settle();
    expect(recorder.calls).toHaveLength(4);
    for (const call of recorder.calls) await call.answer(['value']);
  });

  test('does not mix groups up', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher(options(recorder));
    const both = Promise.all([batcher.add(read('k')), batcher.add({ kind: 'stat', key: 'k' })]);
    await settle();
    await recorder.call(0).answer(['content']);
    await recorder.call(1).answer(['facts']);
    expect(await both).toEqual(['content', 'facts']);
  });

  test('lets one of two callers abort without the other', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher(options(recorder));
    const [one, two] = [new AbortController(), new AbortController()];
    const first = watch(batcher.add(read('k'), { signal: one.signal }));
    const second = watch(batcher.add(read('k'), { signal: two.signal }));
    const third = watch(batcher.add(read('k')));
    one.abort('one');
    await settle();
    two.abort('two');
    await settle();
    expect([first.outcome, second.outcome]).toEqual([
      { status: 'rejected', reason: 'one' },
      { status: 'rejected', reason: 'two' },
    ]);
    expect(recorder.call(0).context.signal.aborted).toBe(false);
    await recorder.call(0).answer(['value']);
    expect(third.outcome).toEqual({ status: 'fulfilled', value: 'value' });
  });

  test('does not let a read share one that all its callers have aborted', async () => {
    const recorder = new Recorder<Command, string>();
    const batcher = new Batcher({ ...options(recorder), orderingKey: undefined });
    const controller = new AbortController();
    const aborted = watch(batcher.add(read('k'), { signal: controller.signal }));
    await settle();
    controller.abort();
    const again = batcher.add(read('k'));
    await settle();
    expect(recorder.calls).toHaveLength(2);
    await recorder.call(1).answer(['value']);
    expect(await again).toBe('value');
    expect(aborted.outcome?.status).toBe('rejected');
    await recorder.call(0).answer(['late']);
  });
});
