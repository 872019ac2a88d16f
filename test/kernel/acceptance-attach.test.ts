import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { closeSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  attachFilter,
  programTags,
  readBack,
  replaceFilter,
  writePolicy,
  type Hook,
  type ReadBack,
} from '../../src/native/filter-engine.ts';
import { removePins } from '../../src/native/bpffs.ts';
import { policyHash } from '../../src/native/policy-abi.ts';
import { linkByName, setLink } from '../../src/native/rtnetlink.ts';
import { createTap } from '../../src/native/tap.ts';
import { CAST, fromGuest, PINNED, policyOf, STRANGER, toGuest } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { capture, poll } from '../support/lab/index.ts';
import { Blaster } from '../support/stage/blaster.ts';
import { stampOf } from '../support/stage/stamp.ts';
import { moved, tally } from '../support/stage/tally.ts';
import { TapStage } from '../support/stage/tap-stage.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';
import { describe } from '../support/stage/needs.ts';

let stage: TapStage;
beforeAll(async () => {
  stage = await TapStage.open('attach');
}, 30_000);
afterAll(async () => {
  await stage?.close();
}, 30_000);

/** What bpftool, which shares nothing with our loader but the kernel, says about a program. */
async function programSeen(id: number): Promise<{ tag: string; type: string }> {
  const [seen] = JSON.parse(
    `[${await stage.host.run(['bpftool', '-j', 'prog', 'show', 'id', String(id)])}]`,
  ) as {
    tag: string;
    type: string;
  }[];
  if (seen === undefined) throw new Error(`bpftool knows no program ${String(id)}`);
  return seen;
}

