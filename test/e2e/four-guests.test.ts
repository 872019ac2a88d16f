/** Four VMs of one host with a kernel WireGuard each, at once: one of them takes what it can get, and none sees anything of another. */
import { afterAll, beforeAll, expect } from '@jest/globals';
import { guestAddressOf } from '../../demo/scenario/attacker.ts';
import { ask } from '../../demo/scenario/guest-script.ts';
import type { Rental } from '../../demo/scenario/manifest.ts';
import { PLACES } from '../../demo/scenario/places.ts';
import { Provider, reservePins } from '../../demo/scenario/provider.ts';
import { bootRented } from '../../demo/scenario/tenant.ts';
import { World } from '../../demo/scenario/world.ts';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { CONSUMER_INSIDE, ConsumerTunnel } from '../support/debian-guest/consumer-tunnel.ts';
import { tunnelKernel } from '../support/debian-guest/image.ts';
import { DEBIAN_NEEDS } from '../support/debian-guest/needs.ts';
import type { Guest } from '../support/guest/index.ts';
import { ensureInitramfs } from '../support/guest/initramfs.ts';
import { capture, Lab, poll, type Capture } from '../support/lab/index.ts';
import { requires } from '../support/skip.ts';

/** A cold cache, then four boots under emulation. */
const OPEN_TIMEOUT_MS = 300_000;
/** Of each VM; less than an emulated one can send while three others do. */
const BITS_PER_SECOND = 1_000_000;
/** Delivered of all of them before a window ends: several seconds' worth, so that bursts do not count. */
const WINDOW_BYTES = 4 * 5 * (BITS_PER_SECOND / 8);
const WINDOW_DEADLINE_MS = 60_000;
const FAIR = 0.2;

const { describe, test } = requires(...DEBIAN_NEEDS);

interface Vm {
  name: string;
  inside: string;
  address: string;
  publicKey: string;
  guest: Guest;
  /** Whatever its card was given. */
  given: Capture;
}

