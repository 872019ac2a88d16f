/** A VM whose QEMU is in another network namespace than its tap: whoever was handed the descriptor of one may be anywhere. */
import { closeSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openTap } from '../../src/native/tap.ts';
import { Qemu } from '../support/discovery/qemu.ts';
import { CAST, fromGuest } from '../support/frames/cast.ts';
import { type Namespace, poll } from '../support/lab/index.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, GATEWAY, makeTap } from '../support/stage/found-vm.ts';
import { apply } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { openPod } from '../support/stage/pod.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const { a, x } = RentalLab;
const UUID = (last: number): string => `6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f4d0${String(last)}`;
const MAC = (last: number): string => `52:54:00:dd:00:0${String(last)}`;

describe('a tap in another namespace than its QEMU', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let pod: Namespace;
  let counters: Record<'a' | 'x', PortCounter>;
  const taps: number[] = [];
  const qemus: { kill(): Promise<unknown> }[] = [];

  beforeAll(async () => {
    rental = await RentalLab.open('elsewhere');
    const { consumerA, internet } = rental;
    counters = {
      a: await PortCounter.place(consumerA, 'eth0', {}),
      x: await PortCounter.place(internet, 'eth0', {}),
    };
    pod = await openPod(rental);
    agent = rental.home.start(['--managed-interfaces', 'els*', '--resync-seconds', '3600']);
    await agent.until('the first pass', () => true);
  }, 60_000);
  afterAll(async () => {
    for (const fd of taps.splice(0)) closeSync(fd);
    for (const qemu of qemus.splice(0)) await qemu.kill();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  /** A tap of the pod, and a QEMU of the host that was handed it. */
  async function outer(tap: string, last: number): Promise<number> {
    await makeTap(pod, tap);
    await pod.run(['ip', 'link', 'set', tap, 'address', CAST.gatewayMac]);
    const leave = moveInto(pod);
    const fd = openTap(tap);
    leave();
    taps.push(fd);
    const words = ['-netdev', 'tap,id=n0,fd=3', '-device', `virtio-net-pci,netdev=n0,mac=${MAC(last)}`];
    const name = ['-name', `guest=${tap}`, '-nodefaults', '-uuid', UUID(last)];
    qemus.push(new Qemu(rental.host, [...name, ...words], { fds: [fd] }));
    return fd;
  }
  const send = (
    fd: number,
    guestMac: string,
    source: string,
    to: { address: string; port: number },
  ): void => {
    const cast = { ...CAST, guestMac, guestAddress: source, ...GATEWAY, endpoint: to };
    const frame = fromGuest(cast, {
      ip: { destination: to.address },
      udp: { destinationPort: to.port, sourcePort: 43_000 },
    });
    for (let count = 0; count < 20; count += 1) writeSync(fd, frame);
  };
  const arrived = async (at: 'a' | 'x'): Promise<number> => (await counters[at].seen())['all']?.packets ?? 0;

  test('is closed, bound by its network, and reaches its endpoint alone', async () => {
    const fd = await outer('els0', 1);
    await agent.until('els0 to be denied', ({ attachments }) =>
      attachments.some(({ tap, state }) => tap === 'els0' && state === 'Denied'),
    );
    await pod.run(['ip', 'addr', 'add', '10.9.9.1/24', 'dev', 'els0']);
    send(fd, MAC(1), '10.9.9.2', x);
    apply(rental.home, { name: 'els0', endpoint: a });
    const { attachments } = await agent.until('els0 to be enforced', (status) =>
      status.attachments.some(({ tap, state }) => tap === 'els0' && state === 'Enforced'),
    );
    const address = attachments.find(({ tap }) => tap === 'els0')?.guestAddress ?? '';
    send(fd, MAC(1), address, x);
    send(fd, MAC(1), address, a);
    await poll('what may pass', async () => (await arrived('a')) === 20);
    expect(await arrived('x')).toBe(0);
  }, 60_000);

  test('opens no neighbour that is in the namespace itself', async () => {
    await makeTap(pod, 'els1');
    const inner = FoundVm.start(pod, 'inner', [{ tap: 'els1', mac: MAC(2) }], ['-uuid', UUID(2)]);
    qemus.push(inner);
    const fd = await outer('els2', 9);
    const status = await agent.until('both to be denied', ({ attachments }) =>
      ['els1', 'els2'].every((name) =>
        attachments.some(({ tap, state }) => tap === name && state === 'Denied'),
      ),
    );
    expect(status.problems).toEqual([]);
    send(fd, MAC(9), '10.9.9.2', x);
    expect(await arrived('x')).toBe(0);
  }, 60_000);
});
