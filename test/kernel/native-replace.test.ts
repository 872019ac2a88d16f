import { closeSync, existsSync, readdirSync, unlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import {
  attachFilter,
  counters,
  readBack,
  replaceFilter,
  writePolicy,
  type ReadBack,
} from '../../src/native/filter-engine.ts';
import { policyHash } from '../../src/native/policy-abi.ts';
import { createTap } from '../../src/native/tap.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { startChild } from '../support/native/child.ts';
import { Flood } from '../support/native/flood.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { describeHooks, type HookUnderTest } from '../support/native/hooks.ts';

const ALLOWED = CAST.endpoint.address;
const OTHER = CAST.previous.address;
const NEVER = STRANGER.address;
const policyA = policyBytes({ ...PINNED, generation: 1n });
const policyB = policyBytes({ ...PINNED, endpoint: { ...CAST.endpoint, address: OTHER }, generation: 2n });
const toAddress = (destination: string): Uint8Array => fromGuest(CAST, { ip: { destination } });

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('replace');
}, 30_000);
afterAll(async () => {
  await held?.close();
}, 30_000);
afterEach(async () => {
  await Flood.stopAll();
  removePins(held.pinDir, { attachedToo: true });
});

/** In place, on both hooks, first, with this policy, and nothing half-made beside it. */
function expectInForce(hook: HookUnderTest, seen: ReadBack, policy: Uint8Array | null): void {
  expect(seen).toMatchObject({
    ...hook.here(held),
    policyState: policy === null ? 'empty' : 'set',
    policyHash: policy === null ? null : policyHash(policy),
  });
  expect(readdirSync(held.root)).not.toContain(`${held.name}_next`);
}

describeHooks('replacing a filter', (hook) => {
  let attached: ReadBack;
  beforeEach(() => {
    attached = attachFilter(held.pinDir, held.ifindex, hook.options);
  });

  test('updates in place: same links, new programs, the desired policy, counts that go on', () => {
    writePolicy(held.pinDir, policyA);
    held.send(toAddress(NEVER));
    const counted = counters(held.pinDir);
    const replaced = replaceFilter(held.pinDir, held.ifindex, policyB, hook.options);
    expectInForce(hook, replaced, policyB);
    expect(replaced.fromVm?.linkId).toBe(attached.fromVm?.linkId);
    expect(replaced.toVm?.linkId).toBe(attached.toVm?.linkId);
    expect(replaced.fromVm?.programId).not.toBe(attached.fromVm?.programId);
    expect(replaced.toVm?.programId).not.toBe(attached.toVm?.programId);
    expect(counters(held.pinDir)).toEqual(counted);
    // The pins are those of the new set: the policy can be changed.
    writePolicy(held.pinDir, policyA);
    expectInForce(hook, readBack(held.pinDir), policyA);
    expectInForce(hook, replaceFilter(held.pinDir, held.ifindex, null, hook.options), null);
    expect(existsSync(`${held.pinDir}/policy`)).toBe(false);
  });

  test.each([
    ['from-VM', 'fromVm', 'toVm'],
    ['to-VM', 'toVm', 'fromVm'],
  ] as const)('that lost its %s program gets it back, the other one stays', async (_, lost, kept) => {
    writePolicy(held.pinDir, policyA);
    if (hook.kind === 'tcx')
      unlinkSync(`${held.pinDir}/${lost === 'fromVm' ? 'link_from_vm' : 'link_to_vm'}`);
    else
      await held.host.run([
        'tc',
        'filter',
        'del',
        'dev',
        held.name,
        lost === 'fromVm' ? 'ingress' : 'egress',
      ]);
    // Without its link nothing is known of it; of a filter that is gone its record is left.
    expect(readBack(held.pinDir)[lost]?.ifindex ?? 0).toBe(0);
    const repaired = replaceFilter(held.pinDir, held.ifindex, policyA, hook.options);
    expectInForce(hook, repaired, policyA);
    expect(repaired[kept]?.linkId).toBe(attached[kept]?.linkId);
  });

  test.each([
    ['program pins', ['from_vm', 'to_vm']],
    ['maps', ['policy_slot', 'counters', 'state']],
    ['links, or the record of where it is', [...hook.hookPins]],
    ['everything', [...hook.pins]],
  ])('that lost its %s is whole again', (_, pins) => {
    for (const pin of pins) unlinkSync(`${held.pinDir}/${pin}`);
    expectInForce(hook, replaceFilter(held.pinDir, held.ifindex, policyA, hook.options), policyA);
  });

  test('gets in front again of whoever attached before it, without a moment behind nobody', () => {
    const intruder = `${held.root}/intruder`;
    attachFilter(intruder, held.ifindex, hook.options);
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: { first: false }, toVm: { first: false } });
    const overtaken = replaceFilter(held.pinDir, held.ifindex, policyA, hook.options);
    expectInForce(hook, overtaken, policyA);
    if (hook.kind === 'tcx') expect(overtaken.fromVm?.linkId).not.toBe(attached.fromVm?.linkId);
    // The other one is still there, behind.
    expect(readBack(intruder)).toMatchObject({ fromVm: { ifindex: held.ifindex, first: false } });
    removePins(intruder, { attachedToo: true });
  });

  test('asked for the wrong interface touches nothing: what is pinned guards the other one', () => {
    writePolicy(held.pinDir, policyA);
    const before = readBack(held.pinDir);
    const wrong = createTap('vmn-wrong');
    for (const ifindex of [wrong.ifindex, 4711]) {
      const refusal = expect.objectContaining({
        code: 'VMN_BPF_ATTACH',
        message: expect.stringContaining('busy'),
      });
      expect(() => replaceFilter(held.pinDir, ifindex, policyB, hook.options)).toThrow(refusal);
      expect(() => attachFilter(held.pinDir, ifindex, hook.options)).toThrow(refusal);
    }
    expect(readBack(held.pinDir)).toEqual(before);
    closeSync(wrong.fd);
  });

  test('that cannot attach what is missing leaves no half-made set', () => {
    removePins(held.pinDir, { attachedToo: true });
    expect(() => replaceFilter(held.pinDir, 4711, policyB, hook.options)).toThrow(
      expect.objectContaining({ code: 'VMN_BPF_ATTACH' }),
    );
    expect(readdirSync(held.root)).not.toContain(`${held.name}_next`);
    const { fromVm, toVm } = readBack(held.pinDir);
    expect([fromVm?.ifindex ?? 0, toVm?.ifindex ?? 0]).toEqual([0, 0]);
    expectInForce(hook, replaceFilter(held.pinDir, held.ifindex, policyB, hook.options), policyB);
  });
});

