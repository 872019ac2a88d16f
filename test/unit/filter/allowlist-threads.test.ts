import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { EndpointAllowlist } from '../../../src/filter/endpoint-allowlist.ts';
import { CAPACITY, generation, Shared } from '../../support/allowlist/generations.ts';
import type { LookupOrder, LookupReport } from '../../support/allowlist/lookup-worker.ts';

const WORKER = fileURLToPath(new URL('../../support/allowlist/lookup-worker.ts', import.meta.url));
const WORKERS = 2;
const LOOKUPS = 1_000_000;
/** Addresses and ports of generations come round after this many, so no more are made. */
const MOST_REPLACEMENTS = 0x10_0000 - 10;

test('[AL-3] 10^6 lookups in other threads while the list is replaced: old or new, never a mix, the old refused at once', async () => {
  const shared = new Uint32Array(new SharedArrayBuffer(16));
  const list = new EndpointAllowlist(generation(1), CAPACITY);
  Atomics.store(shared, Shared.BEGUN, 1);
  Atomics.store(shared, Shared.RETURNED, 1);

  const order: LookupOrder = { list: list.shared, shared, lookups: LOOKUPS / WORKERS };
  const workers = Array.from({ length: WORKERS }, () => new Worker(WORKER, { workerData: order }));
  try {
    const reports = Promise.all(
      workers.map(async (worker) => (await once(worker, 'message')) as [LookupReport]),
    );
    const replacements = replaceWhile(list, shared, () => Atomics.load(shared, Shared.DONE) < WORKERS);
    const [told, replaced] = await Promise.all([reports, replacements]);

    expect(told.flatMap(([{ violations }]) => violations)).toEqual([]);
    expect(told.reduce((sum, [{ lookups }]) => sum + lookups, 0)).toBe(LOOKUPS);
    // They did meet, often: else nothing was tested.
    expect(replaced).toBeGreaterThan(1000);
    expect(told.reduce((sum, [{ met }]) => sum + met, 0)).toBeGreaterThan(1000);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}, 60_000);

/** Replaces the list over and over from when the first worker looks up; how often. */
async function replaceWhile(
  list: EndpointAllowlist,
  shared: Uint32Array,
  going: () => boolean,
): Promise<number> {
  let number = 1;
  while (going()) {
    await setImmediate(); // messages and failures of the workers come in here
    if (Atomics.load(shared, Shared.RUNNING) === 0) continue;
    for (let burst = 0; burst < 500 && number < MOST_REPLACEMENTS; burst += 1) {
      number += 1;
      Atomics.store(shared, Shared.BEGUN, number);
      list.replace(generation(number));
      Atomics.store(shared, Shared.RETURNED, number);
    }
  }
  return number - 1;
}
