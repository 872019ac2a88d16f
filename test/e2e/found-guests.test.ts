/** Real guests on taps that others made, in the ways in which people make them, under one agent: root in each attacks. */
import { beforeAll, expect } from '@jest/globals';
import { Ledger, type Line } from '../../demo/scenario/ledger.ts';
import {
  besiege,
  besiegePlugged,
  endAll,
  PHASES,
  stepOf,
  type Running,
} from '../support/found-guests/siege.ts';
import { FoundStage } from '../support/found-guests/stage.ts';
import type { FoundVmSpec, PluggedCard } from '../support/found-guests/vm.ts';
import {
  byIpTuntap,
  byLibvirt,
  byQemu,
  pluggedByMonitor,
  pluggedByVirsh,
} from '../support/found-guests/ways.ts';
import { ensureImage } from '../support/guest/index.ts';
import { Lab } from '../support/lab/index.ts';
import { Libvirtd } from '../support/libvirt/index.ts';
import { executable, file, kernel, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

const SIEGE_TIMEOUT_MS = 600_000;

const { describe, test } = requires(
  ...[root, kernel(6, 6), file('/dev/net/tun', 'modprobe tun')],
  ...['qemu-system-x86_64', 'tcpdump', 'libvirtd', 'virsh'].map(executable),
);

const spare = (last: number) => ({
  ...{ mac: `52:54:00:e2:e4:0${String(last)}`, address: `100.64.200.${String(last)}` },
});
const card = (last: number, name: string) => ({
  ...spare(last),
  ...{ name, uuid: `6a0cbd52-1a0d-4d35-9d4b-6c1f0a1fe2e${String(last)}` },
});

describe('[E2E-4] real guests on taps that others made', () => {
  const ledger = new Ledger();
  let libvirtd: Libvirtd;
  const left: string[] = [];
  let failure: Error | null = null;
  const ON_HOST: [how: string, spec: FoundVmSpec][] = [
    ['made by ip tuntap', byIpTuntap(card(1, 'by-ip'), 'e2e-ip0')],
    ['made by QEMU itself', byQemu(card(2, 'by-qemu'), 'e2e-qemu0')],
    [
      'of a libvirt domain, interface type ethernet',
      byLibvirt(() => libvirtd, 'ethernet', card(3, 'lv-ethernet'), 'e2e-lve%d'),
    ],
    [
      'of a libvirt domain, interface type bridge',
      byLibvirt(() => libvirtd, 'bridge', card(4, 'lv-bridge'), 'e2e-lvb%d'),
    ],
  ];
  /** As KubeVirt has it: the VM is in namespaces of its pod, for processes and network; the agent is not. */
  const IN_POD: [how: string, spec: FoundVmSpec][] = [
    [
      'in a network namespace of its own',
      byIpTuntap(card(5, 'in-pod'), 'e2e-pod0', [
        'unshare',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount-proc',
      ]),
    ],
  ];

  const PLUGGED: [how: string, into: string, card: PluggedCard][] = [
    [
      'that a running VM got by its monitor',
      'by-ip',
      pluggedByMonitor({ ...spare(6), label: 'plugged-by-monitor', tap: 'e2e-plug0' }),
    ],
    [
      'that a running libvirt domain got by virsh attach-device',
      'lv-bridge',
      pluggedByVirsh(() => libvirtd, { ...spare(7), label: 'plugged-by-virsh', tap: 'e2e-lvp%d' }),
    ],
  ];

  beforeAll(async () => {
    const labs = [await Lab.create('taps'), await Lab.create('pod')] as const;
    try {
      await tell(...labs);
    } catch (error) {
      failure = error as Error; // every test below then says so, with the lines that there are
    } finally {
      for (const lab of labs.toReversed()) await lab.close();
    }
  }, SIEGE_TIMEOUT_MS);

  /** Two scenes side by side: their VMs, namespaces and far ends have nothing in common but the agent. */
  async function tell(hostLab: Lab, podLab: Lab): Promise<void> {
    const image = await ensureImage();
    const host = await FoundStage.open(hostLab, image, { taps: 'e2e-*' });
    const pod = await FoundStage.open(podLab, image, host.provider);
    libvirtd = await Libvirtd.start(host.world.host, hostLab.scratch);
    const scenes = [
      [host, ON_HOST],
      [pod, IN_POD],
    ] as const;
    const told = await Promise.allSettled(
      scenes.map(async ([stage, vms]) => {
        const running = await besiege(
          stage,
          vms.map(([, spec]) => spec),
          ledger,
        );
        const plugged: Running[] = [];
        for (const [, name, one] of PLUGGED)
          for (const vm of running.filter(({ spec }) => spec.name === name))
            plugged.push(await besiegePlugged(stage, vm, one, running, ledger));
        left.push(...(await endAll(stage, [...running, ...plugged])));
      }),
    );
    const broken = told.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
    if (broken.length > 0) throw new Error(broken.map(String).join('\n\n'));
    await libvirtd.stop();
  }

  const cases = [
    ...[...ON_HOST, ...IN_POD].map(([how, { name }]) => [how, name] as const),
    ...PLUGGED.map(([how, , { label }]) => [how, label] as const),
  ];
  for (const [how, name] of cases) {
    test(`[E2E-4] a tap ${how}: closed before any policy, and its VM is named as its owner names it`, () => {
      expectInLine(stepOf(name, PHASES.found), 1);
    });
    test(`[E2E-4] a tap ${how}: before any policy root reaches nothing at all, all counted`, () => {
      expectInLine(stepOf(name, PHASES.before), 10);
    });
    test(`[E2E-4] a tap ${how}: root reaches the consumer and nothing else, all counted by reason`, () => {
      expectInLine(stepOf(name, PHASES.enforced), 10);
    });
    test(`[E2E-4] a tap ${how}: once the network is deleted root reaches nothing at all`, () => {
      expectInLine(stepOf(name, PHASES.removed), 10);
    });
  }

  test('the far end on the bridge does hear what nobody guards', () => {
    expectInLine('control', 2);
  });

  test('when they have ended nothing is left of them', () => {
    if (failure !== null) throw failure;
    expect(left).toEqual([]);
  });

  function expectInLine(step: string, atLeast: number): void {
    const lines = ledger.lines.filter((line) => line.step === step);
    expect(lines.flatMap(faultsOf)).toEqual([]);
    if (failure !== null && lines.length < atLeast) throw failure;
    expect(lines.length).toBeGreaterThanOrEqual(atLeast);
  }
});

function faultsOf({ attempt, faults }: Line): string[] {
  return faults.map((fault) => `${attempt}: ${fault}`);
}