describeHooks('under traffic', (hook) => {
  beforeEach(() => {
    attachFilter(held.pinDir, held.ifindex, hook.options);
  });

  const frames = [toAddress(ALLOWED), toAddress(NEVER), toAddress(OTHER)];

  test('of 10 replacements, not one frame passes that no policy allowed, and not one is lost that it did', async () => {
    writePolicy(held.pinDir, policyA);
    const never = await held.passed(NEVER);
    const before = await held.passed(ALLOWED);
    const flood = await Flood.start(held.fd, [toAddress(ALLOWED), toAddress(NEVER)]);
    for (let round = 0; round < 10; round++) {
      expectInForce(hook, replaceFilter(held.pinDir, held.ifindex, policyA, hook.options), policyA);
    }
    const rounds = await flood.stop();
    expect(rounds).toBeGreaterThan(10);
    expect((await held.passed(NEVER)) - never).toBe(0);
    expect((await held.passed(ALLOWED)) - before).toBe(rounds);
    // Counting went on through all of it, and every frame was judged once.
    const counted = counters(held.pinDir).map(({ reason, packets }) => [symbolOf(reason), Number(packets)]);
    expect(Object.fromEntries(counted)).toEqual({ ALLOWED: rounds, DESTINATION_ADDRESS: rounds });
  }, 60_000);

  test('[EB-4] killed at any moment, what is attached enforces an old or a new policy, and replacing again repairs', async () => {
    writePolicy(held.pinDir, policyA);
    const before = await held.passed(NEVER);
    const flood = await Flood.start(held.fd, frames);
    const seen = { set: 0, unknown: 0, empty: 0 };
    for (let round = 0; round < 8; round++) {
      const child = startChild(
        held.host,
        `
          const policies = [${JSON.stringify([...policyA])}, ${JSON.stringify([...policyB])}].map((bytes) => Uint8Array.from(bytes));
          engine.readBack(${JSON.stringify(held.pinDir)});
          say('ready');
          for (let i = 0; ; i++) {
            engine.replaceFilter(${JSON.stringify(held.pinDir)}, ${held.ifindex}, policies[i % 2], ${hook.optionsText});
            engine.writePolicy(${JSON.stringify(held.pinDir)}, policies[(i + 1) % 2]);
          }
        `,
      );
      await child.next();
      await pause(10 + Math.random() * 90);
      await child.kill();
      const left = readBack(held.pinDir);
      seen[left.policyState] += 1;
      expect(left).toMatchObject(hook.here(held));
      if (left.policyHash !== null)
        expect([policyHash(policyA), policyHash(policyB)]).toContain(left.policyHash);
      const desired = [policyA, policyB, null][round % 3] ?? null;
      expectInForce(hook, replaceFilter(held.pinDir, held.ifindex, desired, hook.options), desired);
    }
    await flood.stop();
    expect((await held.passed(NEVER)) - before).toBe(0);
    expect(await held.passed(ALLOWED)).toBeGreaterThan(0);
    expect(seen.empty + seen.set + seen.unknown).toBe(8);
  }, 120_000);
});
