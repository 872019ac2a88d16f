import { Guest, type GuestImage } from '../../test/support/guest/index.ts';
import type { Attacker } from './attempt.ts';
import { CapturedFarEnd, macOf } from './far-end.ts';
import { PLACES } from './places.ts';
import type { World } from './world.ts';

/** The tap of the control run. */
export const TAP = 'open0';

/** The guest of the control run; the same addresses as the agent would give. */
export const UNGUARDED: Attacker = {
  mac: '02:76:00:00:00:01',
  address: '100.64.0.2',
  gatewayMac: '02:76:6d:6e:00:01',
  gatewayAddress: '169.254.1.1',
  endpoint: PLACES.consumer,
  otherVm: '100.64.0.3',
};

/** A guest as most hosts would run it: a plain tap, forwarding and masquerade, no filter of ours. Its firewall is flushed. */
export async function bootUnguarded(image: GuestImage, world: World): Promise<Guest> {
  const { host, lab } = world;
  await host.run(['ip', 'tuntap', 'add', TAP, 'mode', 'tap']);
  await host.run(['ip', 'link', 'set', TAP, 'address', UNGUARDED.gatewayMac, 'up']);
  await host.run(['ip', 'address', 'add', `${UNGUARDED.gatewayAddress}/32`, 'dev', TAP]);
  await host.run(['ip', 'route', 'add', UNGUARDED.address, 'dev', TAP]);
  await host.sysctl('net.ipv4.conf.all.forwarding', 1);
  const masquerade = `table ip open {
    chain leave {
      type nat hook postrouting priority srcnat;
      oifname { "uplink0", "lan0", "meta0" } masquerade
    }
  }`;
  await host.run(['nft', '-f', '-'], { input: masquerade });
  await addOtherVm(world);
  await world.hostFarEnd.watch(TAP);

  const card = ['-netdev', `tap,id=open,ifname=${TAP},script=no,downscript=no`];
  const device = ['-device', `virtio-net-pci,netdev=open,mac=${UNGUARDED.mac}`];
  const network = { address: UNGUARDED.address, gateway: UNGUARDED.gatewayAddress };
  const guest = await Guest.boot({
    ...{ name: 'unguarded', image, scratch: lab.scratch, network },
    launch: (argv) => host.spawn([...argv, ...card, ...device], { stdio: ['ignore', 'pipe', 'pipe'] }),
  });
  await guest.must('nft flush ruleset');
  return guest;
}

/** A namespace stands in for the other VM: what counts is whether frames arrive there. */
async function addOtherVm(world: World): Promise<void> {
  const { lab, host } = world;
  const other = await lab.namespace('vm2');
  await lab.connect(host, other, { nameA: 'vm2', nameB: 'eth0', addressB: `${UNGUARDED.otherVm}/32` });
  const mac = await macOf(other, 'eth0');
  await host.run(['ip', 'route', 'add', UNGUARDED.otherVm, 'dev', 'vm2']);
  await host.run([
    'ip',
    'neighbour',
    'add',
    UNGUARDED.otherVm,
    'lladdr',
    mac,
    'dev',
    'vm2',
    'nud',
    'permanent',
  ]);
  world.add(await CapturedFarEnd.watch('other VM', other, 'eth0', mac));
}
