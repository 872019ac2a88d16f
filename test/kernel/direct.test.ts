import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentStatus } from '../../src/agent/status/status.ts';
import { cidrRange, contains } from '../../src/agent/wiring/address-pool.ts';
import { counters, readBack } from '../../src/native/filter-engine.ts';
import { decodePolicy } from '../../src/native/policy-abi.ts';
import { BROADCAST_MAC } from '../support/frames/address.ts';
import { fromGuest, STRANGER, type Twist } from '../support/frames/cast.ts';
import { icmp, IcmpType } from '../support/frames/icmp.ts';
import { Protocol } from '../support/frames/ipv4.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { tcp } from '../support/frames/tcp.ts';
import { poll } from '../support/lab/index.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { attachmentOf, enforces, networkOf, type AgentProcess } from '../support/stage/agent-process.ts';
import type { Arrivals } from '../support/stage/arrivals.ts';
import { Blaster } from '../support/stage/blaster.ts';
import { apply } from '../support/stage/manifest.ts';
import { applyMode } from '../support/stage/moded-manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';

/** `b` is what the class denies, `x` the internet. */
const { a, b, x } = RentalLab;
const METADATA = '169.254.169.254';

const classText = (denied: readonly string[]): string => `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetworkClass
metadata: {name: open}
spec:
  allowedModes: [Direct, Sampled, Conntrack, Filtered]
  deniedDestinations: {networks: [${denied.join(', ')}]}
`;
const B_ALONE = ['198.51.100.0/24'];

/** Answers whoever speaks to it every 5 ms, as long as it runs: a far end that does not know that its flow is over. */
const CHATTER = `const socket = require('dgram').createSocket('udp4');
socket.once('message', (message, { address, port }) => setInterval(() => socket.send(message, port, address), 5));
socket.bind(${String(x.port)}, '${x.address}', () => console.log('listens'));`;

