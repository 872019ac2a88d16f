import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import type { Libvirtd } from '../libvirt/index.ts';
import { MonitorUser } from '../discovery/qemu.ts';
import { makeTap } from '../stage/found-vm.ts';
import { BRIDGE, type FoundStage } from './stage.ts';
import type { FoundVmSpec, PluggedCard } from './vm.ts';

/** What every one of them has, whoever makes the tap. */
type Card = Pick<FoundVmSpec, 'name' | 'uuid' | 'mac' | 'address'>;

/** `ip tuntap` made the tap before QEMU came, and put it into the bridge. This VM has a monitor. */
export function byIpTuntap(card: Card, tap: string, wrap: readonly string[] = []): FoundVmSpec {
  return {
    ...{ ...card, tap, inBridge: true },
    prepare: ({ world }) => makeTap(world.host, tap, BRIDGE),
    launch: (stage, argv) => {
      const words = [...wrap, ...argv, '-qmp', `unix:${monitorOf(stage, card.name)},server=on,wait=off`];
      return startQemu(stage, card, words, `tap,id=n0,ifname=${tap},script=no,downscript=no`);
    },
  };
}

/** QEMU makes the tap, and its script puts it into the bridge, as /etc/qemu-ifup does. It goes with QEMU. */
export function byQemu(card: Card, tap: string): FoundVmSpec {
  return {
    ...{ ...card, tap, inBridge: true },
    launch: (stage, argv) => {
      const script = join(stage.lab.scratch, `${card.name}-ifup`);
      writeFileSync(script, `#!/bin/sh\nexec ip link set "$1" master ${BRIDGE} up\n`, { mode: 0o755 });
      return startQemu(stage, card, argv, `tap,id=n0,ifname=${tap},script=${script},downscript=no`);
    },
  };
}

/** libvirt makes the tap and hands it to QEMU; with `bridge` it puts it there, too. */
export function byLibvirt(
  libvirtd: () => Libvirtd,
  type: 'ethernet' | 'bridge',
  card: Card,
  tap: string,
): FoundVmSpec {
  const { name, uuid, mac } = card;
  const inBridge = type === 'bridge';
  const source = inBridge ? { bridge: BRIDGE } : {};
  return {
    ...{ ...card, tap, inBridge },
    launch: (_stage, _argv, machine) =>
      libvirtd().run({ name, uuid, machine, interfaces: [{ type, mac, target: tap, ...source }] }),
  };
}

/** The monitor is told the name of a tap that is there. The VM has one, see {@link byIpTuntap}. */
export function pluggedByMonitor(card: Omit<PluggedCard, 'plug' | 'prepare'>): PluggedCard {
  return {
    ...card,
    prepare: ({ world }) => makeTap(world.host, card.tap, BRIDGE),
    plug: async (stage, { name }) => {
      const user = await MonitorUser.connect(monitorOf(stage, name));
      const netdev = { type: 'tap', id: 'n1', ifname: card.tap, script: 'no', downscript: 'no' };
      await user.ask('netdev_add', netdev);
      await user.ask('device_add', { driver: 'virtio-net-pci', id: 'late', netdev: 'n1', mac: card.mac });
      user.close();
    },
  };
}

/** libvirt makes the tap, puts it into the bridge and hands QEMU the descriptor. */
export function pluggedByVirsh(
  libvirtd: () => Libvirtd,
  card: Omit<PluggedCard, 'plug' | 'prepare'>,
): PluggedCard {
  const { mac, tap: target } = card;
  const plug: PluggedCard['plug'] = (_stage, { name }) =>
    libvirtd().plug(name, { type: 'bridge', mac, target, bridge: BRIDGE });
  return { ...card, plug };
}

function monitorOf({ lab }: FoundStage, name: string): string {
  return join(lab.scratch, `${name}.qmp`);
}

function startQemu(
  { world }: FoundStage,
  { name, uuid, mac }: Card,
  argv: readonly string[],
  netdev: string,
): ChildProcess {
  const device = ['-netdev', netdev, '-device', `virtio-net-pci,netdev=n0,mac=${mac}`];
  const words = [...argv, '-name', `guest=${name}`, '-uuid', uuid, ...device];
  return world.host.spawn(words, { stdio: ['ignore', 'pipe', 'pipe'] });
}
