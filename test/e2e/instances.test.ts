/**
 * A real Debian whose disk is used again: copied, and booted as another VM; and kept, and booted as a new instance of the same one.
 * Until cloud-init has read the new seed, such a guest has everything of the one before, its key too.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { parseGuest } from '../../src/cloudinit/documents/guest.ts';
import { seedDocuments } from '../../src/cloudinit/documents/seed-documents.ts';
import { writeSeedImage } from '../../src/cloudinit/seed-image/image-file.ts';
import { noCloudFiles } from '../../src/cloudinit/seed-image/no-cloud.ts';
import { bootDebian, booted, copyDisk, ownDevices, powerOff } from '../support/debian-guest/boot.ts';
import { CONSUMER_INSIDE, keyPair, type KeyPair } from '../support/debian-guest/consumer-tunnel.ts';
import { ensureDebianImage } from '../support/debian-guest/image.ts';
import { DEBIAN_NEEDS } from '../support/debian-guest/needs.ts';
import { EXPECTED, HANDSHAKE, sentBy } from '../support/debian-guest/sent.ts';
import { DebianStage, ENDPOINT, GATEWAY } from '../support/debian-guest/stage.ts';
import type { Guest } from '../support/guest/index.ts';
import { capture, Lab, poll, type Capture } from '../support/lab/index.ts';
import { requires } from '../support/skip.ts';

const OPEN_TIMEOUT_MS = 900_000;
const HANDSHAKE_DEADLINE_MS = 30_000;
const USER_DATA = `#cloud-config
runcmd:
  - [sh, -c, 'echo once >>/var/lib/tenant-once']
`;

const FIRST = {
  name: 'first',
  tap: 'deb-first',
  mac: '02:76:00:00:de:11',
  address: '100.64.0.11',
  inside: '10.99.0.11',
};
/** Of another card, under another name. */
const COPY = {
  name: 'copy',
  tap: 'deb-copy',
  mac: '02:76:00:00:de:12',
  address: '100.64.0.12',
  inside: '10.99.0.12',
};
/** The first one's card and name. */
const ANEW = { ...FIRST, inside: '10.99.0.13' };
type Vm = typeof FIRST;

const { describe, test } = requires(...DEBIAN_NEEDS);

describe('a disk that was a guest’s before', () => {
  let lab: Lab;
  let stage: DebianStage;
  const keys = new Map<Vm, KeyPair>();
  const guests = new Map<Vm, Guest>();
  const captures = new Map<string, Capture>();
  /** When the first one was gone, and its last handshake. */
  let ended: { at: number; sent: number };

  beforeAll(async () => {
    const image = await ensureDebianImage();
    lab = await Lab.create('disks');
    stage = await DebianStage.open(lab);
    for (const vm of [FIRST, COPY, ANEW]) {
      const pair = await keyPair(stage.host);
      keys.set(vm, pair);
      await stage.tunnel.admit({ publicKey: pair.publicKey, address: vm.inside });
    }
    for (const vm of [FIRST, COPY]) {
      await stage.plug(vm);
      captures.set(vm.tap, await capture(stage.host, vm.tap));
    }
    const disk = await copyDisk(image.disk, join(lab.scratch, 'first.raw'));
    const boot = async (vm: Vm, instance: string, on: string): Promise<void> => {
      const seed = join(lab.scratch, `${vm.inside}.iso`);
      await writeSeedImage(seed, noCloudFiles(documents(vm, instance)));
      const where = { name: vm.inside, image, scratch: lab.scratch, disk: on, devices: ownDevices(seed, vm) };
      const spawn = (argv: string[]) => stage.host.spawn(argv, { stdio: ['ignore', 'pipe', 'pipe'] });
      guests.set(vm, await bootDebian({ ...where, spawn }));
      await booted(guests.get(vm)!);
    };
    await boot(FIRST, '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c21', disk);
    await poll('a handshake', async () => (await handshake(FIRST)) > 0, {
      deadlineMs: HANDSHAKE_DEADLINE_MS,
    });
    await powerOff(guests.get(FIRST)!);
    ended = { at: await handshake(FIRST), sent: (await sent(FIRST)).length };
    const copy = await copyDisk(disk, join(lab.scratch, 'copy.raw'));
    await Promise.all([
      boot(COPY, '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c22', copy),
      boot(ANEW, '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c23', disk),
    ]);
  }, OPEN_TIMEOUT_MS);
  afterAll(async () => {
    for (const guest of guests.values()) await guest.stop();
    await lab?.close();
  }, 60_000);

  function documents(vm: Vm, instance: string) {
    const card = { mac: vm.mac, address: vm.address, gateway: GATEWAY, mtu: 1500 };
    const tunnel = {
      privateKey: keys.get(vm)!.privateKey,
      peerPublicKey: stage.tunnel.publicKey,
      addresses: [`${vm.inside}/32`],
    };
    const guest = parseGuest({ vmName: vm.name, instance, card, endpoint: ENDPOINT, tunnel });
    return seedDocuments(guest, { delivery: 'VendorData', userData: Buffer.from(USER_DATA) });
  }

  const handshake = (vm: Vm): Promise<number> => stage.tunnel.handshake(keys.get(vm)!.publicKey);
  /** All frames that came from its tap, whoever they say that they are from. */
  const sent = (vm: Vm): Promise<string[]> =>
    poll('every frame of the guest in the capture', async () => {
      const frames = sentBy(vm, captures.get(vm.tap)!.frames());
      return frames.length === (await stage.sentBy(vm.tap)) ? frames : null;
    });

  for (const [what, vm] of [
    ['copied, and booted as another VM', COPY],
    ['booted as a new instance of its VM', ANEW],
  ] as const)
    test(`${what}, has the key, the name and the address of now, and says nothing as the one before`, async () => {
      const guest = guests.get(vm)!;
      expect(await guest.must('cloud-init status --long')).toContain('status: done');
      expect(await guest.must('hostname')).toBe(`${vm.name}\n`);
      expect(await guest.must('wg show wg0 public-key')).toBe(`${keys.get(vm)!.publicKey}\n`);
      expect(await guest.must('ip -4 -br address show dev vmnet0')).toMatch(` ${vm.address}/32 `);
      expect(await guest.must('ip -4 -br address show dev wg0')).toMatch(` ${vm.inside}/32 `);
      expect(await guest.must('nft list table inet vmnet_guest')).toContain(`ip saddr ${vm.address} `);
      expect(await guest.must('cat /var/lib/tenant-once')).toBe('once\nonce\n');
      await poll('a handshake', async () => (await handshake(vm)) > 0, { deadlineMs: HANDSHAKE_DEADLINE_MS });
      await guest.must(`ping -n -c 1 -W 10 ${CONSUMER_INSIDE}`);
      const frames = (await sent(vm)).slice(vm === ANEW ? ended.sent : 0);
      expect(frames).toContain(HANDSHAKE);
      expect(frames.filter((frame) => !EXPECTED.includes(frame))).toEqual([]);
      expect(await handshake(FIRST)).toBe(ended.at);
    }, 120_000);
});
