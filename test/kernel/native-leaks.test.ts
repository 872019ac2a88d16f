import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import { addon } from '../../src/native/addon.ts';
import {
  attachFilter,
  counters,
  eventLoss,
  openEvents,
  readBack,
  replaceFilter,
  testRun,
  violations,
  writePolicy,
} from '../../src/native/filter-engine.ts';
import { openOfflineFilter } from '../../src/native/offline-filter.ts';
import { watchNftables } from '../../src/native/nftables-watch.ts';
import { links, neighbours, routes, watchLinks } from '../../src/native/rtnetlink.ts';
import { CAST, fromGuest, PINNED } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { poll } from '../support/lab/index.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { describeHooks, type HookUnderTest } from '../support/native/hooks.ts';

const policy = policyBytes({ ...PINNED, generation: 1n });

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('leaks');
}, 30_000);
afterAll(async () => {
  await held?.close();
}, 30_000);

const descriptors = (): number => readdirSync('/proc/self/fd').length;

/** How many objects of our names the kernel holds, whoever made them. */
async function objects(kind: 'prog' | 'map' | 'link'): Promise<number> {
  const listed = JSON.parse(await held.host.run(['bpftool', '-j', kind, 'show'])) as { name?: string }[];
  const ours = /^(vmn_|policy|counters|events)/;
  return listed.filter(({ name }) => kind === 'link' || ours.test(name ?? '')).length;
}

const inventory = async (): Promise<number[]> => [
  await objects('prog'),
  await objects('map'),
  await objects('link'),
];

/** One of everything that opens something, failures included. */
function cycle(hook: HookUnderTest, full: boolean): void {
  if (full) {
    attachFilter(held.pinDir, held.ifindex, hook.options);
    replaceFilter(held.pinDir, held.ifindex, policy, hook.options);
    const offline = openOfflineFilter();
    offline.setPolicy(policy);
    offline.run('to-vm', fromGuest(CAST), { vlanInMetadata: true });
    offline.close();
    offline.close();
    addon().probeClsact();
  }
  readBack(held.pinDir);
  counters(held.pinDir);
  eventLoss(held.pinDir);
  violations(held.pinDir);
  testRun(held.pinDir, 'from-vm', fromGuest(CAST), { vlanInMetadata: true });
  expect(() => testRun(held.pinDir, 'from-vm', new Uint8Array(4))).toThrow();
  openEvents(held.root, () => undefined).close();
  watchLinks(() => undefined).close();
  watchNftables(() => undefined).close();
  links();
  routes({ protocol: 118 });
  neighbours(held.ifindex);
  expect(() => replaceFilter(held.pinDir, 4711, policy, hook.options)).toThrow();
  expect(() => counters(`${held.root}/nowhere`)).toThrow();
  if (full) {
    writePolicy(held.pinDir, policy);
    removePins(held.pinDir, { attachedToo: true });
  }
}

describeHooks('leaks', (hook) => {
  test('500 cycles of everything leave no descriptor and no object in the kernel', async () => {
    cycle(hook, true);
    await new Promise(setImmediate);
    const before = await inventory();
    const descriptorsBefore = descriptors();
    // Loading programs is what takes long; the rest is done more often.
    for (let i = 0; i < 20; i++) cycle(hook, true);
    attachFilter(held.pinDir, held.ifindex, hook.options);
    for (let i = 0; i < 500; i++) {
      cycle(hook, false);
      if (i % 100 === 0) await new Promise(setImmediate);
    }
    for (let i = 0; i < 100; i++) writePolicy(held.pinDir, i % 2 === 0 ? policy : null);
    removePins(held.pinDir, { attachedToo: true });
    await new Promise(setImmediate);
    expect(descriptors()).toBe(descriptorsBefore);
    // The kernel frees a little later; a machine may hold filters of others, so it is the growth that counts.
    await poll('the kernel to free what is gone', async () => {
      const after = await inventory();
      return after.every((count, i) => count - (before[i] ?? 0) < 10);
    });
  }, 120_000);
});
