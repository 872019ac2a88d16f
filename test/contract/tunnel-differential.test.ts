import { describe, expect, test } from '@jest/globals';
import { newFilterMemory } from '../../src/filter/filter-memory.ts';
import { strategyFor } from '../../src/filter/strategy.ts';
import { tunnelSeenBy } from '../../src/native/tunnel.ts';
import { createFilterState, judgeWith } from '../../src/native/verdict.ts';
import { metaOf, scenarios } from '../support/frames-generator/scenario.ts';
import { fromReference, seenOf, wireGuardScenarios } from '../support/frames-generator/tunnel.ts';

// What the readable reference and the C filter make of the same datagrams: whose tunnel, who asked, who answered, and when.

const SEED = 0x7475;
const MESSAGES = 20_000;
const FRAMES = 10_000;

describe('the reference and the C filter', () => {
  test(`see the same of the tunnel in ${String(MESSAGES)} messages of a few indices, answered and not, to either side`, () => {
    const memory = newFilterMemory();
    const state = createFilterState();
    const met = { handshakes: 0n, offered: 0, again: 0 };
    let before = seenOf(tunnelSeenBy(state));
    for (const [index, { direction, policy, frame, circumstances }] of wireGuardScenarios(SEED, MESSAGES)) {
      strategyFor(policy.inForce, memory).judge(direction, policy.inForce, frame, circumstances);
      judgeWith(state, direction, policy.bytes, frame, metaOf(circumstances));
      const there = seenOf(tunnelSeenBy(state));
      expect({ index, seen: fromReference(memory.tunnel.seen) }).toEqual({ index, seen: there });
      if (there.handshakes > before.handshakes) met.handshakes += 1n;
      if (there.offered !== null && before.offered === null) met.offered += 1;
      if (there.address !== before.address) met.again += 1;
      before = there;
    }
    expect(met.handshakes).toBeGreaterThan(500n);
    expect(met.offered).toBeGreaterThan(100);
    expect(met.again).toBeGreaterThan(20);
  });

  test(`see the same in ${String(FRAMES)} frames of every kind and mode`, () => {
    const vms = new Map<number, [ReturnType<typeof newFilterMemory>, ReturnType<typeof createFilterState>]>();
    const source = scenarios(SEED);
    let looked = 0;
    for (let index = 0; index < FRAMES; index += 1) {
      const { vm, direction, policy, frame, circumstances } = source.next().value;
      const [memory, state] = vms.get(vm) ?? [newFilterMemory(), createFilterState()];
      vms.set(vm, [memory, state]);
      strategyFor(policy.inForce, memory).judge(direction, policy.inForce, frame, circumstances);
      judgeWith(state, direction, policy.bytes, frame, metaOf(circumstances));
      const there = seenOf(tunnelSeenBy(state));
      expect({ index, seen: fromReference(memory.tunnel.seen) }).toEqual({ index, seen: there });
      if (there.asked['from-vm'] !== null) looked += 1;
    }
    expect(looked).toBeGreaterThan(100);
  });
});
