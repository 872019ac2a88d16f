import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import { readBack, replaceFilter, writePolicy, type ReadBack } from '../../src/native/filter-engine.ts';
import { policyHash } from '../../src/native/policy-abi.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { startChild } from '../support/native/child.ts';
import { Flood } from '../support/native/flood.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { describeHooks } from '../support/native/hooks.ts';

const policy = policyBytes({ ...PINNED, generation: 7n });
const allowed = fromGuest(CAST);
const forbidden = fromGuest(CAST, { ip: { destination: STRANGER.address } });

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('adoption');
}, 30_000);
afterAll(async () => {
  await held?.close();
}, 30_000);

afterEach(() => Flood.stopAll());

/** Bytes do not survive JSON; their hash is compared. */
const comparable = ({ policy: bytes, ...rest }: ReadBack): unknown => ({
  ...rest,
  bytes: bytes?.length ?? null,
});

describeHooks('adoption', (hook) => {
  afterAll(() => {
    removePins(held.pinDir, { attachedToo: true });
  });

  test('[EB-4] a filter outlives the process that attached it: killed with -9, it goes on dropping and passing', async () => {
    const first = startChild(
      held.host,
      `
      engine.attachFilter(${JSON.stringify(held.pinDir)}, ${String(held.ifindex)}, ${hook.optionsText});
      engine.writePolicy(${JSON.stringify(held.pinDir)}, Uint8Array.from(${JSON.stringify([...policy])}));
      const { policy, ...rest } = engine.readBack(${JSON.stringify(held.pinDir)});
      say({ ...rest, bytes: policy?.length ?? null });
      setInterval(() => undefined, 1000);
    `,
    );
    const asSeenByIt = await first.next();
    await first.kill();

    const adopted = readBack(held.pinDir);
    const passedBefore = await held.passed(CAST.endpoint.address);
    expect(comparable(adopted)).toEqual(asSeenByIt);
    expect(adopted).toMatchObject({ policyState: 'set', policyHash: policyHash(policy) });
    held.send(allowed);
    held.send(forbidden);
    expect((await held.passed(CAST.endpoint.address)) - passedBefore).toBe(1);
    expect(await held.passed(STRANGER.address)).toBe(0);
  }, 30_000);

  test('[EB-4] the next process changes its policy and replaces its programs in place, without a gap', async () => {
    const before = readBack(held.pinDir);
    const passedBefore = await held.passed(CAST.endpoint.address);
    const flood = await Flood.start(held.fd, [allowed, forbidden]);
    const second = startChild(
      held.host,
      `
      for (let i = 0; i < 20; i++) {
        engine.replaceFilter(${JSON.stringify(held.pinDir)}, ${String(held.ifindex)}, engine.readBack(${JSON.stringify(held.pinDir)}).policy);
      }
      const { policy, ...rest } = engine.readBack(${JSON.stringify(held.pinDir)});
      say({ ...rest, bytes: policy?.length ?? null });
    `,
    );
    const asSeenByIt = await second.next();
    expect(await second.end()).toBe(0);
    const rounds = await flood.stop();
    const after = readBack(held.pinDir);
    expect(comparable(after)).toEqual(asSeenByIt);
    expect(after.fromVm?.linkId).toBe(before.fromVm?.linkId);
    expect(after.toVm?.linkId).toBe(before.toVm?.linkId);
    expect(after.fromVm?.programId).not.toBe(before.fromVm?.programId);
    expect(after.policyHash).toBe(before.policyHash);
    // Every round is one allowed and one forbidden frame: all of the former passed, none of the latter.
    expect((await held.passed(CAST.endpoint.address)) - passedBefore).toBe(rounds);
    expect(await held.passed(STRANGER.address)).toBe(0);
    expect(rounds).toBeGreaterThan(50);
  }, 60_000);

  test('[EB-4] an adopted filter is closed at once when asked to', async () => {
    const passedBefore = await held.passed(CAST.endpoint.address);
    writePolicy(held.pinDir, null);
    held.send(allowed);
    expect(await held.passed(CAST.endpoint.address)).toBe(passedBefore);
    expect(replaceFilter(held.pinDir, held.ifindex, null).policyState).toBe('empty');
  });
});
