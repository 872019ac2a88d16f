/** A VM ends, in each way in which one can, beside two that go on: of the ended one nothing is left, and the others lose no frame. */
import { closeSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { readBack } from '../../src/native/filter-engine.ts';
import { linkByName } from '../../src/native/rtnetlink.ts';
import { openTap } from '../../src/native/tap.ts';
import { Qemu } from '../support/discovery/qemu.ts';
import { fromGuest } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import { castOf } from '../support/stage/agent-cast.ts';
import { attachmentOf, type AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PacedFlood } from '../support/stage/paced-flood.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { pinnedObjects, stillThere, type BpfIds } from '../support/stage/snapshot.ts';

const { a } = RentalLab;
const MAC = (last: number): string => `52:54:00:e1:00:0${String(last)}`;
/** Source ports of those that go on. */
const OWN = 43_001;
const FOUND = 43_002;

describe('the end of one VM', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let survivor: FoundVm;
  let ownFd = -1;
  let flood: PacedFlood;
  let arrived: PortCounter;
  let linksBefore: unknown;

  const onHost = <T>(work: () => T): T => {
    const leave = moveInto(rental.host);
    try {
      return work();
    } finally {
      leave();
    }
  };
  const on = ({ attachments }: AgentStatus, tap: string): AttachmentStatus | undefined =>
    attachments.find((one) => one.tap === tap);
  const enforcedOn = async (tap: string): Promise<AttachmentStatus> =>
    on(
      await agent.until(`${tap} to be enforced`, (seen) => on(seen, tap)?.state === 'Enforced', 30_000),
      tap,
    )!;
  /** A network's VM appears in status before it is named: a tap of its own would be made for one that is not here yet. */
  const seenOn = (tap: string): Promise<AgentStatus> =>
    agent.until(`the VM on ${tap}`, (seen) => (on(seen, tap)?.vm ?? '') !== '', 30_000);
  const linksOf = (pins: string): unknown => {
    const { fromVm, toVm } = onHost(() => readBack(join(rental.home.bpffs, pins)));
    return [fromVm?.linkId, fromVm?.programId, toVm?.linkId, toVm?.programId];
  };
  const linksOfOthers = async (): Promise<unknown> => {
    const status = await agent.until('an answer', () => true);
    return [attachmentOf(status, 'end-own')!, on(status, 'xend0')!].map(({ pins }) => linksOf(pins));
  };
  const objectsOf = ({ pins }: AttachmentStatus): Promise<BpfIds> =>
    pinnedObjects(rental.host, join(rental.home.bpffs, pins));

  beforeAll(async () => {
    rental = await RentalLab.open('end');
    arrived = await PortCounter.place(rental.consumerA, 'eth0', { own: OWN, found: FOUND });
    agent = rental.home.start(['--managed-interfaces', 'xend*']);
    await agent.until('the first pass', () => true);
    await makeTap(rental.host, 'xend0');
    survivor = FoundVm.start(rental.host, 'end-found', [{ tap: 'xend0', mac: MAC(0) }]);
    await seenOn('xend0');
    apply(rental.home, { name: 'end-own', endpoint: a });
    apply(rental.home, { name: 'end-found', endpoint: a });
    const status = await agent.until('both', (seen) =>
      ['end-own', 'end-found'].every((vm) => attachmentOf(seen, vm)?.state === 'Enforced'),
    );
    const cast = castOf(status, 'end-own', a);
    ownFd = onHost(() => openTap(cast.tap));
    const own = fromGuest(cast, {
      ip: { destination: a.address },
      udp: { sourcePort: OWN, destinationPort: a.port },
    });
    const found = survivor.datagram(on(status, 'xend0')!.guestAddress!, a, FOUND);
    flood = await PacedFlood.start([
      { fd: ownFd, frames: [own], rate: 500 },
      { fd: survivor.fd(), frames: [found], rate: 500 },
    ]);
    linksBefore = await linksOfOthers();
  }, 90_000);
  afterAll(async () => {
    await flood?.stop();
    if (ownFd >= 0) closeSync(ownFd);
    await survivor?.kill();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  /** Interface, programs, maps, pins, route, neighbour and record; and of the others everything is as it was. */
  async function expectCleanEnd(ended: AttachmentStatus, objects: BpfIds): Promise<void> {
    expect([objects.link.length, objects.prog.length, objects.map.length > 1]).toEqual([2, 2, true]);
    await poll('the end of its pins', () => !existsSync(join(rental.home.bpffs, ended.pins)));
    await poll(
      'the end of its BPF objects',
      async () => (await stillThere(rental.host, objects)).length === 0,
    );
    const { host } = rental;
    expect(onHost(() => linkByName(ended.tap))).toBeNull();
    expect(await host.run(['ip', 'route', 'show', 'table', 'all'])).not.toContain(ended.guestAddress);
    expect(await host.run(['ip', 'neigh', 'show', 'nud', 'permanent'])).not.toContain(ended.guestAddress);
    expect(await linksOfOthers()).toEqual(linksBefore);
    const status = await agent.until(
      'its end in status',
      (seen) => attachmentOf(seen, ended.vm) === undefined,
    );
    expect([attachmentOf(status, 'end-own')?.state, on(status, 'xend0')?.state]).toEqual([
      'Enforced',
      'Enforced',
    ]);
    expect(status.problems).toEqual([]);
  }

  test('[ER-1] its handle is closed: its tap goes, with all that was made for it', async () => {
    apply(rental.home, { name: 'end-held', endpoint: a });
    const status = await agent.until(
      'it',
      (seen) => attachmentOf(seen, 'end-held')?.state === 'Enforced',
      30_000,
    );
    const ended = attachmentOf(status, 'end-held')!;
    const objects = await objectsOf(ended);
    const fd = onHost(() => openTap(ended.tap));
    await agent.until('its holder', (seen) => attachmentOf(seen, 'end-held')?.inUse === true);
    withdraw(rental.home, 'end-held');
    await agent.until('denial', (seen) => attachmentOf(seen, 'end-held')?.state === 'Denied');
    expect(onHost(() => linkByName(ended.tap))).not.toBeNull();
    closeSync(fd);
    await expectCleanEnd(ended, objects);
  }, 60_000);

  test('[ER-1] its tap is removed under a QEMU that goes on: what was for that tap goes', async () => {
    await makeTap(rental.host, 'xend1');
    const vm = FoundVm.start(rental.host, 'end-removed', [{ tap: 'xend1', mac: MAC(1) }]);
    await seenOn('xend1');
    apply(rental.home, { name: 'end-removed', endpoint: a });
    const ended = await enforcedOn('xend1');
    const objects = await objectsOf(ended);
    // A manifest whose VM has no card here would be given a tap of its own.
    withdraw(rental.home, 'end-removed');
    await agent.until('denial', (seen) => on(seen, 'xend1')?.state === 'Denied');
    await rental.host.run(['ip', 'link', 'del', 'xend1']);
    expect(vm.qemu.ended).toBe(false);
    await expectCleanEnd(ended, objects);
    await vm.kill();
  }, 60_000);

  test('[ER-1] its QEMU, which made its tap itself, is killed: the kernel removes the tap, the agent the rest', async () => {
    const netdev = ['-netdev', 'tap,id=n,ifname=xend2,script=no,downscript=no'];
    const card = ['-device', `virtio-net-pci,netdev=n,mac=${MAC(2)}`];
    const qemu = new Qemu(rental.host, ['-name', 'guest=end-killed', '-nodefaults', ...netdev, ...card]);
    await seenOn('xend2');
    apply(rental.home, { name: 'end-killed', endpoint: a });
    const ended = await enforcedOn('xend2');
    const objects = await objectsOf(ended);
    withdraw(rental.home, 'end-killed');
    await qemu.kill();
    await expectCleanEnd(ended, objects);
  }, 60_000);

  test('[ER-1] meanwhile the other VMs, one on a tap of ours and one found, lost not one frame', async () => {
    await flood.stop();
    const written = [flood.written(0), flood.written(1)];
    expect(Math.min(...written)).toBeGreaterThan(500);
    const counted = async (): Promise<number[]> => {
      const seen = await arrived.seen();
      return ['own', 'found'].map((kind) => seen[kind]?.packets ?? 0);
    };
    await poll('what is under way', async () => String(await counted()) === String(written), {
      detail: () => String(written),
    });
    expect(await counted()).toEqual(written);
  }, 30_000);
});
