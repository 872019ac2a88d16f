/**
 * VMs that others started, on taps that others made: found, closed, bound, enforced, with traffic and the far ends' own counts.
 * Long because it is one host's life: each test goes on where the one before it left the host.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { readBack } from '../../src/native/filter-engine.ts';
import { linkByName } from '../../src/native/rtnetlink.ts';
import { openTap } from '../../src/native/tap.ts';
import { MonitorUser, Qemu } from '../support/discovery/qemu.ts';
import { CAST, fromGuest, type Cast } from '../support/frames/cast.ts';
import { poll, type Namespace } from '../support/lab/index.ts';
import type { Destination } from '../support/frames/policy-bytes.ts';
import { networkOf, type AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, GATEWAY, makeTap, type FoundCardOptions } from '../support/stage/found-vm.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PacedFlood } from '../support/stage/paced-flood.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const HOT_PLUG = fileURLToPath(new URL('../support/discovery/hot-plug.py', import.meta.url));

const { a, b, x } = RentalLab;
const FAR = { a, b, x };
const UUID = (last: number): string => `6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f4c${String(10 + last)}`;
const MAC = (last: number): string => `52:54:00:cc:00:0${String(last)}`;

describe('VMs that others started', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let counters: Record<keyof typeof FAR, PortCounter>;
  const running: FoundVm[] = [];
  /** Of the first test. */
  let guest: FoundVm;
  let address: string;

  beforeAll(async () => {
    rental = await RentalLab.open('found');
    counters = {
      a: await PortCounter.place(rental.consumerA, 'eth0', {}),
      b: await PortCounter.place(rental.consumerB, 'eth0', {}),
      x: await PortCounter.place(rental.internet, 'eth0', {}),
    };
    await rental.host.run(['ip', 'link', 'add', 'br-found', 'up', 'type', 'bridge']);
    agent = startAgent();
    await agent.until('the first pass', () => true);
  }, 60_000);
  afterAll(async () => {
    for (const vm of running.splice(0)) await vm.kill();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  const startAgent = (...more: string[]): AgentProcess =>
    rental.home.start(['--managed-interfaces', 'fnd*', ...more]);
  const onHost = <T>(work: () => T): T => {
    const leave = moveInto(rental.host);
    try {
      return work();
    } finally {
      leave();
    }
  };
  const vm = (name: string, cards: readonly FoundCardOptions[], uuid: string): FoundVm => {
    const started = FoundVm.start(rental.host, name, cards, ['-uuid', uuid]);
    running.push(started);
    return started;
  };
  const on = (status: AgentStatus, tap: string): AttachmentStatus | undefined =>
    status.attachments.find((one) => one.tap === tap);
  const untilOn = async (
    tap: string,
    what: string,
    is: (one: AttachmentStatus) => boolean,
  ): Promise<AttachmentStatus> => {
    const status = await agent.until(`${tap} ${what}`, (one) => {
      const attachment = on(one, tap);
      return attachment !== undefined && is(attachment);
    });
    return on(status, tap)!;
  };
  const total = async (): Promise<Record<keyof typeof FAR, number>> => {
    const count = async (counter: PortCounter): Promise<number> =>
      (await counter.seen())['all']?.packets ?? 0;
    return { a: await count(counters.a), b: await count(counters.b), x: await count(counters.x) };
  };
  /** What arrives where of ten frames to each far end. */
  const reached = async (guest: FoundVm, guestAddress: string, card = 0) => {
    const before = await total();
    for (let round = 0; round < 10; round += 1)
      for (const [at, to] of Object.values<Destination>(FAR).entries())
        onHost(() => writeSync(guest.fd(card), guest.datagram(guestAddress, to, 41_000 + at, card)));
    const after = await total();
    return { a: after.a - before.a, b: after.b - before.b, x: after.x - before.x };
  };
  const pinsOf = (pins: string) => onHost(() => readBack(join(rental.home.bpffs, pins)));

  const linksOf = (pins: string): number[] => {
    const { fromVm, toVm } = pinsOf(pins);
    return [fromVm?.linkId ?? 0, toVm?.linkId ?? 0];
  };
  const isEnforced = ({ state }: AttachmentStatus): boolean => state === 'Enforced';
  /** Datagrams to its endpoint that did not arrive while something was done. */
  const lostDuring = async (work: () => Promise<void>): Promise<number> => {
    const before = await total();
    const frames = [guest.datagram(address, a, 41_005)];
    const flood = await PacedFlood.start([{ fd: guest.fd(), frames, rate: 1000 }]);
    try {
      await poll('some traffic', () => flood.written() > 100);
      await work();
      await poll('more traffic', () => flood.written() > 400);
    } finally {
      await flood.stop();
    }
    const expected = before.a + flood.written();
    await poll('the last of it', async () => (await total()).a >= expected, { deadlineMs: 2000 }).catch(
      () => null,
    );
    return expected - (await total()).a;
  };

  test('a tap whose name matches is closed at once, VM or not, and stays in its bridge', async () => {
    await makeTap(rental.host, 'fnd0', 'br-found');
    const closed = await untilOn('fnd0', 'to be closed', ({ state }) => state === 'Denied');
    expect(closed).toMatchObject({ vm: '', network: null, guestAddress: null });
    expect(pinsOf(closed.pins)).toMatchObject({
      policyState: 'empty',
      fromVm: { first: true },
      toVm: { first: true },
    });
    const link = onHost(() => linkByName('fnd0'));
    expect(link?.master).toBe(onHost(() => linkByName('br-found'))?.ifindex);
  }, 30_000);

  test('its VM is bound by a network of that name, and reaches its endpoint alone', async () => {
    guest = vm('found-a', [{ tap: 'fnd0', mac: MAC(1) }], UUID(1));
    apply(rental.home, { name: 'found-a', endpoint: a });
    const bound = await untilOn('fnd0', 'to be enforced', isEnforced);
    expect(bound).toMatchObject({ vm: UUID(1), network: 'tenant/found-a', mac: MAC(1) });
    expect(onHost(() => linkByName('fnd0'))).toMatchObject({
      ...{ master: 0, mac: '02:76:6d:6e:00:01', mtu: 1500, up: true },
    });
    address = bound.guestAddress!;
    expect(await reached(guest, address)).toEqual({ a: 10, b: 0, x: 0 });
  }, 30_000);

  test('somebody puts it back into its bridge: it is taken out again', async () => {
    await rental.host.run(['ip', 'link', 'set', 'fnd0', 'master', 'br-found']);
    await poll('it to be taken out', () => onHost(() => linkByName('fnd0'))?.master === 0);
    await untilOn('fnd0', 'to be enforced', isEnforced);
    expect(await reached(guest, address)).toEqual({ a: 10, b: 0, x: 0 });
  }, 30_000);

  test('it gets a name that matches no pattern, in the midst of traffic: nothing else changes', async () => {
    const { pins } = await untilOn('fnd0', 'to be enforced', isEnforced);
    const before = linksOf(pins);
    const lost = await lostDuring(async () => {
      await rental.host.run(['ip', 'link', 'set', 'fnd0', 'name', 'renamed0']);
      await untilOn('renamed0', 'to be enforced', isEnforced);
      const guard = await rental.host.run(['nft', 'list', 'table', 'inet', 'vmnetwork']);
      expect(guard).toContain('"renamed0"');
    });
    expect(lost).toBe(0);
    expect(linksOf(pins)).toEqual(before);
    await rental.host.run(['ip', 'link', 'set', 'renamed0', 'name', 'fnd0']);
    await untilOn('fnd0', 'to be enforced', isEnforced);
  }, 30_000);

  test('a program is detached by somebody: closed first, then as it was', async () => {
    // No event tells of it.
    await agent.end('SIGTERM');
    agent = startAgent('--resync-seconds', '1');
    const { pins } = await untilOn('fnd0', 'to be enforced', isEnforced);
    const [fromVm = 0] = linksOf(pins);
    const from = agent.log.length;
    await rental.host.run(['bpftool', 'link', 'detach', 'id', String(fromVm)]);
    await poll('another link', () => ![0, fromVm].includes(linksOf(pins)[0] ?? 0));
    await untilOn('fnd0', 'to be enforced', isEnforced);
    const changes = [...agent.log.slice(from).matchAll(/"change":"([a-z-]+)/g)].map(([, kind]) => kind);
    expect(
      changes.filter((kind) => ['close-link', 'write-policy', 'replace-filter'].includes(kind ?? '')),
    ).toEqual(['close-link', 'write-policy']);
    expect(await reached(guest, address)).toEqual({ a: 10, b: 0, x: 0 });
  }, 30_000);

  test('the agent is killed in the midst of traffic, and the next one adopts what it finds: no frame is lost, none leaks', async () => {
    const { pins } = await untilOn('fnd0', 'to be enforced', isEnforced);
    const before = linksOf(pins);
    const elsewhere = await total();
    const lost = await lostDuring(async () => {
      await agent.end('SIGKILL');
      agent = startAgent();
      await untilOn('fnd0', 'to be enforced', isEnforced);
    });
    expect(lost).toBe(0);
    expect(linksOf(pins)).toEqual(before);
    const { b: atB, x: atX } = await total();
    expect([atB, atX]).toEqual([elsewhere.b, elsewhere.x]);
  }, 30_000);

  test('it ends, and its interface stays: closed, and nothing leads there', async () => {
    await guest.kill();
    const closed = await untilOn('fnd0', 'to be closed', ({ state }) => state === 'Denied');
    expect(pinsOf(closed.pins).policyState).toBe('empty');
    expect(await rental.host.run(['ip', 'route', 'show', 'proto', '118'])).not.toContain('fnd0');
    // Its network is still declared: its address is kept for it.
    expect(await rental.host.run(['ls', '-R', rental.home.stateDir])).toContain('card-');
  }, 30_000);

  test('it comes back on another interface, with the address that it had', async () => {
    await rental.host.run(['ip', 'link', 'del', 'fnd0']);
    await makeTap(rental.host, 'fnd1', 'br-found');
    guest = vm('found-a', [{ tap: 'fnd1', mac: MAC(1) }], UUID(1));
    const bound = await untilOn('fnd1', 'to be enforced', isEnforced);
    expect(bound.guestAddress).toBe(address);
    expect(await reached(guest, address)).toEqual({ a: 10, b: 0, x: 0 });
    // The pins of the former one went with it.
    const status = await agent.status();
    expect(status?.attachments.map(({ tap }) => tap)).not.toContain('fnd0');
    expect(await rental.host.run(['ls', rental.home.bpffs])).toContain(bound.pins);
  }, 30_000);

  test('its interface leaves for another namespace: nothing passes there, and its pins go with it', async () => {
    const { pins, ifindex } = await untilOn('fnd1', 'to be enforced', isEnforced);
    await rental.host.run(['ip', 'link', 'set', 'fnd1', 'netns', rental.internet.id]);
    await poll('an empty policy', () => pinsOf(pins).policyState === 'empty');
    await rental.internet.run(['ip', 'link', 'set', 'fnd1', 'up']);
    const seen = await count(rental.internet, 'fnd1');
    for (let frame = 0; frame < 10; frame += 1) writeSync(guest.fd(), guest.datagram(address, x, 41_002));
    expect(await seen()).toBe(0);
    expect(pinsOf(pins).fromVm?.ifindex).toBeGreaterThan(0);
    // Another comes from elsewhere and gets the number that is free now.
    const made = await tapNumbered(rental.consumerB, ifindex);
    await rental.consumerB.run(['ip', 'link', 'set', made, 'name', 'fnd9', 'netns', rental.host.id]);
    const newcomer = await untilOn('fnd9', 'to be closed', ({ state }) => state === 'Denied');
    expect([newcomer.ifindex, newcomer.pins]).toEqual([ifindex, pins]);
    expect(pinsOf(pins)).toMatchObject({
      policyState: 'empty',
      fromVm: { first: true },
      toVm: { first: true },
    });
    // Set aside, until it has a filter for where it is now.
    await poll(
      'the end of its pins',
      async () => !(await rental.host.run(['ls', rental.home.bpffs])).includes('aside'),
    );
    const moved = await untilOn('fnd1', 'to be enforced there', isEnforced);
    expect(moved.pins).not.toMatch(/^if-0-/);
    for (let frame = 0; frame < 10; frame += 1) writeSync(guest.fd(), guest.datagram(address, x, 41_002));
    expect(await seen()).toBe(0);
    await guest.kill();
    await rental.internet.run(['ip', 'link', 'del', 'fnd1']);
    await agent.end('SIGTERM');
    agent = startAgent();
    await poll(
      'the end of those, too',
      async () => !(await rental.host.run(['ls', rental.home.bpffs])).includes(moved.pins),
    );
  }, 30_000);

  test('two cards of one VM, each on a link of its own: each has its address, and neither speaks for the other', async () => {
    await makeTap(rental.host, 'fnd2');
    await makeTap(rental.host, 'fnd3');
    const two = vm(
      'found-two',
      [
        { tap: 'fnd2', mac: MAC(2) },
        { tap: 'fnd3', mac: MAC(3) },
      ],
      UUID(2),
    );
    apply(rental.home, { name: 'found-two', endpoint: b });
    const first = await untilOn('fnd2', 'to be enforced', isEnforced);
    const second = await untilOn('fnd3', 'to be enforced', isEnforced);
    expect([first.mac, second.mac]).toEqual([MAC(2), MAC(3)]);
    expect(first.guestAddress).not.toBe(second.guestAddress);
    expect(await reached(two, first.guestAddress!, 0)).toEqual({ a: 0, b: 10, x: 0 });
    expect(await reached(two, second.guestAddress!, 1)).toEqual({ a: 0, b: 10, x: 0 });
    expect(await reached(two, first.guestAddress!, 1)).toEqual({ a: 0, b: 0, x: 0 });
    await two.kill();
  }, 30_000);

  test('two VMs on one bridge, bound or not: neither hears the other, nor the bridge', async () => {
    await makeTap(rental.host, 'fnd4', 'br-found');
    await makeTap(rental.host, 'fnd5', 'br-found');
    const one = vm('found-c', [{ tap: 'fnd4', mac: MAC(4) }], UUID(4));
    const other = vm('found-d', [{ tap: 'fnd5', mac: MAC(5) }], UUID(5));
    await untilOn('fnd4', 'to be closed', ({ vm: id, state }) => id === UUID(4) && state === 'Denied');
    await untilOn('fnd5', 'to be closed', ({ vm: id, state }) => id === UUID(5) && state === 'Denied');
    const onBridge = await count(rental.host, 'br-found');
    const speak = (from: FoundVm, guestAddress: string): void => {
      for (const mac of [MAC(5), 'ff:ff:ff:ff:ff:ff'])
        for (const to of [a, { address: '100.64.0.1', port: 9 }])
          writeSync(from.fd(), withDestination(from.datagram(guestAddress, to, 41_009), mac));
    };
    drain(other.fd());
    speak(one, '100.64.0.77');
    expect(drain(other.fd()).filter(isFrom(MAC(4)))).toEqual([]);
    expect(await onBridge()).toBe(0);
    apply(rental.home, { name: 'found-c', endpoint: a });
    apply(rental.home, { name: 'found-d', endpoint: b });
    const boundOne = await untilOn('fnd4', 'to be enforced', isEnforced);
    const boundOther = await untilOn('fnd5', 'to be enforced', isEnforced);
    speak(one, boundOne.guestAddress!);
    for (let frame = 0; frame < 5; frame += 1)
      writeSync(
        one.fd(),
        one.datagram(boundOne.guestAddress!, { address: boundOther.guestAddress!, port: b.port }, 41_009),
      );
    expect(await reached(one, boundOne.guestAddress!)).toEqual({ a: 10, b: 0, x: 0 });
    expect(drain(other.fd()).filter(isFrom(MAC(4)))).toEqual([]);
    expect(await onBridge()).toBe(0);
    await one.kill();
    await other.kill();
  }, 30_000);

  test('a VM in a network namespace of its own: closed there, bound there, enforced there', async () => {
    const pod = await rental.lab.namespace('pod');
    const ends = { nameA: 'eth0', nameB: 'to-pod', addressA: '10.0.1.2/24', addressB: '10.0.1.1/24' };
    await rental.lab.connect(pod, rental.wan, ends);
    await pod.run(['ip', 'route', 'add', 'default', 'via', '10.0.1.1']);
    await pod.run(['ip', 'link', 'add', 'br-pod', 'up', 'type', 'bridge']);
    await makeTap(pod, 'fnd8', 'br-pod');
    const inPod = FoundVm.start(pod, 'found-pod', [{ tap: 'fnd8', mac: MAC(8) }], ['-uuid', UUID(8)]);
    running.push(inPod);
    const closed = await untilOn('fnd8', 'to be closed', ({ state }) => state === 'Denied');
    expect(closed.pins).toMatch(/^if-[1-9]\d*-\d+$/);
    expect(await reached(inPod, '100.64.0.9')).toEqual({ a: 0, b: 0, x: 0 });
    apply(rental.home, { name: 'found-pod', endpoint: a });
    const bound = await untilOn('fnd8', 'to be enforced', isEnforced);
    expect(await pod.run(['ip', '-o', 'link', 'show', 'fnd8'])).not.toContain('master');
    expect(await pod.run(['nft', 'list', 'table', 'inet', 'vmnetwork'])).toContain('fnd*');
    expect(await reached(inPod, bound.guestAddress!)).toEqual({ a: 10, b: 0, x: 0 });
    // Behind our back, there too.
    await pod.run(['ip', 'link', 'set', 'fnd8', 'master', 'br-pod']);
    const isFree = async () => !(await pod.run(['ip', '-o', 'link', 'show', 'fnd8'])).includes('master');
    await poll('it to be taken out', isFree);
    await agent.end('SIGKILL');
    expect(await reached(inPod, bound.guestAddress!)).toEqual({ a: 10, b: 0, x: 0 });
    agent = startAgent();
    await untilOn('fnd8', 'to be enforced', isEnforced);
    await inPod.kill();
    await pod.run(['ip', 'link', 'del', 'fnd8']);
    const areGone = async () => !(await rental.host.run(['ls', rental.home.bpffs])).includes(bound.pins);
    await poll('the end of its pins', areGone);
  }, 40_000);

  test("a tap that no QEMU holds is closed, and said to be nobody's that can be bound", async () => {
    await makeTap(rental.host, 'fnd6');
    const fd = onHost(() => openTap('fnd6'));
    try {
      const closed = await untilOn('fnd6', 'to be said whose it is', ({ message }) =>
        message.includes('which is no QEMU'),
      );
      expect(closed).toMatchObject({ state: 'Denied', network: null });
      expect(pinsOf(closed.pins).policyState).toBe('empty');
    } finally {
      closeSync(fd);
    }
  }, 30_000);

  test('a card that is plugged by its descriptor, which its launcher opened long ago and keeps, is bound; through a reboot and a new name, until it is unplugged', async () => {
    await makeTap(rental.host, 'fndp');
    const fd = onHost(() => openTap('fndp'));
    let isKept = true;
    const socket = rental.host.scratchFile('plugged.sock');
    const qemu = new Qemu(rental.host, [
      ...['-name', 'found-plugged', '-uuid', UUID(9), '-nodefaults'],
      ...['-qmp', `unix:${socket},server=on,wait=off`],
    ]);
    try {
      apply(rental.home, { name: 'found-plugged', endpoint: a });
      await untilOn('fndp', "to be said to be the launcher's", ({ message }) => message.includes('no QEMU'));
      (await MonitorUser.connect(socket)).close();
      const plug = rental.host.spawn(['python3', HOT_PLUG, socket, 'late', MAC(9)], {
        stdio: ['ignore', 'ignore', 'inherit', fd],
      });
      await poll('it to be plugged', () => plug.exitCode !== null);
      expect(plug.exitCode).toBe(0);
      const bound = await untilOn('fndp', 'to be enforced', isEnforced);
      expect(bound).toMatchObject({ vm: UUID(9), mac: MAC(9), network: 'tenant/found-plugged' });
      const cast: Cast = {
        ...CAST,
        guestMac: MAC(9),
        guestAddress: bound.guestAddress!,
        ...GATEWAY,
        endpoint: a,
      };
      const arrives = async (): Promise<void> => {
        const before = (await total()).a;
        writeSync(fd, fromGuest(cast, { ip: { destination: a.address }, udp: { destinationPort: a.port } }));
        await poll('its frame', async () => (await total()).a > before);
      };
      await arrives();

      const user = await MonitorUser.connect(socket);
      await user.ask('cont');
      await user.ask('system_reset');
      await user.ask('stop');
      await rental.host.run(['ip', 'link', 'set', 'fndp', 'name', 'fndq']);
      expect(await untilOn('fndq', 'to be enforced', isEnforced)).toMatchObject({ pins: bound.pins });
      await arrives();

      closeSync(fd);
      isKept = false;
      await user.ask('netdev_del', { id: 'net-late' });
      user.close();
      const closed = await untilOn('fndq', 'to be closed', ({ state }) => state === 'Denied');
      expect(pinsOf(closed.pins).policyState).toBe('empty');
    } finally {
      if (isKept) closeSync(fd);
      await qemu.kill();
    }
  }, 30_000);

  test('Terminate: it ends, also when its network and the agent went before it had', async () => {
    await makeTap(rental.host, 'fndt');
    const culprit = vm('found-culprit', [{ tap: 'fndt', mac: MAC(0) }], UUID(0));
    apply(rental.home, { name: 'found-culprit', endpoint: a, more: ['violation: {action: Terminate}'] });
    const bound = await untilOn('fndt', 'to be enforced', isEnforced);
    // It heeds nothing but SIGKILL, which is some seconds away.
    culprit.qemu.process.kill('SIGSTOP');
    writeSync(culprit.fd(), culprit.datagram(bound.guestAddress!, x, 41_003));
    culprit.letGo();
    const pid = String(culprit.qemu.pid);
    await poll('its end to begin', () => agent.log.includes(`end-vm pid ${pid}`));
    await agent.end('SIGKILL');
    expect(culprit.qemu.ended).toBe(false);
    withdraw(rental.home, 'found-culprit');
    agent = startAgent();
    await untilOn('fndt', 'to be closed', ({ state }) => state === 'Denied');
    await poll('its end', () => culprit.qemu.ended, { deadlineMs: 20_000, detail: () => agent.log });
    expect(culprit.qemu.process.signalCode).toBe('SIGKILL');
  }, 60_000);

  test('a link that no pattern matches is left alone until its card is bound, and is guarded from then on', async () => {
    await makeTap(rental.host, 'other0');
    const free = vm('found-free', [{ tap: 'other0', mac: MAC(7) }], UUID(7));
    await makeTap(rental.host, 'fnd7');
    await untilOn('fnd7', 'to be closed', ({ state }) => state === 'Denied');
    const before = onHost(() => linkByName('other0'))!;
    expect(on((await agent.status())!, 'other0')).toBeUndefined();
    expect(await rental.host.run(['bpftool', 'net', 'show', 'dev', 'other0'])).not.toContain('tcx');
    apply(rental.home, { name: 'found-free', endpoint: a });
    const bound = await untilOn('other0', 'to be enforced', isEnforced);
    expect(bound.ifindex).toBe(before.ifindex);
    expect(await reached(free, bound.guestAddress!)).toEqual({ a: 10, b: 0, x: 0 });
    expect(await rental.host.run(['nft', 'list', 'table', 'inet', 'vmnetwork'])).toContain('"other0"');
    await free.kill();
    // Ours to close while it exists.
    expect(await untilOn('other0', 'to be closed', ({ state }) => state === 'Denied')).toMatchObject({
      pins: bound.pins,
    });
  }, 30_000);

  test('a VM that was declared first and then runs on a tap of others gives up the idle tap of ours until it has ended; one that is held stays', async () => {
    const own = (status: AgentStatus) =>
      status.attachments.filter(({ vm: id, tap }) => id === 'declared' && tap.startsWith('vmn-'));
    // Whose name it is is not certain then: the one that has the tap of ours keeps it.
    const areTwins = (status: AgentStatus): boolean =>
      on(status, 'fnd-later')?.message.includes('2 VMs of this host have the name') === true;
    apply(rental.home, { name: 'declared', endpoint: a });
    const first = await agent.until('a tap for it', (status) => own(status)[0]?.state === 'Enforced');
    await makeTap(rental.host, 'fnd-later');
    const held = onHost(() => openTap(own(first)[0]!.tap));
    try {
      vm('declared', [{ tap: 'fnd-later', mac: MAC(9) }], UUID(9));
      const both = await agent.until('both', areTwins);
      const { linkId } = own(first)[0]!.enforced!;
      expect(own(both)).toMatchObject([{ state: 'Enforced', inUse: true, enforced: { linkId } }]);
    } finally {
      closeSync(held);
    }
    const alone = await agent.until(
      'the one tap',
      (status) => own(status).length === 0 && on(status, 'fnd-later')?.state === 'Enforced',
    );
    expect(networkOf(alone, 'declared')?.attachments).toEqual([UUID(9)]);
    expect(onHost(() => linkByName(own(first)[0]!.tap))).toBe(null);
    await running.pop()?.kill();
    await agent.until('the tap of ours again', (status) => own(status)[0]?.state === 'Enforced');
    withdraw(rental.home, 'declared');
    await agent.until('its end', (status) => own(status).length === 0);
  }, 60_000);
});

/** Name of a new tap that has this number there, which must be beyond those that are taken. */
async function tapNumbered(space: Namespace, ifindex: number): Promise<string> {
  for (let made = 0; made < 200; made += 1) {
    const name = `n${String(made)}`;
    await space.run(['ip', 'tuntap', 'add', 'dev', name, 'mode', 'tap']);
    const number = Number.parseInt(await space.run(['ip', '-o', 'link', 'show', name]), 10);
    if (number === ifindex) return name;
    await space.run(['ip', 'link', 'del', name]);
    if (number > ifindex) break;
  }
  throw new Error(`no tap of number ${String(ifindex)} in ${space.name}`);
}

/** IPv4 frames that came in by a device from now on. */
async function count(space: Namespace, device: string): Promise<() => Promise<number>> {
  const table = `seen_${device.replace(/\W/g, '_')}`;
  const hook = `type filter hook ingress device "${device}" priority 0`;
  await space.run(['nft', '-f', '-'], {
    input: `table netdev ${table} { chain c { ${hook}\n counter\n}\n}\n`,
  });
  return async () => {
    const listed = await space.run(['nft', 'list', 'table', 'netdev', table]);
    return Number(/counter packets (\d+)/.exec(listed)?.[1] ?? Number.NaN);
  };
}

function withDestination(frame: Uint8Array, mac: string): Uint8Array {
  const copy = frame.slice();
  copy.set(mac.split(':').map((byte) => Number.parseInt(byte, 16)));
  return copy;
}

function isFrom(mac: string): (frame: Buffer) => boolean {
  return (frame) => frame.toString('hex', 6, 12) === mac.replaceAll(':', '');
}

/** Frames that wait for the guest. */
function drain(fd: number): Buffer[] {
  const frames: Buffer[] = [];
  const buffer = Buffer.alloc(65_536);
  for (;;) {
    try {
      frames.push(Buffer.from(buffer.subarray(0, readSync(fd, buffer))));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return frames;
      throw error;
    }
  }
}
