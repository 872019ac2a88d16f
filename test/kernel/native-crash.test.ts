import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import { attachFilter, readBack, replaceFilter, writePolicy } from '../../src/native/filter-engine.ts';
import { policyHash } from '../../src/native/policy-abi.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { type ChangePoint, changePoints, killedAt, TC_CHANGES } from '../support/native/change-points.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { describeHooks } from '../support/native/hooks.ts';
import { executable, optional } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/*
 * SIGKILL between any two system calls that change something: strace lists them in a run that is left alone, and then
 * kills one run after the other when it enters one of them. native-replace.test.ts does the same at random moments, where
 * nothing is needed for it.
 */
const { test } = requires(optional(executable('strace')));

/** All changes take minutes: every so many-th, by each hook others. VMN_CRASH_STRIDE=1 is all, as `make test-kills` has it. */
const STRIDE = Number(process.env['VMN_CRASH_STRIDE'] ?? 2);
const FIRST = { tcx: 0, clsact: STRIDE - 1 } as const;

const OTHER = CAST.previous.address;
const policyA = policyBytes({ ...PINNED, generation: 1n });
const policyB = policyBytes({ ...PINNED, endpoint: { ...CAST.endpoint, address: OTHER }, generation: 2n });
const toAddress = (destination: string): Uint8Array => fromGuest(CAST, { ip: { destination } });

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('crash');
}, 30_000);
afterAll(async () => {
  await held?.close();
}, 30_000);
afterEach(() => {
  removePins(held.pinDir, { attachedToo: true });
});

/** How many frames to this address pass now, of one sent. */
async function passes(address: string): Promise<number> {
  const before = await held.passed(address);
  held.send(toAddress(address));
  return (await held.passed(address)) - before;
}

describeHooks('killed between any two changes', (hook) => {
  /** Runs the code to its changes, or to those from one that matches on; `check` looks at what is left. */
  async function killedAtChanges(
    code: string,
    prepare: () => void,
    check: (point: ChangePoint) => Promise<void>,
    since = new RegExp(held.pinDir),
  ): Promise<number> {
    const whole = `
      const pinDir = ${JSON.stringify(held.pinDir)}, ifindex = ${String(held.ifindex)}, options = ${hook.optionsText};
      const policyB = Uint8Array.from(${JSON.stringify([...policyB])});
      ${code}
    `;
    prepare();
    const points = await changePoints(held.host, whole, since);
    for (const point of points.filter((_, at) => at % STRIDE === FIRST[hook.kind])) {
      prepare();
      expect({ point, killed: await killedAt(held.host, point, whole) }).toEqual({ point, killed: true });
      await check(point);
    }
    return points.length;
  }

  test('[EB-4] a replacement: closed to strangers, closable, repairable', async () => {
    const points = await killedAtChanges(
      'engine.replaceFilter(pinDir, ifindex, policyB, options);',
      () => {
        attachFilter(held.pinDir, held.ifindex, hook.options);
        writePolicy(held.pinDir, policyA);
      },
      async (point) => {
        const left = readBack(held.pinDir);
        expect({ point, left }).toMatchObject({ left: hook.here(held) });
        expect({ point, state: left.policyState }).not.toEqual({ point, state: 'empty' });
        if (left.policyHash !== null) expect([policyA, policyB].map(policyHash)).toContain(left.policyHash);
        // What passes is what one of the two policies allows, and what is said to be in force really is.
        expect(await passes(STRANGER.address)).toBe(0);
        const allowed = [await passes(CAST.endpoint.address), await passes(OTHER)];
        expect({ point, allowed }).toEqual({ point, allowed: expect.arrayContaining([1]) });
        if (left.policyHash !== null)
          expect(allowed).toEqual(left.policyHash === policyHash(policyA) ? [1, 0] : [0, 1]);
        // Closing says it closed only when it did.
        if (succeeds(() => writePolicy(held.pinDir, null))) {
          expect(await passes(CAST.endpoint.address)).toBe(0);
          expect(await passes(OTHER)).toBe(0);
        }
        const repaired = replaceFilter(held.pinDir, held.ifindex, policyB, hook.options);
        expect({ point, repaired }).toMatchObject({
          repaired: { ...hook.here(held), policyHash: policyHash(policyB) },
        });
      },
    );
    expect(points).toBeGreaterThan(15);
  }, 240_000);

  test('[EB-4] a replacement that gets in front of somebody: never without either, and in front in the end', async () => {
    const intruder = `${held.root}/intruder`;
    const previous = { ...CAST.endpoint, address: OTHER, untilNs: 2n ** 63n };
    const points = await killedAtChanges(
      'engine.replaceFilter(pinDir, ifindex, policyB, options);',
      () => {
        removePins(intruder, { attachedToo: true });
        attachFilter(held.pinDir, held.ifindex, hook.options);
        writePolicy(held.pinDir, policyA);
        attachFilter(intruder, held.ifindex, hook.options);
        writePolicy(intruder, policyBytes({ ...PINNED, previous }));
      },
      async (point) => {
        // The intruder alone would let both pass.
        const allowed = [await passes(CAST.endpoint.address), await passes(OTHER)];
        expect({ point, allowed }).not.toEqual({ point, allowed: [1, 1] });
        const left = readBack(held.pinDir);
        expect({ point, left: [left.fromVm?.ifindex, left.toVm?.ifindex] }).toEqual({
          point,
          left: [held.ifindex, held.ifindex],
        });
        // Whoever is not first does not know what comes before it, a link of its own that was not pinned yet included.
        if (left.policyHash !== null && left.fromVm?.first === true) expect(allowed).toEqual([0, 1]);
        const repaired = replaceFilter(held.pinDir, held.ifindex, policyB, hook.options);
        expect({ point, repaired }).toMatchObject({
          repaired: { ...hook.here(held), policyHash: policyHash(policyB) },
        });
        expect([await passes(CAST.endpoint.address), await passes(OTHER)]).toEqual([0, 1]);
      },
      hook.kind === 'tcx' ? /BPF_LINK_CREATE/ : TC_CHANGES,
    );
    removePins(intruder, { attachedToo: true });
    expect(points).toBeGreaterThan(8);
  }, 240_000);

  test('an attachment: attaching again works, and is closed', async () => {
    const points = await killedAtChanges(
      'engine.attachFilter(pinDir, ifindex, options);',
      () => {
        removePins(held.pinDir, { attachedToo: true });
      },
      async (point) => {
        const again = attachFilter(held.pinDir, held.ifindex, hook.options);
        expect({ point, again }).toMatchObject({ again: { ...hook.here(held), policyState: 'empty' } });
        expect(await passes(CAST.endpoint.address)).toBe(0);
      },
    );
    expect(points).toBeGreaterThan(8);
  }, 120_000);

  test('a removal: what is left can be removed, and attached again', async () => {
    const points = await killedAtChanges(
      'engine.removePins(pinDir, { attachedToo: true });',
      () => {
        attachFilter(held.pinDir, held.ifindex, hook.options);
      },
      async (point) => {
        expect(await passes(STRANGER.address)).toBeLessThanOrEqual(1);
        removePins(held.pinDir, { attachedToo: true });
        expect({ point, passed: await passes(STRANGER.address) }).toEqual({ point, passed: 1 });
      },
    );
    expect(points).toBeGreaterThan(6);
  }, 120_000);
});

function succeeds(call: () => void): boolean {
  try {
    call();
    return true;
  } catch {
    return false;
  }
}