describe('attachment', () => {
  test('[EB-1] attaches by tcx link on both hooks, and the kernel confirms it', async () => {
    const { fromVm, toVm, policy, policyState } = readBack(stage.pinDir);
    expect(stage.attached).toEqual({ fromVm, toVm, policy, policyState, policyHash: null });
    expect(policyState).toBe('empty');
    expect(policy).toBeNull();
    const tags = programTags();
    const ifindex = linkByName(TapStage.tap)?.ifindex;
    const wanted = { ifindex, first: true };
    expect(fromVm).toMatchObject({ ...wanted, attachPoint: 'tcx/ingress', programTag: tags.fromVm });
    expect(toVm).toMatchObject({ ...wanted, attachPoint: 'tcx/egress', programTag: tags.toVm });
    for (const hook of [fromVm, toVm] as Hook[]) {
      expect(await programSeen(hook.programId)).toMatchObject({ tag: hook.programTag, type: 'sched_cls' });
      expect(hook.linkId).toBeGreaterThan(0);
    }
    expect(fromVm?.linkId).not.toBe(toVm?.linkId);
    expect(fromVm?.programId).not.toBe(toVm?.programId);
  });

  test('[EB-1] is closed from the first moment: nothing passes before a policy is written', () => {
    const before = tally(stage.pinDir);
    stage.card.send(fromGuest(CAST));
    expect(moved(before, tally(stage.pinDir), 'from-vm')).toEqual({ NO_POLICY: 1 });
  });

  test('[EB-1] reads back the policy it was given, bit for bit, and that it was taken away', () => {
    for (const generation of [7n, 8n]) {
      const bytes = policyBytes({ ...PINNED, generation });
      writePolicy(stage.pinDir, bytes);
      const seen = readBack(stage.pinDir);
      expect(seen.policyState).toBe('set');
      expect(Buffer.from(seen.policy ?? [])).toEqual(Buffer.from(bytes));
      expect(seen.policyHash).toBe(policyHash(bytes));
    }
    writePolicy(stage.pinDir, null);
    expect(readBack(stage.pinDir)).toMatchObject({ policyState: 'empty', policy: null, policyHash: null });
  });

  test('[EB-1] notices a program of somebody else that came before ours', async () => {
    const script = fileURLToPath(new URL('../support/stage/intruder.py', import.meta.url));
    const intruder = stage.host.spawn(['python3', script, TapStage.tap], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const first = (): boolean[] =>
      [readBack(stage.pinDir).fromVm, readBack(stage.pinDir).toVm].map((hook) => hook?.first === true);
    expect(first()).toEqual([true, true]);
    await poll('the intruder', () => first().every((ours) => !ours));
    const repaired = replaceFilter(stage.pinDir, stage.ifindex, null);
    expect([repaired.fromVm?.first, repaired.toVm?.first]).toEqual([true, true]);
    expect(repaired.policyState).toBe('empty');
    intruder.stdin?.end();
    await poll('the end of the intruder', () => intruder.exitCode !== null);
    expect(first()).toEqual([true, true]);
  });

  test('[EB-1] pins that are gone read back as nothing attached', () => {
    const nowhere = `${stage.bpffs}/nowhere`;
    expect(readBack(nowhere)).toMatchObject({ fromVm: null, toVm: null, policy: null, policyHash: null });
  });

  test('[EB-1] an interface that is gone is not reported as filtered', () => {
    const { fd, ifindex } = createTap('vmn-brief');
    const pinDir = `${stage.bpffs}/vmn-brief`;
    attachFilter(pinDir, ifindex);
    closeSync(fd); // never persistent: the tap goes with its descriptor
    const { fromVm, toVm } = readBack(pinDir);
    expect(fromVm?.ifindex ?? 0).not.toBe(ifindex);
    expect(toVm?.ifindex ?? 0).not.toBe(ifindex);
    removePins(pinDir);
    expect(existsSync(pinDir)).toBe(false);
  });

  test('[EB-1] pins that outlived their interface are in nobody’s way', () => {
    const pinDir = `${stage.bpffs}/vmn-again`;
    closeSync(attachedTap('vmn-again', pinDir).fd);
    const { fd, ifindex, attached } = attachedTap('vmn-again', pinDir);
    expect(attached).toMatchObject({
      fromVm: { ifindex, first: true },
      toVm: { ifindex, first: true },
      policyState: 'empty',
    });
    closeSync(fd);
    removePins(pinDir);
  });

  test('[EB-1] attaching where a filter is attached already never takes that away: the same link, deny-all', () => {
    writePolicy(stage.pinDir, policyOf('plain', CAST, 0n));
    const before = readBack(stage.pinDir);
    const again = attachFilter(stage.pinDir, stage.ifindex);
    expect(again.policyState).toBe('empty');
    expect([again.fromVm?.linkId, again.toVm?.linkId]).toEqual([before.fromVm?.linkId, before.toVm?.linkId]);
    expect([again.fromVm?.first, again.toVm?.first]).toEqual([true, true]);
  });

  function attachedTap(name: string, pinDir: string): { fd: number; ifindex: number; attached: ReadBack } {
    const { fd, ifindex } = createTap(name);
    return { fd, ifindex, attached: attachFilter(pinDir, ifindex) };
  }
});

describe('upgrade', () => {
  test('[EB-4] replacing the programs under traffic loses no allowed frame and lets no other through', async () => {
    const policy = policyOf('plain', CAST, 0n);
    writePolicy(stage.pinDir, policy);
    const before = readBack(stage.pinDir);
    // Both floods run in processes of their own: the replacement blocks this thread.
    stage.card.close();
    setLink(stage.ifindex, { alias: 'vmnetwork:stage' });
    const places = {
      allowed: CAST.endpoint,
      stranger: { address: STRANGER.address, port: CAST.endpoint.port },
    };
    const inward = await capture(stage.host, TapStage.tap, `udp and dst host ${CAST.guestAddress}`);
    const blaster = new Blaster(stage.host, places, 1);
    await blaster.plug('stage', {
      tap: TapStage.tap,
      guestMac: CAST.guestMac,
      guestAddress: CAST.guestAddress,
    });
    const forged = toGuest(CAST, { ip: { source: STRANGER.address } });
    const flood = stage.host.spawn(['python3', '-c', FLOOD, TapStage.tap, hex(toGuest(CAST)), hex(forged)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let flooded = '';
    flood.stdout?.setEncoding('utf8').on('data', (text: string) => (flooded += text));
    await poll('the flood', () => flooded !== '');
    for (let round = 0; round < 20; round += 1) {
      const after = replaceFilter(stage.pinDir, stage.ifindex, policy);
      expect(after.fromVm).toMatchObject({
        ifindex: stage.ifindex,
        first: true,
        linkId: before.fromVm?.linkId,
      });
      expect(after.toVm).toMatchObject({ ifindex: stage.ifindex, first: true, linkId: before.toVm?.linkId });
      expect(after.fromVm?.programId).not.toBe(before.fromVm?.programId);
      expect(Buffer.from(after.policy ?? [])).toEqual(Buffer.from(policy ?? []));
      expect(readBack(stage.pinDir)).toEqual(after);
      await new Promise((resolve) => setImmediate(resolve));
    }
    flood.stdin?.end();
    await poll('the end of the flood', () => flooded.trim() !== '');
    await blaster.end();

    await stage.farEnd.drain();
    const stamps = stage.farEnd.frames().map(stampOf);
    expect(stamps.map((stamp) => stamp?.place)).toEqual(stamps.map(() => 'allowed'));
    expect(stamps.map((stamp) => stamp?.sequence)).toEqual(stamps.map((_, index) => index + 1));
    expect(stamps.length).toBeGreaterThan(100);

    const sent = Number(flooded.trim());
    expect(sent).toBeGreaterThan(100);
    await poll('the capture of the tap', () => inward.frames().length >= sent);
    expect(inward.frames().filter((frame) => hex(frame) !== hex(toGuest(CAST)))).toEqual([]);
    expect(inward.frames().length).toBe(sent);
  }, 30_000);

  test('[EB-4] an interface that was down is still filtered when it is up again', () => {
    const card = new VirtualCard(TapStage.tap);
    setLink(stage.ifindex, { up: false });
    setLink(stage.ifindex, { up: true });
    const before = tally(stage.pinDir);
    card.send(fromGuest(CAST, { ip: { destination: STRANGER.address } }));
    expect(moved(before, tally(stage.pinDir), 'from-vm')).toEqual({ DESTINATION_ADDRESS: 1 });
    card.close();
  });
});

const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');

/** Sends the allowed and the forbidden frame in turn until its input ends, then prints how many of the allowed. */
const FLOOD = `
import select, socket, sys
device, good, bad = sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.bind((device, 0))
print("", flush=True)
sent = 0
while not select.select([sys.stdin], [], [], 0.001)[0]:
    out.send(good)
    try:
        out.send(bad)
    except OSError:
        pass  # dropped on egress, which the kernel tells as "no buffer space"
    sent += 1
print(sent, flush=True)
`;