describe('[NM-1] mode Direct', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let cast: RealCast;
  let other: RealCast;
  let arrivals: { a: Arrivals; b: Arrivals; x: Arrivals };
  let leave = (): void => undefined;
  const declareClass = (denied: readonly string[]): void =>
    writeFileSync(join(rental.home.manifests, 'class.yaml'), classText(denied));

  beforeAll(async () => {
    rental = await RentalLab.open('direct');
    arrivals = await rental.arrivals('guest');
    declareClass(B_ALONE);
    apply(rental.home, { name: 'guest', endpoint: a, more: ['className: open'] });
    apply(rental.home, { name: 'other', endpoint: a });
    // What it does is done because it was told of it, or never.
    agent = rental.home.start(['--resync-seconds', '3600']);
    leave = moveInto(rental.host);
    const both = (seen: AgentStatus): boolean =>
      enforces(seen, 'guest', 'guest', a) && enforces(seen, 'other', 'other', a);
    const status = await agent.until('enforcement', both, 40_000);
    cast = castOf(status, 'guest', a);
    other = castOf(status, 'other', a);
  }, 60_000);
  afterAll(async () => {
    leave();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  const generation = (status: AgentStatus): number =>
    attachmentOf(status, 'guest')?.enforced?.generation ?? 0;
  const now = (): Promise<AgentStatus> => agent.until('a status', () => true);
  /** Resolves when the next policy was read back. */
  async function committed(change: () => void): Promise<AgentStatus> {
    const before = generation(await now());
    change();
    return agent.until('the next policy', (seen) => generation(seen) > before);
  }
  const declare = (mode: string, more: readonly string[] = []): Promise<AgentStatus> =>
    committed(() => {
      const fields = { name: 'guest', more: ['className: open', ...more] };
      applyMode(rental.home, mode, mode === 'Direct' ? fields : { ...fields, endpoint: a });
    });
  const inKernel = () => {
    const { policy } = readBack(join(rental.home.bpffs, cast.tap));
    return policy === null ? null : decodePolicy(policy);
  };
  const counted = (direction: 'from-vm' | 'to-vm'): Record<string, number> =>
    Object.fromEntries(
      counters(join(rental.home.bpffs, cast.tap))
        .filter((line) => line.direction === direction)
        .map(({ reason, packets }) => [symbolOf(reason), Number(packets)]),
    );
  const more = (before: Record<string, number>, after: Record<string, number>): Record<string, number> =>
    Object.fromEntries(
      Object.entries(after)
        .map(([symbol, n]) => [symbol, n - (before[symbol] ?? 0)] as const)
        .filter(([, n]) => n !== 0),
    );
  const conditions = (status: AgentStatus): Record<string, string> =>
    Object.fromEntries(
      (networkOf(status, 'guest')?.conditions ?? []).map(({ type, status: is, reason }) => [
        type,
        `${is} ${reason}`,
      ]),
    );
  const to = (address: string, twist: Twist = {}): Uint8Array =>
    fromGuest(cast, { ...twist, ip: { destination: address, ...twist.ip } });

  test.each([
    ['Direct', [], 'False NotHostEnforced'],
    ['Sampled', ['sampling: {ratePerMillion: 500000}', 'violation: {action: Drop}'], 'False SampledInPart'],
    ['Conntrack', [], 'True Verified'],
    ['Filtered', [], 'True Verified'],
  ])('%s: the VM is on a tap with both programs, which judge by that mode', async (mode, lines, said) => {
    const before = readBack(join(rental.home.bpffs, cast.tap));
    const status =
      mode === 'Filtered' && inKernel()?.mode === mode ? await now() : await declare(mode, lines);
    expect(conditions(status)).toMatchObject({
      Programmed: 'True Programmed',
      Enforced: said,
      Ready: 'True Ready',
    });
    const attachment = attachmentOf(status, 'guest');
    expect(attachment).toMatchObject({ tap: cast.tap, engine: 'tcx' });
    const { fromVm, toVm } = readBack(join(rental.home.bpffs, cast.tap));
    expect([fromVm?.ifindex, toVm?.ifindex]).toEqual([attachment?.ifindex, attachment?.ifindex]);
    // The same programs as before: a mode is a policy, and nothing was taken off to change it.
    expect([fromVm?.linkId, toVm?.linkId]).toEqual([before.fromVm?.linkId, before.toVm?.linkId]);
    expect(inKernel()?.mode).toBe(mode);
  });

  test('the internet is reached and answers, over TCP and ICMP, from the address of the host', async () => {
    await declare('Direct');
    const { x: capture } = await rental.captures('icmp or tcp');
    const card = new VirtualCard(cast.tap);
    try {
      const ports = { sourcePort: 40_001, destinationPort: 443 };
      const syn = tcp({ ...ports, source: cast.guestAddress, destination: x.address });
      const ping = icmp(IcmpType.echoRequest, 0, Uint8Array.of(0, 7, 0, 1, 1, 2, 3, 4));
      // The far kernel resets what nobody listens for and answers the echo: both come back to the guest, as its own. A tap that was
      // opened a moment ago gives its reader nothing yet: they are sent until they are answered.
      const answers = new Set<string>();
      const answered = (): boolean => {
        for (const frame of card.received())
          answers.add(`${String(frame[23])} ${Buffer.from(frame.subarray(26, 34)).toString('hex')}`);
        if (answers.size >= 2) return true;
        card.send(to(x.address, { ip: { protocol: Protocol.tcp, payload: syn } }));
        card.send(to(x.address, { ip: { protocol: Protocol.icmp, payload: ping } }));
        return false;
      };
      await poll('the answers', answered, { everyMs: 200, detail: () => [...answers].join() });
      const ends = Buffer.from(
        [...x.address.split('.'), ...cast.guestAddress.split('.')].map(Number),
      ).toString('hex');
      const expected = [Protocol.icmp, Protocol.tcp].map((protocol) => `${String(protocol)} ${ends}`);
      expect([...answers].sort()).toEqual(expected.sort());
      await capture.drain();
      const seen = capture.frames().filter((frame) => frame[23] !== Protocol.udp);
      expect(seen.length).toBeGreaterThanOrEqual(4);
      expect(seen.every((frame) => hasEnds(frame, [RentalLab.hostAddress, x.address]))).toBe(true);
    } finally {
      await capture.stop();
      card.close();
    }
  }, 30_000);

  test('nothing else is: denied network, metadata, host, other VM, multicast, broadcast, IPv6, false senders', async () => {
    await now();
    const heard: Buffer[] = [];
    const listener: Socket = createSocket('udp4', (message) => heard.push(message)).bind(
      7777,
      RentalLab.hostAddress,
    );
    await once(listener, 'listening');
    const card = new VirtualCard(cast.tap);
    const otherCard = new VirtualCard(other.tap);
    const [atB, atX] = [await arrivals.b.seen(), await arrivals.x.seen()];
    const before = counted('from-vm');
    try {
      for (let round = 0; round < 10; round += 1) {
        card.send(to(b.address));
        card.send(to(METADATA, { udp: { destinationPort: 80 } }));
        card.send(to(other.guestAddress));
        card.send(to('224.0.0.251'));
        card.send(to('255.255.255.255'));
        card.send(to('127.0.0.1'));
        card.send(to(RentalLab.hostAddress, { udp: { destinationPort: 7777 } }));
        card.send(to(x.address, { ip: { source: STRANGER.address } }));
        card.send(to(x.address, { ethernet: { source: STRANGER.mac } }));
        card.send(to('255.255.255.255', { ethernet: { destination: BROADCAST_MAC } }));
        card.send(to(x.address, { ethernet: { etherType: 0x86dd } }));
        card.send(to(x.address));
      }
      expect(more(before, counted('from-vm'))).toEqual({
        DENIED_NETWORK: 70,
        ALLOWED_DIRECT: 10,
        SOURCE_ADDRESS: 10,
        SOURCE_MAC: 10,
        GROUP_MAC: 10,
        IPV6: 10,
      });
      // What was sent last has arrived, so whatever else passed has too.
      const all = (seen: ReadonlyMap<string, number>): number => seen.get('all') ?? 0;
      await poll('the last of them', async () => all(await arrivals.x.seen()) - all(atX) >= 10);
      expect(all(await arrivals.x.seen()) - all(atX)).toBe(10);
      expect(all(await arrivals.b.seen()) - all(atB)).toBe(0);
      expect([heard, otherCard.received()]).toEqual([[], []]);
    } finally {
      listener.close();
      card.close();
      otherCard.close();
    }
  }, 30_000);

  test('whoever flushes nftables opens no address of the host, nor one that came while the guest was running', async () => {
    if (inKernel()?.mode !== 'Direct') await declare('Direct');
    const host = (...words: string[]): Promise<string> => rental.host.run(words);
    const denies = (address: string): boolean =>
      inKernel()?.denied?.some(({ first, last }) => isWithin(address, first, last)) === true;
    const come = { address: '198.18.7.7', broadcast: '198.18.7.255', down: '198.18.8.1' };
    await host('ip', 'address', 'add', `${come.address}/24`, 'broadcast', '+', 'dev', 'uplink');
    // The host answers for it, although its interface is down.
    await host('ip', 'link', 'add', 'spare', 'type', 'bridge');
    await host('ip', 'address', 'add', `${come.down}/24`, 'dev', 'spare');
    await poll('them to be denied', () => Object.values(come).every(denies));
    const shown = JSON.parse(await host('ip', '-4', '-json', 'address', 'show')) as {
      addr_info: { local: string; broadcast?: string }[];
    }[];
    const addresses = shown
      .flatMap(({ addr_info }) => addr_info.flatMap(({ local, broadcast }) => [local, broadcast]))
      .filter((address) => address !== undefined);
    expect(addresses).toEqual(expect.arrayContaining([RentalLab.hostAddress, ...Object.values(come)]));
    const card = new VirtualCard(cast.tap);
    process.kill(agent.pid, 'SIGSTOP');
    try {
      await host('nft', 'flush', 'ruleset');
      await rental.host.run(['nft', '-f', '-'], { input: witness(cast.tap) });
      for (let round = 0; round < 10; round += 1) {
        for (const address of addresses) card.send(to(address, { udp: { destinationPort: 7777 } }));
        card.send(to(x.address));
      }
      // Nothing but the filter stood between the guest and the host.
      const seen = async (chain: string): Promise<number> =>
        Number(/packets (\d+)/.exec(await host('nft', 'list', 'chain', 'ip', 'witness', chain))?.[1]);
      await poll('the last of what is allowed', async () => (await seen('sent_on')) === 10);
      expect(await seen('to_host')).toBe(0);
    } finally {
      card.close();
      await host('nft', 'delete', 'table', 'ip', 'witness');
      await host('ip', 'link', 'del', 'spare');
      await host('ip', 'address', 'del', `${come.address}/24`, 'dev', 'uplink');
      process.kill(agent.pid, 'SIGCONT');
    }
    await poll('them to be allowed', () => !Object.values(come).some(denies));
    await poll('the guard', () => host('nft', 'list', 'table', 'inet', 'vmnetwork').catch(() => null));
  }, 30_000);

  test('who was not spoken to does not get in, whatever routes it knows', async () => {
    await rental.wan.run(['ip', 'route', 'add', '100.64.0.0/10', 'via', RentalLab.hostAddress]);
    const card = new VirtualCard(cast.tap);
    try {
      const knock = `const s = require('dgram').createSocket('udp4');
s.send('knock', 40000, '${cast.guestAddress}', () => s.close());`;
      for (let round = 0; round < 3; round += 1) await rental.internet.run([process.execPath, '-e', knock]);
      const ping = icmp(IcmpType.echoRequest, 0, Uint8Array.of(0, 9, 0, 1));
      card.send(to(x.address, { ip: { protocol: Protocol.icmp, payload: ping } }));
      const received: Uint8Array[] = [];
      await poll('an answer behind them', () => received.push(...card.received()) > 0);
      expect(received.map((frame) => frame[23])).toEqual([Protocol.icmp]);
    } finally {
      card.close();
    }
  }, 30_000);

  test('[NM-3] under traffic between all four modes and with ranges that grow, nothing ever gets to the denied network', async () => {
    const blaster = new Blaster(rental.host, { a, b, x });
    const at = async (place: 'a' | 'b' | 'x'): Promise<number> =>
      (await arrivals[place].seen()).get('guest') ?? 0;
    const start = await at('b');
    try {
      await blaster.plug('guest', cast);
      await poll('traffic to the internet', async () => (await at('x')) > 20);
      // Another range, while frames go there: from the commit on not one more, and those to others go on.
      await committed(() => declareClass([...B_ALONE, '192.0.2.0/25']));
      expect(inKernel()?.denied).toContainEqual({ first: '192.0.2.0', last: '192.0.2.127' });
      await silentAt('x', at);
      await committed(() => declareClass(B_ALONE));
      await flowsTo('x', at);
      const sampledInFull = ['sampling: {ratePerMillion: 1000000}', 'violation: {action: Drop}'];
      for (const [mode, lines = []] of [
        ['Filtered'],
        ['Direct'],
        ['Conntrack'],
        ['Direct'],
        ['Sampled', sampledInFull],
        ['Direct'],
        ['Filtered'],
      ] as const) {
        await declare(mode, lines);
        await (mode === 'Direct' ? flowsTo('x', at) : silentAt('x', at));
        await flowsTo('a', at);
      }
      expect((await at('b')) - start).toBe(0);
    } finally {
      await blaster.end();
    }
  }, 60_000);

  /** Nothing more arrives: the same count before and after others did. What was under way when it was asked has arrived then. */
  async function silentAt(place: 'x', at: (place: 'a' | 'b' | 'x') => Promise<number>): Promise<void> {
    await flowsTo('a', at);
    const before = await at(place);
    await flowsTo('a', at);
    expect(await at(place)).toBe(before);
  }
  async function flowsTo(place: 'a' | 'x', at: (place: 'a' | 'b' | 'x') => Promise<number>): Promise<void> {
    const before = await at(place);
    await poll(`traffic to ${place}`, async () => (await at(place)) > before + 10);
  }

  test('[NM-3] a flow of Direct ends with Direct: its far end goes on, and the guest hears nothing more', async () => {
    await declare('Direct');
    const chatter = rental.internet.spawn([process.execPath, '-e', CHATTER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const card = new VirtualCard(cast.tap);
    try {
      if (chatter.stdout === null) throw new Error('no pipe');
      await once(chatter.stdout, 'data');
      card.send(to(x.address, { udp: { destinationPort: x.port, payload: Uint8Array.of(1) } }));
      await poll('what it says', () => card.received().length > 0);
      await declare('Filtered');
      card.received();
      const { SOURCE_ADDRESS: before = 0 } = counted('to-vm');
      await poll('what it goes on saying', () => (counted('to-vm')['SOURCE_ADDRESS'] ?? 0) > before + 20);
      expect(card.received()).toEqual([]);
    } finally {
      chatter.kill('SIGKILL');
      card.close();
    }
  }, 30_000);

  test('limits and the kill switch hold, and what the class does not name is refused', async () => {
    const card = new VirtualCard(cast.tap);
    const hundred = (): Record<string, number> => {
      const before = counted('from-vm');
      for (let round = 0; round < 100; round += 1) card.send(to(x.address));
      return more(before, counted('from-vm'));
    };
    try {
      await declare('Direct', ['limits: {packetsPerSecond: 1}']);
      const { PACKET_RATE = 0, ALLOWED_DIRECT = 0 } = hundred();
      expect(PACKET_RATE).toBeGreaterThan(0);
      expect(PACKET_RATE + ALLOWED_DIRECT).toBe(100);
      const killed = await declare('Direct', ['desiredState: Quarantined']);
      expect(conditions(killed)).toMatchObject({ Enforced: 'True Quarantined' });
      expect(hundred()).toEqual({ QUARANTINED: 100 });
      await declare('Direct');
      applyMode(rental.home, 'Direct', { name: 'guest', more: ['className: default'] });
      await agent.until('the refusal', (seen) => attachmentOf(seen, 'guest')?.state === 'Denied');
      expect(conditions(await now())).toMatchObject({
        Accepted: 'False DeniedByClass',
        Enforced: 'False Denied',
      });
      expect(hundred()).toEqual({ NO_POLICY: 100 });
    } finally {
      card.close();
    }
  }, 30_000);
});

/** Counts what comes from the tap for the host itself, and what it sends on. */
const witness = (tap: string): string => `table ip witness {
  chain to_host { type filter hook input priority 0; iifname "${tap}" counter; }
  chain sent_on { type filter hook forward priority 0; iifname "${tap}" counter; }
}
`;

function isWithin(address: string, first: string, last: string): boolean {
  return contains({ first: cidrRange(first).first, last: cidrRange(last).last }, address);
}

function hasEnds(frame: Uint8Array, ends: readonly string[]): boolean {
  const found = [frame.subarray(26, 30), frame.subarray(30, 34)].map((address) => address.join('.'));
  return [...found].sort().join() === [...ends].sort().join();
}