describe('[E2E-6] four guests at once', () => {
  let lab: Lab;
  let world: World;
  let provider: Provider;
  let tunnel: ConsumerTunnel;
  let vms: Vm[];

  beforeAll(async () => {
    const kernel = await tunnelKernel();
    const image = { kernel, initramfs: await ensureInitramfs(kernel, ['wireguard'], ['wg', 'ping']) };
    lab = await Lab.create('four');
    const bpffs = reservePins(lab);
    world = await World.build(lab, { withTunnels: true });
    tunnel = await ConsumerTunnel.open(lab, world.consumer, PLACES.consumer.port);
    provider = new Provider(world, bpffs);
    await provider.startAgent();
    const rentals = [1, 2, 3, 4].map((number): Rental => {
      const limits = { egressBitsPerSecond: BITS_PER_SECOND };
      return { name: `rental-${String(number)}`, endpoint: PLACES.consumer, limits };
    });
    await world.agree(PLACES.consumer);
    vms = await Promise.all(
      rentals.map(async (rental, at) => {
        const file = provider.manifests.apply(rental);
        const guest = await bootRented(rental, file, image, world, provider);
        return rented(rental.name, guest, `10.99.0.${String(at + 2)}`);
      }),
    );
  }, OPEN_TIMEOUT_MS);
  afterAll(async () => {
    await lab?.close();
  }, 60_000);

  /** Its root makes a key and a tunnel, as people do. */
  async function rented(name: string, guest: Guest, inside: string): Promise<Vm> {
    const attachment = await provider.attachment(name, 'Enforced', ({ state }) => state === 'Enforced');
    const { guestMac, tap } = identityOf(name);
    await world.hostFarEnd.watch(tap);
    const given = await capture(world.host, tap, `not ether src ${guestMac}`);
    const { address, port } = PLACES.consumer;
    const peer = `peer ${tunnel.publicKey} endpoint ${address}:${String(port)} allowed-ips 10.99.0.0/24`;
    const publicKey = await guest.must(
      [
        'nft flush ruleset',
        'umask 077 && wg genkey >/tmp/key',
        'ip link add wg0 type wireguard',
        `wg set wg0 private-key /tmp/key ${peer} persistent-keepalive 25`,
        `ip address add ${inside}/24 dev wg0 && ip link set wg0 mtu 1420 && ip link set wg0 up`,
        'wg pubkey </tmp/key',
      ].join(' && '),
    );
    await tunnel.admit({ publicKey: publicKey.trim(), address: inside });
    return { name, inside, address: guestAddressOf(attachment), publicKey: publicKey.trim(), guest, given };
  }

  /** Bytes that arrived at the consumer from each VM, in the order of the VMs. */
  async function delivered(): Promise<number[]> {
    const said = await world.consumer.run(['wg', 'show', tunnel.name, 'transfer']);
    const byKey = new Map(said.split('\n').map((line) => [line.split('\t')[0], Number(line.split('\t')[1])]));
    return vms.map(({ publicKey }) => byKey.get(publicKey) ?? 0);
  }

  /** What each delivers while all of them send, `flows` of them at a time. */
  async function shares(flows: readonly number[]): Promise<number[]> {
    await Promise.all(
      vms.map(({ guest }, at) => guest.must(`for i in $(seq ${String(flows[at])}); do ${FLOOD}; done`)),
    );
    const [first, last] = [await window(), await window()];
    await Promise.all(vms.map(({ guest }) => guest.must('killall ping')));
    return last.map((bytes, at) => bytes - (first[at] ?? 0));
  }

  async function window(): Promise<number[]> {
    const before = await delivered();
    const enough = async (): Promise<number[] | null> => {
      const now = await delivered();
      const bytes = now.map((count, at) => count - (before[at] ?? 0));
      return bytes.reduce((sum, count) => sum + count, 0) >= WINDOW_BYTES ? now : null;
    };
    return poll('the guests to send', enough, { deadlineMs: WINDOW_DEADLINE_MS, everyMs: 100 });
  }

  test('[E2E-6] each has its tunnel, and they share alike though one sends four times over', async () => {
    for (const { guest } of vms) await guest.must(`ping -c 1 -W 10 ${CONSUMER_INSIDE}`);
    const shared = await shares([4, 1, 1, 1]);
    const mean = shared.reduce((sum, bytes) => sum + bytes, 0) / shared.length;
    for (const bytes of shared) expect(Math.abs(bytes / mean - 1)).toBeLessThan(FAIR);
  }, 180_000);

  test('[E2E-6] none reaches another, by its card or through the tunnel', async () => {
    for (const { guest, address } of vms) {
      const others = vms.filter((vm) => vm.address !== address);
      for (const other of others) {
        expect((await guest.run(ask(other.address, PLACES.consumer.port))).code).toBe(1);
        expect((await guest.run(`ping -c 1 -W 1 ${other.inside}`)).code).toBe(1);
      }
    }
    expect(await world.newArrivals()).toEqual([]);
  }, 60_000);

  test('[E2E-6] each card was given datagrams of the consumer for its own address, and nothing else', () => {
    for (const { name, address, given } of vms) {
      const frames = given.frames().map((frame) => summary(frame));
      const [own, arp] = [`UDP ${PLACES.consumer.address} to ${address}`, 'ARP'];
      expect([name, frames.filter((frame) => ![own, arp].includes(frame))]).toEqual([name, []]);
      expect([name, frames.includes(own)]).toEqual([name, true]);
    }
  });
});

/** Near whole packets through the tunnel, 500 a second, answered or not. iputils' own: busybox has no such intervals. */
const FLOOD = `(ping -q -n -i 0.002 -s 1300 ${CONSUMER_INSIDE} >/dev/null 2>&1 &)`;

function summary(bytes: Uint8Array): string {
  const frame = Buffer.from(bytes);
  const type = frame.readUInt16BE(12);
  if (type === 0x0806) return 'ARP';
  if (type !== 0x0800 || frame[23] !== 17) return `frame ${frame.toString('hex', 0, 60)}`;
  const dotted = (at: number): string => [...frame.subarray(at, at + 4)].join('.');
  return `UDP ${dotted(26)} to ${dotted(30)}`;
}
