import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { NativeAddon } from '../../src/native/addon.ts';
import { removePins } from '../../src/native/bpffs.ts';
import {
  attachFilter,
  counters,
  readBack,
  replaceFilter,
  tunnelSeen,
  violations,
  writePolicy,
} from '../../src/native/filter-engine.ts';
import { policyHash } from '../../src/native/policy-abi.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { changePoints, killedAt } from '../support/native/change-points.ts';
import { Flood } from '../support/native/flood.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { describeHooks, type HookUnderTest } from '../support/native/hooks.ts';
import {
  OTHER_VERSIONS,
  OtherVersion,
  type OtherKind,
  policyOfOther,
} from '../support/native/other-version.ts';
import { executable, optional } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/*
 * A filter that another version attached, with policies, maps and events of another shape, in place of which this version puts
 * its own. Its programs and maps are real ones: see OtherVersion.
 */
/** Every so many-th change, by each hook others; VMN_CRASH_STRIDE=1, as `make test-kills` has it, is all of them. */
const STRIDE = Number(process.env['VMN_CRASH_STRIDE'] ?? 2);
const straced = requires(optional(executable('strace')));

const OTHER = CAST.previous.address;
const policyA = policyBytes({ ...PINNED, generation: 1n });
const policyB = policyBytes({
  ...PINNED,
  endpoint: { ...CAST.endpoint, address: OTHER },
  generation: 2n,
  violation: { threshold: 1, windowMs: 60_000 },
});
const toAddress = (destination: string): Uint8Array => fromGuest(CAST, { ip: { destination } });
const NUMBERS = { tcx: 1, clsact: 2 } as const;

describe.each(Object.keys(OTHER_VERSIONS) as OtherKind[])('a filter of the %s version', (kind) => {
  let held: HeldTap;
  let other: NativeAddon;
  beforeAll(async () => {
    other = (await OtherVersion.built(kind)).addon();
    held = await HeldTap.open(`upgrade-${kind}`);
  }, 240_000);
  afterAll(async () => {
    await held?.close();
  }, 30_000);
  afterEach(async () => {
    await Flood.stopAll();
    removePins(held.pinDir, { attachedToo: true });
  });

  const attachOther = (hook: HookUnderTest): void => {
    other.attachFilter(held.pinDir, held.ifindex, NUMBERS[hook.kind]);
    other.writePolicy(held.pinDir, policyOfOther(kind, policyA));
  };
  /** How many frames to this address pass now, of one sent. */
  const passes = async (address: string): Promise<number> => {
    const before = await held.passed(address);
    held.send(toAddress(address));
    return (await held.passed(address)) - before;
  };

  describeHooks('is', (hook) => {
    test('seen as what it is: in its place, by a policy that is none of this version', async () => {
      attachOther(hook);
      const seen = readBack(held.pinDir);
      expect(seen).toMatchObject(hook.here(held));
      expect(seen.policyState).toBe(kind === 'newer' ? 'unknown' : 'set');
      expect([await passes(CAST.endpoint.address), await passes(OTHER)]).toEqual([1, 0]);
      expect(() => violations(held.pinDir)).toThrow(expect.objectContaining({ code: 'VMN_BPF_MAP' }));
      expect(() => tunnelSeen(held.pinDir)).toThrow(expect.objectContaining({ code: 'VMN_BPF_MAP' }));
    });

    test('closed in place when nothing is to pass any more', async () => {
      attachOther(hook);
      writePolicy(held.pinDir, null);
      expect(await passes(CAST.endpoint.address)).toBe(0);
      expect(replaceFilter(held.pinDir, held.ifindex, null, hook.options).policyState).toBe('empty');
      expect(await passes(CAST.endpoint.address)).toBe(0);
    });

    test('[EB-4] replaced behind the same links, back and forth in the midst of traffic: no frame is lost, none leaks', async () => {
      attachOther(hook);
      const links = [readBack(held.pinDir)].map(({ fromVm, toVm }) => [fromVm?.linkId, toVm?.linkId]);
      const before = {
        allowed: await held.passed(CAST.endpoint.address),
        never: await held.passed(STRANGER.address),
      };
      const flood = await Flood.start(held.fd, [
        toAddress(CAST.endpoint.address),
        toAddress(STRANGER.address),
      ]);
      for (let round = 0; round < 3; round += 1) {
        const ours = replaceFilter(held.pinDir, held.ifindex, policyA, hook.options);
        expect(ours).toMatchObject({ ...hook.here(held), policyHash: policyHash(policyA) });
        other.replaceFilter(held.pinDir, held.ifindex, NUMBERS[hook.kind], policyOfOther(kind, policyA));
      }
      const ours = replaceFilter(held.pinDir, held.ifindex, policyA, hook.options);
      const rounds = await flood.stop();
      expect((await held.passed(STRANGER.address)) - before.never).toBe(0);
      expect((await held.passed(CAST.endpoint.address)) - before.allowed).toBe(rounds);
      expect([[ours.fromVm?.linkId, ours.toVm?.linkId]]).toEqual(links);
    }, 60_000);

    test('replaced with a state that begins anew, and counts that go on where they are of the same shape', () => {
      attachOther(hook);
      held.send(toAddress(STRANGER.address));
      replaceFilter(held.pinDir, held.ifindex, policyB, hook.options);
      expect(violations(held.pinDir)).toEqual({ crossings: 0n });
      expect(tunnelSeen(held.pinDir)).toMatchObject({ address: '0.0.0.0', handshakes: 0n });
      expect(counters(held.pinDir).map(({ packets }) => packets)).toEqual(kind === 'newer' ? [] : [1n]);
      held.send(toAddress(STRANGER.address));
      expect(violations(held.pinDir)).toEqual({ crossings: 1n });
    });

    test('replaced by one that is attached anew, too: closed, and never taken away', async () => {
      attachOther(hook);
      const flood = await Flood.start(held.fd, [toAddress(STRANGER.address)]);
      const before = await held.passed(STRANGER.address);
      expect(attachFilter(held.pinDir, held.ifindex, hook.options)).toMatchObject({
        ...hook.here(held),
        policyState: 'empty',
      });
      await flood.stop();
      expect((await held.passed(STRANGER.address)) - before).toBe(0);
    });

    if (kind === 'older') return;
    straced.test(
      '[EB-4] replaced with SIGKILL between any two changes: closed to strangers, repairable',
      async () => {
        const code = `engine.replaceFilter(${JSON.stringify(held.pinDir)}, ${String(held.ifindex)}, Uint8Array.from(${JSON.stringify([...policyB])}));`;
        attachOther(hook);
        const points = await changePoints(held.host, code, new RegExp(held.pinDir));
        for (const point of points.filter((_, at) => at % STRIDE === NUMBERS[hook.kind] % STRIDE)) {
          removePins(held.pinDir, { attachedToo: true });
          attachOther(hook);
          expect({ point, killed: await killedAt(held.host, point, code) }).toEqual({ point, killed: true });
          expect({ point, left: readBack(held.pinDir) }).toMatchObject({ left: hook.here(held) });
          expect({ point, passed: await passes(STRANGER.address) }).toEqual({ point, passed: 0 });
          const allowed = [await passes(CAST.endpoint.address), await passes(OTHER)];
          expect({ point, allowed }).toEqual({ point, allowed: expect.arrayContaining([1, 0]) });
          expect(replaceFilter(held.pinDir, held.ifindex, policyB, hook.options)).toMatchObject({
            ...hook.here(held),
            policyHash: policyHash(policyB),
          });
        }
        expect(points.length).toBeGreaterThan(12);
      },
      240_000,
    );
  });
});
