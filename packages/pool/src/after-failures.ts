/** A task that fails rejects a few turns of the microtask queue later (see `PoolTask.fail`): whoever waits for all of them comes after that. */
export async function afterFailures(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await Promise.resolve();
}
