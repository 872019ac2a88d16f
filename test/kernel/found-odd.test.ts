/**
 * What owners of hosts do, and what happens to hosts: queues, names that change hands while nobody looks, a device on top of a
 * tap, a disk that was cut. The tests go on from one another.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AttachmentStatus } from '../../src/agent/status/status.ts';
import { Qemu } from '../support/discovery/qemu.ts';
import { CAST, fromGuest } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, GATEWAY, makeTap } from '../support/stage/found-vm.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const { a, b, x } = RentalLab;
const QUEUE = new URL('../support/stage/tap_queue.py', import.meta.url).pathname;
const macOf = (vm: number): string => `52:54:00:cc:01:0${String(vm)}`;
const uuidOf = (vm: number): string => `6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f4d0${String(vm)}`;
const isEnforced = ({ state }: AttachmentStatus): boolean => state === 'Enforced';

describe('VMs of others on an odd host', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let far: PortCounter[];
  const running: { kill(): Promise<void> }[] = [];
  let one: FoundVm;
  let two: FoundVm;
  let addresses: { one: string; two: string };

  beforeAll(async () => {
    rental = await RentalLab.open('odd');
    const ends = [rental.consumerA, rental.consumerB, rental.internet];
    far = await Promise.all(ends.map((end) => PortCounter.place(end, 'eth0', {})));
    agent = start();
    await agent.until('the first pass', () => true);
  }, 60_000);
  afterAll(async () => {
    for (const vm of running.splice(0)) await vm.kill();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  const start = (): AgentProcess => rental.home.start(['--managed-interfaces', 'odd*']);
  const onHost = <T>(work: () => T): T => {
    const leave = moveInto(rental.host);
    try {
      return work();
    } finally {
      leave();
    }
  };
  const ip = (...words: string[]) => rental.host.run(['ip', 'link', ...words]);
  const untilOn = async (tap: string, is: (one: AttachmentStatus) => boolean): Promise<AttachmentStatus> => {
    let seen: AttachmentStatus | undefined;
    await agent.until(`${tap} as wanted`, ({ attachments }) => {
      seen = attachments.find((attachment) => attachment.tap === tap);
      return seen !== undefined && is(seen);
    });
    return seen!;
  };
  const bound = (tap: string, network: string): Promise<AttachmentStatus> =>
    untilOn(tap, (seen) => isEnforced(seen) && seen.network === `tenant/${network}`);
  const vm = (name: string, number: number, tap: string): FoundVm => {
    const card = { tap, mac: macOf(number) };
    const started = FoundVm.start(rental.host, name, [card], ['-uuid', uuidOf(number)]);
    running.push(started);
    return started;
  };
  const total = async (): Promise<number[]> =>
    Promise.all(far.map(async (end) => (await end.seen())['all']?.packets ?? 0));
  /** What arrives at a, b and x of what `send` sent to each of them once. */
  const arrived = async (send: () => void): Promise<number[]> => {
    const before = await total();
    send();
    // The far ends are a few veths away, on this machine's own softirqs.
    await new Promise((resolve) => setTimeout(resolve, 100));
    return (await total()).map((packets, at) => packets - (before[at] ?? 0));
  };
  let sourcePort = 41_000;
  const frames = (mac: string, guestAddress: string): Uint8Array[] => {
    sourcePort += 1;
    return [a, b, x].map((to) =>
      fromGuest(
        { ...CAST, guestMac: mac, guestAddress, ...GATEWAY, endpoint: to },
        { ip: { destination: to.address }, udp: { destinationPort: to.port, sourcePort } },
      ),
    );
  };
  const reached = (from: FoundVm, guestAddress: string): Promise<number[]> =>
    arrived(() => {
      onHost(() => {
        for (const frame of frames(from.cards[0]?.mac ?? '', guestAddress)) writeSync(from.fd(), frame);
      });
    });

  test('a card with several queues: what comes by one that was opened later is judged like the others', async () => {
    await rental.host.run(['ip', 'tuntap', 'add', 'dev', 'oddq', 'mode', 'tap', 'multi_queue']);
    await ip('set', 'oddq', 'up');
    const netdev = 'tap,id=n0,ifname=oddq,queues=2,script=no,downscript=no';
    const device = `virtio-net-pci,netdev=n0,mq=on,vectors=6,mac=${macOf(1)}`;
    const words = ['-name', 'guest=queues', '-nodefaults', '-uuid', uuidOf(1)];
    running.push(new Qemu(rental.host, [...words, '-netdev', netdev, '-device', device]));
    apply(rental.home, { name: 'queues', endpoint: a });
    const { guestAddress } = await bound('oddq', 'queues');
    const byAnotherQueue = (): void => {
      const lines = frames(macOf(1), guestAddress!).map((frame) => Buffer.from(frame).toString('hex'));
      const said = onHost(() =>
        spawnSync('python3', [QUEUE, 'oddq'], { input: `${lines.join('\n')}\n`, encoding: 'utf8' }),
      );
      expect(said).toMatchObject({ status: 0, stderr: '' });
    };
    for (let queue = 0; queue < 2; queue += 1) expect(await arrived(byAnotherQueue)).toEqual([1, 0, 0]);
    await bound('oddq', 'queues');
    withdraw(rental.home, 'queues');
    await untilOn('oddq', ({ state }) => state === 'Denied');
    expect(await arrived(byAnotherQueue)).toEqual([0, 0, 0]);
  }, 60_000);

  test('two taps swap their names while the agent is stopped: at no time does one VM have what is the other’s', async () => {
    await makeTap(rental.host, 'odd1');
    await makeTap(rental.host, 'odd2');
    one = vm('one', 2, 'odd1');
    two = vm('two', 3, 'odd2');
    apply(rental.home, { name: 'one', endpoint: a });
    apply(rental.home, { name: 'two', endpoint: b });
    addresses = {
      one: (await bound('odd1', 'one')).guestAddress!,
      two: (await bound('odd2', 'two')).guestAddress!,
    };
    const both = async (): Promise<number[][]> => [
      await reached(one, addresses.one),
      await reached(two, addresses.two),
    ];
    const asOrdered = [
      [1, 0, 0],
      [0, 1, 0],
    ];
    expect(await both()).toEqual(asOrdered);
    process.kill(agent.pid, 'SIGSTOP');
    for (const [from = '', to = ''] of [
      ['odd1', 'oddt'],
      ['odd2', 'odd1'],
      ['oddt', 'odd2'],
    ]) {
      await ip('set', from, 'name', to);
      const [[, ofOne, strange] = [], [ofTwo, , stranger] = []] = await both();
      expect([ofOne, strange, ofTwo, stranger]).toEqual([0, 0, 0, 0]);
    }
    process.kill(agent.pid, 'SIGCONT');
    expect((await bound('odd2', 'one')).guestAddress).toBe(addresses.one);
    expect((await bound('odd1', 'two')).guestAddress).toBe(addresses.two);
    expect(await both()).toEqual(asOrdered);
  }, 60_000);

  test('a tap is replaced by another of its name while the agent is stopped: closed until it looks', async () => {
    const { ifindex } = await bound('odd2', 'one');
    process.kill(agent.pid, 'SIGSTOP');
    await one.kill();
    await ip('del', 'odd2');
    await makeTap(rental.host, 'odd2');
    one = vm('one', 2, 'odd2');
    expect(await reached(one, addresses.one)).toEqual([0, 0, 0]);
    process.kill(agent.pid, 'SIGCONT');
    const { guestAddress } = await untilOn('odd2', (seen) => isEnforced(seen) && seen.ifindex !== ifindex);
    expect(await reached(one, guestAddress!)).toEqual([1, 0, 0]);
  }, 60_000);

  test('a device on top of a tap has what passes the filter, and no more', async () => {
    for (const kind of [
      ['macvtap', 'bridge'],
      ['macvlan', 'passthru'],
    ]) {
      const [type = '', mode = ''] = kind;
      await ip('add', 'link', 'odd1', 'name', 'top0', 'type', type, 'mode', mode);
      await ip('set', 'top0', 'up');
      const [ofOther, , strange] = await reached(two, addresses.two);
      expect([kind, ofOther, strange]).toEqual([kind, 0, 0]);
      await ip('del', 'top0');
      await bound('odd1', 'two');
      expect(await reached(two, addresses.two)).toEqual([0, 1, 0]);
    }
  }, 60_000);

  test('all files of the agent are cut and the rules flushed while it is dead: guarded, closed, told; restored, it is as before', async () => {
    await agent.end('SIGKILL');
    const files = readdirSync(rental.home.stateDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const kept = files
      .map((file) => ({ file, bytes: readFileSync(file) }))
      .filter(({ bytes }) => bytes.length > 0);
    expect(kept.map(({ file }) => file)).toContainEqual(expect.stringMatching(/opened-uplinks\.json$/));
    for (const { file, bytes } of kept) truncateSync(file, bytes.length >> 1);
    await rental.host.run(['nft', 'flush', 'ruleset']);
    agent = start();
    const seen = await agent.until('its problems', ({ problems }) =>
      problems.some(({ message }) => message.includes('opened uplinks')),
    );
    expect(seen.attachments.map(({ state }) => state)).toEqual(['Error', 'Error', 'Error']);
    await poll('the guard', async () =>
      (await rental.host.exec(['nft', 'list', 'table', 'inet', 'vmnetwork'])).stdout.includes('odd*'),
    );
    expect(await reached(one, addresses.one)).toEqual([0, 0, 0]);
    expect(await reached(two, addresses.two)).toEqual([0, 0, 0]);
    for (const { file, bytes } of kept) writeFileSync(file, bytes);
    await bound('odd2', 'one');
    await bound('odd1', 'two');
    expect(await reached(two, addresses.two)).toEqual([0, 1, 0]);
  }, 60_000);
});
