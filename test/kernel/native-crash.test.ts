import { afterAll, beforeAll, expect } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import { attachFilter, readBack, replaceFilter, writePolicy } from '../../src/native/filter-engine.ts';
import { policyHash } from '../../src/native/policy-abi.ts';
import { CAST, fromGuest, PINNED, STRANGER } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { startChild } from '../support/native/child.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { executable, optional } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/*
 * SIGKILL between any two system calls that change something: strace kills the child when it enters the chosen call.
 * native-replace.test.ts does the same at random moments, where nothing is needed for it.
 */
const { test } = requires(optional(executable('strace')));

const OTHER = CAST.previous.address;
const policyA = policyBytes({ ...PINNED, generation: 1n });
const policyB = policyBytes({ ...PINNED, endpoint: { ...CAST.endpoint, address: OTHER }, generation: 2n });
const toAddress = (destination: string): Uint8Array => fromGuest(CAST, { ip: { destination } });

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('crash');
}, 30_000);
afterAll(async () => {
  if (held !== undefined) removePins(held.pinDir, { attachedToo: true });
  await held?.close();
}, 30_000);

/** Runs the code until it enters the call for the nth time. True when it was killed there, false when it ended before. */
async function killedAt(call: string, nth: number, code: string): Promise<boolean> {
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${String(nth)}`];
  const child = startChild(
    held.host,
    `
      const pinDir = ${JSON.stringify(held.pinDir)}, ifindex = ${String(held.ifindex)};
      const policyB = Uint8Array.from(${JSON.stringify([...policyB])});
      ${code}
    `,
    ['strace', '-f', '-qq', '-o', '/dev/null', ...inject],
  );
  return (await child.end()) !== 0;
}

/** How many frames to this address pass now, of one sent. */
async function passes(address: string): Promise<number> {
  const before = await held.passed(address);
  held.send(toAddress(address));
  return (await held.passed(address)) - before;
}

/** Calls that change something, from the first occurrence on that comes after the programs are loaded. */
const REPLACING = { bpf: 22, rename: 1, unlink: 7, mkdir: 2, rmdir: 1 };
const ATTACHING = { bpf: 20, mkdir: 1 };

for (const [call, from] of Object.entries(REPLACING)) {
  test(`[EB-4] killed at each ${call} of a replacement: closed to strangers, closable, repairable`, async () => {
    for (let nth = from; ; nth += 1) {
      attachFilter(held.pinDir, held.ifindex);
      writePolicy(held.pinDir, policyA);
      if (!(await killedAt(call, nth, 'engine.replaceFilter(pinDir, ifindex, policyB);'))) break;
      const live = { ifindex: held.ifindex, first: true };
      const left = readBack(held.pinDir);
      expect(left).toMatchObject({ fromVm: live, toVm: live });
      expect(left.policyState).not.toBe('empty');
      if (left.policyHash !== null) expect([policyA, policyB].map(policyHash)).toContain(left.policyHash);
      // What passes is what one of the two policies allows, and what is said to be in force really is.
      expect(await passes(STRANGER.address)).toBe(0);
      const allowed = [await passes(CAST.endpoint.address), await passes(OTHER)];
      expect(allowed).toContain(1);
      if (left.policyHash !== null)
        expect(allowed).toEqual(left.policyHash === policyHash(policyA) ? [1, 0] : [0, 1]);
      // Closing says it closed only when it did.
      if (succeeds(() => writePolicy(held.pinDir, null))) {
        expect(await passes(CAST.endpoint.address)).toBe(0);
        expect(await passes(OTHER)).toBe(0);
      }
      expect(replaceFilter(held.pinDir, held.ifindex, policyB)).toMatchObject({
        fromVm: live,
        toVm: live,
        policyHash: policyHash(policyB),
      });
    }
  }, 120_000);
}

for (const [call, from] of Object.entries(ATTACHING)) {
  test(`killed at each ${call} of an attachment: attaching again works, and is closed`, async () => {
    for (let nth = from; ; nth += 1) {
      removePins(held.pinDir, { attachedToo: true });
      if (!(await killedAt(call, nth, 'engine.attachFilter(pinDir, ifindex);'))) break;
      const live = { ifindex: held.ifindex, first: true };
      expect(attachFilter(held.pinDir, held.ifindex)).toMatchObject({
        fromVm: live,
        toVm: live,
        policyState: 'empty',
      });
      expect(await passes(CAST.endpoint.address)).toBe(0);
    }
  }, 120_000);
}

function succeeds(call: () => void): boolean {
  try {
    call();
    return true;
  } catch {
    return false;
  }
}
