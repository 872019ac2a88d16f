import { closeSync, existsSync, readdirSync, unlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
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
import { startChild } from '../support/native/child.ts';
import { Flood } from '../support/native/flood.ts';
import { HeldTap } from '../support/native/held-tap.ts';

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
let attached: ReadBack;
beforeEach(() => {
  attached = attachFilter(held.pinDir, held.ifindex);
});
afterEach(async () => {
  await Flood.stopAll();
  removePins(held.pinDir, { attachedToo: true });
});

/** In place, on both hooks, first, with this policy, and nothing half-made beside it. */
function expectInForce(seen: ReadBack, policy: Uint8Array | null): void {
  expect(seen).toMatchObject({
    fromVm: { ifindex: held.ifindex, attachPoint: 'tcx/ingress', first: true },
    toVm: { ifindex: held.ifindex, attachPoint: 'tcx/egress', first: true },
    policyState: policy === null ? 'empty' : 'set',
    policyHash: policy === null ? null : policyHash(policy),
  });
  expect(readdirSync(held.root)).not.toContain(`${held.name}_next`);
}

describe('replacing a filter', () => {
  test('updates the links: same links, new programs, the desired policy, counts that go on', () => {
    writePolicy(held.pinDir, policyA);
    held.send(toAddress(NEVER));
    const counted = counters(held.pinDir);
    const replaced = replaceFilter(held.pinDir, held.ifindex, policyB);
    expectInForce(replaced, policyB);
    expect(replaced.fromVm?.linkId).toBe(attached.fromVm?.linkId);
    expect(replaced.toVm?.linkId).toBe(attached.toVm?.linkId);
    expect(replaced.fromVm?.programId).not.toBe(attached.fromVm?.programId);
    expect(replaced.toVm?.programId).not.toBe(attached.toVm?.programId);
    expect(counters(held.pinDir)).toEqual(counted);
    // The pins are those of the new set: the policy can be changed.
    writePolicy(held.pinDir, policyA);
    expectInForce(readBack(held.pinDir), policyA);
    expectInForce(replaceFilter(held.pinDir, held.ifindex, null), null);
    expect(existsSync(`${held.pinDir}/policy`)).toBe(false);
  });

  test.each(['link_from_vm', 'link_to_vm'])('that lost %s gets it back, the other link stays', (pin) => {
    writePolicy(held.pinDir, policyA);
    unlinkSync(`${held.pinDir}/${pin}`);
    const [lost, kept] =
      pin === 'link_from_vm' ? (['fromVm', 'toVm'] as const) : (['toVm', 'fromVm'] as const);
    expect(readBack(held.pinDir)[lost]).toBeNull();
    const repaired = replaceFilter(held.pinDir, held.ifindex, policyA);
    expectInForce(repaired, policyA);
    expect(repaired[kept]?.linkId).toBe(attached[kept]?.linkId);
  });

  test.each([
    ['program pins', ['from_vm', 'to_vm']],
    ['maps', ['policy_slot', 'counters']],
    ['links', ['link_from_vm', 'link_to_vm']],
    ['everything', ['from_vm', 'to_vm', 'policy_slot', 'counters', 'link_from_vm', 'link_to_vm']],
  ])('that lost its %s is whole again', (_, pins) => {
    for (const pin of pins) unlinkSync(`${held.pinDir}/${pin}`);
    expectInForce(replaceFilter(held.pinDir, held.ifindex, policyA), policyA);
  });

  test('gets in front again of whoever attached before it, without a moment behind nobody', () => {
    const intruder = `${held.root}/intruder`;
    attachFilter(intruder, held.ifindex);
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: { first: false }, toVm: { first: false } });
    const overtaken = replaceFilter(held.pinDir, held.ifindex, policyA);
    expectInForce(overtaken, policyA);
    expect(overtaken.fromVm?.linkId).not.toBe(attached.fromVm?.linkId);
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
      expect(() => replaceFilter(held.pinDir, ifindex, policyB)).toThrow(refusal);
      expect(() => attachFilter(held.pinDir, ifindex)).toThrow(refusal);
    }
    expect(readBack(held.pinDir)).toEqual(before);
    closeSync(wrong.fd);
  });

  test('that cannot attach what is missing leaves what is attached, and no half-made set', () => {
    unlinkSync(`${held.pinDir}/link_to_vm`);
    unlinkSync(`${held.pinDir}/link_from_vm`);
    expect(() => replaceFilter(held.pinDir, 4711, policyB)).toThrow(
      expect.objectContaining({ code: 'VMN_BPF_ATTACH' }),
    );
    expect(readdirSync(held.root)).not.toContain(`${held.name}_next`);
    expect(readBack(held.pinDir)).toMatchObject({ fromVm: null, toVm: null, policyState: 'empty' });
    expectInForce(replaceFilter(held.pinDir, held.ifindex, policyB), policyB);
  });
});

describe('under traffic', () => {
  const frames = [toAddress(ALLOWED), toAddress(NEVER), toAddress(OTHER)];

  test('of 50 replacements with changes of policy, not one frame passes that no policy allowed', async () => {
    writePolicy(held.pinDir, policyA);
    const before = await held.passed(NEVER);
    const flood = await Flood.start(held.fd, [toAddress(ALLOWED), toAddress(NEVER)]);
    const start = await held.passed(ALLOWED);
    const startRounds = flood.rounds;
    for (let round = 0; round < 50; round++) {
      expectInForce(replaceFilter(held.pinDir, held.ifindex, policyA), policyA);
    }
    const rounds = (await flood.stop()) - startRounds;
    expect(rounds).toBeGreaterThan(50);
    expect((await held.passed(NEVER)) - before).toBe(0);
    // Nor was one lost that the policy allowed all the time; the counter was read a little before the rounds were.
    expect((await held.passed(ALLOWED)) - start).toBeGreaterThanOrEqual(rounds);
  }, 60_000);

  test('[EB-4] killed at any moment, what is attached enforces an old or a new policy, and replacing again repairs', async () => {
    writePolicy(held.pinDir, policyA);
    const before = await held.passed(NEVER);
    const flood = await Flood.start(held.fd, frames);
    const seen = { set: 0, unknown: 0, empty: 0 };
    for (let round = 0; round < 25; round++) {
      const child = startChild(
        held.host,
        `
          const policies = [${JSON.stringify([...policyA])}, ${JSON.stringify([...policyB])}].map((bytes) => Uint8Array.from(bytes));
          engine.readBack(${JSON.stringify(held.pinDir)});
          say('ready');
          for (let i = 0; ; i++) {
            engine.replaceFilter(${JSON.stringify(held.pinDir)}, ${held.ifindex}, policies[i % 2]);
            engine.writePolicy(${JSON.stringify(held.pinDir)}, policies[(i + 1) % 2]);
          }
        `,
      );
      await child.next();
      await pause(10 + Math.random() * 90);
      await child.kill();
      const left = readBack(held.pinDir);
      seen[left.policyState] += 1;
      const live = { ifindex: held.ifindex, first: true };
      expect(left).toMatchObject({ fromVm: live, toVm: live });
      if (left.policyHash !== null)
        expect([policyHash(policyA), policyHash(policyB)]).toContain(left.policyHash);
      const desired = [policyA, policyB, null][round % 3] ?? null;
      expectInForce(replaceFilter(held.pinDir, held.ifindex, desired), desired);
    }
    await flood.stop();
    expect((await held.passed(NEVER)) - before).toBe(0);
    expect(await held.passed(ALLOWED)).toBeGreaterThan(0);
    expect(seen.empty + seen.set + seen.unknown).toBe(25);
  }, 120_000);
});
