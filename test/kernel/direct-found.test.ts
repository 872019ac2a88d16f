/** Mode Direct of VMs that others started, in the host's network namespace and in one of their own, as KubeVirt's pods have them. */
import { writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { readBack } from '../../src/native/filter-engine.ts';
import { decodePolicy } from '../../src/native/policy-abi.ts';
import { poll, type Namespace } from '../support/lab/index.ts';
import { networkOf, type AgentProcess } from '../support/stage/agent-process.ts';
import type { Arrivals } from '../support/stage/arrivals.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { applyMode } from '../support/stage/moded-manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const { b, x, hostAddress } = RentalLab;
const POD = { address: '10.0.1.2', router: '10.0.1.1' };
const CLASS = `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetworkClass
metadata: {name: open}
spec:
  allowedModes: [Direct]
  deniedDestinations: {networks: [198.51.100.0/24]}
`;

/** Counts what comes from the tap for this namespace itself, what it sends on, and what comes to it from the pod. */
const witness = (tap: string): string => `table ip witness {
  chain to_host { type filter hook input priority 0; iifname "${tap}" counter; }
  chain sent_on { type filter hook forward priority 0; iifname "${tap}" counter; }
  chain from_pod { type filter hook input priority 0; ip saddr ${POD.address} counter; }
}
`;

describe('mode Direct on taps of others', () => {
  let rental: RentalLab;
  let pod: Namespace;
  let agent: AgentProcess;
  let arrivals: { b: Arrivals; x: Arrivals };
  const vms: { vm: FoundVm; space: Namespace; tap: string; others: readonly string[] }[] = [];

  beforeAll(async () => {
    rental = await RentalLab.open('dfound');
    const { host, lab, wan, home } = rental;
    arrivals = await rental.arrivals();
    pod = await lab.namespace('pod');
    const ends = {
      nameA: 'eth0',
      nameB: 'to-pod',
      addressA: `${POD.address}/24`,
      addressB: `${POD.router}/24`,
    };
    await lab.connect(pod, wan, ends);
    await pod.run(['ip', 'route', 'add', 'default', 'via', POD.router]);
    writeFileSync(join(home.manifests, 'class.yaml'), CLASS);
    for (const [space, tap] of [
      [host, 'dfd0'],
      [pod, 'dfd1'],
    ] as const) {
      await makeTap(space, tap);
      const vm = FoundVm.start(space, `direct-${tap}`, [{ tap, mac: `52:54:00:cd:00:0${tap.slice(-1)}` }]);
      vms.push({ vm, space, tap, others: space === pod ? [hostAddress, POD.address] : [hostAddress] });
      applyMode(home, 'Direct', { name: vm.name, more: ['className: open'] });
    }
    agent = home.start(['--managed-interfaces', 'dfd*', '--resync-seconds', '3600']);
    await agent.until(
      'mode Direct',
      (status) => vms.every(({ tap }) => isProgrammed(on(status, tap))),
      40_000,
    );
  }, 60_000);
  afterAll(async () => {
    for (const { vm } of vms) await vm.kill();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  const on = (status: AgentStatus, tap: string): AttachmentStatus | undefined =>
    status.attachments.find((one) => one.tap === tap);
  const isProgrammed = (one: AttachmentStatus | undefined): boolean => one?.state === 'Programmed';
  const now = (): Promise<AgentStatus> => agent.until('a status', () => true);
  const count = async (where: Arrivals): Promise<number> => (await where.seen()).get('all') ?? 0;
  const seen = async (space: Namespace, chain: string): Promise<number> =>
    Number(/packets (\d+)/.exec(await space.run(['nft', 'list', 'chain', 'ip', 'witness', chain]))?.[1]);

  test('is said to be no enforcement, is in force, and denies the addresses of the host and of their namespace', async () => {
    const status = await now();
    for (const { vm, tap, others } of vms) {
      expect(networkOf(status, vm.name)?.conditions).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ type: 'Enforced', status: 'False', reason: 'NotHostEnforced' }),
          expect.objectContaining({ type: 'Ready', status: 'True' }),
        ]),
      );
      const leave = moveInto(rental.host);
      const { policy } = readBack(join(rental.home.bpffs, on(status, tap)!.pins));
      leave();
      const { mode, denied } = decodePolicy(policy!);
      expect(mode).toBe('Direct');
      for (const address of others) expect(denied).toContainEqual({ first: address, last: address });
    }
  });

  test('lets them reach the internet, and neither what the class denies nor the host, by whatever way, though nftables be flushed', async () => {
    const status = await now();
    await rental.host.run(['nft', '-f', '-'], { input: witness('dfd0') });
    for (const { vm, space, tap } of vms) {
      const { guestAddress } = on(status, tap)!;
      const send = (...addresses: readonly string[]): void => {
        for (let round = 0; round < 10; round += 1)
          for (const address of addresses)
            writeSync(vm.fd(), vm.datagram(guestAddress!, { address, port: x.port }, 41_000));
      };
      const [atX, atB] = [await count(arrivals.x), await count(arrivals.b)];
      send(hostAddress, POD.address, b.address, x.address);
      await poll('the last of them', async () => (await count(arrivals.x)) >= atX + 10);
      expect([(await count(arrivals.x)) - atX, (await count(arrivals.b)) - atB]).toEqual([10, 0]);

      process.kill(agent.pid, 'SIGSTOP');
      try {
        await space.run(['nft', 'flush', 'ruleset']);
        await space.run(['nft', '-f', '-'], { input: witness(tap) });
        send(hostAddress, space === pod ? POD.address : hostAddress, x.address);
        await poll('what is allowed', async () => (await seen(space, 'sent_on')) >= 10);
        expect([await seen(space, 'sent_on'), await seen(space, 'to_host')]).toEqual([10, 0]);
      } finally {
        process.kill(agent.pid, 'SIGCONT');
      }
    }
    expect(await seen(rental.host, 'from_pod')).toBe(0);
  }, 30_000);

  test('denies at once an address that the host gets while they run', async () => {
    await rental.host.run(['ip', 'address', 'add', '198.18.7.7/32', 'dev', 'lo']);
    const deniesIt = async ({ tap }: { readonly tap: string }): Promise<boolean> => {
      const { pins } = on(await now(), tap)!;
      const leave = moveInto(rental.host);
      const { policy } = readBack(join(rental.home.bpffs, pins));
      leave();
      const range = { first: '198.18.7.7', last: '198.18.7.7' };
      return decodePolicy(policy!).denied?.some((one) => one.first === range.first) === true;
    };
    for (const vm of vms) await poll(`${vm.tap} to deny it`, () => deniesIt(vm));
  }, 30_000);
});
