import { afterAll, beforeAll, expect } from '@jest/globals';
import { attempts } from '../../demo/scenario/attempts.ts';
import { describe as describeArrivals } from '../../demo/scenario/arrivals.ts';
import { ask } from '../../demo/scenario/guest-script.ts';
import { PLACES } from '../../demo/scenario/places.ts';
import { UNGUARDED } from '../../demo/scenario/unguarded.ts';
import { World } from '../../demo/scenario/world.ts';
import type { NatControl } from '../../src/native/nat-control.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { ensureImage, Guest } from '../support/guest/index.ts';
import { Lab, poll } from '../support/lab/index.ts';
import { byReason } from '../support/nat/bed.ts';
import { Engine } from '../support/nat/engine.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

// A real guest by QEMU's stream socket, and vmn-nat as a user without rights in the host's namespace: no tap, no eBPF, no
// forwarding and no rule of the firewall. Root is needed to lay the cables around them. Its WireGuard is only the
// shape of one; nat-tunnel.test.ts has a real one.

const BOOT_MS = 240_000;
const { describe } = requires(root, executable('qemu-system-x86_64'), executable('tcpdump'));
const { test } = requires();

const attacker = { ...UNGUARDED, endpoint: PLACES.consumer };
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

describe('a real guest behind vmn-nat', () => {
  let lab: Lab;
  let world: World;
  let engine: Engine;
  let control: NatControl;
  let guest: Guest;

  beforeAll(async () => {
    const image = await ensureImage();
    lab = await Lab.create('nat');
    world = await World.build(lab);
    engine = await Engine.start({ wrapper: world.host.enter(NOBODY) });
    control = await engine.control();
    const card = ['-netdev', `stream,id=nat,server=off,addr.type=unix,addr.path=${engine.guestPath}`];
    const device = ['-device', `virtio-net-pci,netdev=nat,mac=${attacker.mac}`];
    guest = await Guest.boot({
      ...{ name: 'nat', image, scratch: lab.scratch },
      network: { address: attacker.address, gateway: attacker.gatewayAddress },
      launch: (argv) =>
        world.host.spawn([...argv, ...card, ...device], { stdio: ['ignore', 'pipe', 'pipe'] }),
    });
    await guest.must('nft flush ruleset');
  }, BOOT_MS);

  afterAll(async () => {
    await guest?.stop();
    await engine?.stop();
    await lab?.close();
  });

  const reaches = async (): Promise<boolean> =>
    (await guest.run(ask(attacker.endpoint.address, attacker.endpoint.port, 1000))).code === 0;

  test('without a policy not even the consumer is reached', async () => {
    expect(await reaches()).toBe(false);
    expect(byReason(await control.counters())['from-vm NoPolicy']).toBeGreaterThan(0);
    expect(describeArrivals(await world.newArrivals())).toBe('');
  });

  test('with one it is, through an engine without a right, and its answer comes back', async () => {
    await control.setPolicy(
      policyBytes({
        ...{ guestMac: attacker.mac, guestAddress: attacker.address, endpoint: attacker.endpoint },
        ...{ gatewayMac: attacker.gatewayMac, gatewayAddress: attacker.gatewayAddress },
        ...{ strict: true, generation: 1n },
      }),
    );
    await poll('an answer', reaches); // the guest asks for its gateway anew when it likes
    const arrivals = await world.newArrivals();
    expect(arrivals.map(({ at }) => at)).toContain('consumer');
    const counted = byReason(await control.counters());
    expect(counted['from-vm Allowed']).toBeGreaterThan(0);
    expect(counted['to-vm Allowed']).toBeGreaterThan(0);
  });

  test('[E2E-4] root in the guest reaches nothing else, every drop counted by its reason', async () => {
    const faults: string[] = [];
    for (const { title, script, drops } of attempts(attacker)) {
      const before = byReason(await control.counters());
      const { code, output } = await guest.run(script);
      if (code > 1) faults.push(`${title}: could not be tried: ${output.trim()}`);
      const missing = async (): Promise<string[]> => {
        const now = byReason(await control.counters());
        const more = (reason: string): number =>
          (now[`from-vm ${reason}`] ?? 0) - (before[`from-vm ${reason}`] ?? 0);
        return Object.entries(drops).flatMap(([reason, count]) => (more(reason) < count ? [reason] : []));
      };
      await poll('the counters', async () => (await missing()).length === 0, { deadlineMs: 5000 }).catch(
        async () => faults.push(`${title}: not counted as ${(await missing()).join(', ')}`),
      );
      const arrived = await world.newArrivals();
      if (arrived.length > 0) faults.push(`${title}: arrived: ${describeArrivals(arrived)}`);
    }
    expect(faults).toEqual([]);
    expect(await reaches()).toBe(true); // it still could have
  }, 180_000);
});
