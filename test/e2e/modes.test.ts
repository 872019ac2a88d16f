/**
 * A real guest goes through all modes while it runs, and does in each what its mode allows and what it does not. One life, told in
 * order: each test goes on where the one before it left the guests.
 */
import { afterAll, beforeAll, expect } from '@jest/globals';
import { attackerOf, guestAddressOf } from '../../demo/scenario/attacker.ts';
import type { Attacker, Attempt } from '../../demo/scenario/attempt.ts';
import { attempts } from '../../demo/scenario/attempts.ts';
import { readCounts, since, type Counts } from '../../demo/scenario/counters.ts';
import { ask } from '../../demo/scenario/guest-script.ts';
import { FLOW_PORT } from '../../demo/scenario/inbound.ts';
import { PLACES } from '../../demo/scenario/places.ts';
import { mustReach } from '../../demo/scenario/reach.ts';
import { tryInVain } from '../../demo/scenario/trial.ts';
import type { AttachmentStatus } from '../../src/agent/status/status.ts';
import { readBack, violations } from '../../src/native/filter-engine.ts';
import { atOnce } from '../support/found-guests/at-once.ts';
import { CAST, fromGuest } from '../support/frames/cast.ts';
import { Lab, poll } from '../support/lab/index.ts';
import { ModedStage, type ModedGuest } from '../support/moded-guests/stage.ts';
import { executable, file, kernel, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

const needs = [root, kernel(6, 6), file('/dev/net/tun', 'modprobe tun')];
const { describe, test } = requires(...needs, ...['qemu-system-x86_64', 'tcpdump'].map(executable));

const PATIENCE_MS = 30_000;
const CONSUMER = PLACES.consumer;
/** Answers in the internet by the address that it is asked by, and is nobody's endpoint. */
const ELSEWHERE = { address: PLACES.router, port: CONSUMER.port };
/** Where nobody listens, so that nobody answers. */
const SILENT_PORT = 9;
const TERMINATE = 'violation: {action: Terminate}';
const ASK_CONSUMER = ask(CONSUMER.address, CONSUMER.port, 3000);
const ASK_ELSEWHERE = ask(ELSEWHERE.address, ELSEWHERE.port, 3000);

/** Its kernel then looks for routers and neighbours, and reports its multicast groups. */
const SPEAK_IPV6 =
  'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; for i in $(seq 40); do usleep 50000; done; echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6';

describe('every mode, with real guests', () => {
  let lab: Lab;
  let stage: ModedStage;
  let own: ModedGuest;
  let found: ModedGuest;
  let attacker: Attacker;
  let atBoot: unknown;

  beforeAll(async () => {
    lab = await Lab.create('modes');
    stage = await ModedStage.open(lab);
    ({ own, found } = stage);
    const status = await stage.now();
    const other = guestAddressOf(stage.on(status, found.tap)!);
    attacker = attackerOf(stage.on(status, own.tap)!, other, CONSUMER);
    atBoot = attachment();
  }, 240_000);
  afterAll(async () => {
    await stage?.close();
    await lab?.close();
  }, 60_000);

  const of = async ({ tap }: ModedGuest) => stage.on(await stage.now(), tap)!;
  /** The programs of the own tap, by the kernel: where they are, and behind which links. */
  const attachment = (): unknown => {
    const leave = moveInto(stage.world.host);
    const { fromVm, toVm } = readBack(own.pinDir);
    leave();
    return [fromVm, toVm].map((hook) => ({
      at: hook?.attachPoint,
      link: hook?.linkId,
      ifindex: hook?.ifindex,
    }));
  };
  const reachesConsumer = async (guest: ModedGuest): Promise<void> => {
    const handshake = { step: '', attempt: guest.name, at: 'consumer', endpoint: CONSUMER } as const;
    expect((await mustReach(handshake, guest, stage.world)).faults).toEqual([]);
  };
  /** All of these at once, none of which arrives anywhere; each is counted by its reason. */
  const inVain = async (tries: readonly Attempt[]): Promise<void> => {
    for (const attempt of atOnce(tries)) {
      const { attempt: title, faults } = await tryInVain('', attempt, own, stage.world);
      expect([title, faults]).toEqual([title, []]);
    }
  };
  const groups = (...names: string[]): Attempt[] =>
    attempts(attacker).filter(({ group }) => names.includes(group));
  const counted = async (guest: ModedGuest, work: () => Promise<unknown>): Promise<Counts> => {
    const before = readCounts(guest.pinDir, 'from-vm');
    await work();
    return since(before, readCounts(guest.pinDir, 'from-vm'));
  };
  /** Where something arrived while the guest ran a script; the host is passed on the way. */
  const arrivals = async (script: string) => {
    await stage.world.newArrivals();
    const { code } = await own.guest.run(script);
    const all = await stage.world.newArrivals();
    return { code, at: all.map(({ at }) => at).filter((at) => at !== 'host') };
  };
  /** How often it reached its threshold of violations, as the kernel counts. */
  const crossings = ({ pinDir }: ModedGuest): number => Number(violations(pinDir).crossings);
  const carrierOf = async ({ guest }: ModedGuest): Promise<string> =>
    (await guest.must('cat /sys/class/net/eth0/carrier')).trim();
  const untilStatus = (what: string, { tap }: ModedGuest, is: (one: AttachmentStatus) => boolean) =>
    stage.agent.until(
      what,
      (seen) => seen.attachments.some((one) => one.tap === tap && is(one)),
      PATIENCE_MS,
    );
  const isRunning = ({ guest }: ModedGuest): boolean => guest.process.exitCode === null;

  test('[NM-1] [E2E-3] Filtered: the consumer is reached, and whatever else root tries is dropped and counted', async () => {
    expect(attachment()).toEqual(atBoot);
    expect(atBoot).toMatchObject([{ at: 'tcx/ingress' }, { at: 'tcx/egress' }]);
    expect(await of(own)).toMatchObject({ state: 'Enforced' });
    await reachesConsumer(own);
    await inVain(attempts(attacker));
    await reachesConsumer(own);
  }, 120_000);

  test('[NM-1] [E2E-3] Conntrack, switched to live: a flow is judged once and goes on by its entry, a bad one is dropped', async () => {
    await stage.declare(own, { mode: 'Conntrack' });
    expect((await of(own)).state).toBe('Enforced');
    expect(attachment()).toEqual(atBoot);
    const again = ask(CONSUMER.address, CONSUMER.port, 3000, FLOW_PORT);
    const moved = await counted(own, async () => {
      for (let round = 0; round < 3; round += 1) expect((await own.guest.run(again)).code).toBe(0);
    });
    expect([moved.get('Allowed'), moved.get('AllowedFlow')]).toEqual([1, 2]);
    await stage.world.newArrivals();
    await inVain(groups('The internet', 'The host', 'The consumer, otherwise than agreed'));
  }, 60_000);

  test('[NM-1] [E2E-3] Sampled: status says that it is in part; what is not allowed passes until one is drawn, and then nothing; the guest sees its cable pulled', async () => {
    // 1 %, and what Sampled does about a violation by itself.
    const status = await stage.declare(own, { mode: 'Sampled' });
    expect(stage.said(status, own, 'Enforced')).toBe('False SampledInPart');
    expect(stage.on(status, own.tap)?.state).toBe('Programmed');
    expect(attachment()).toEqual(atBoot);
    await stage.world.newArrivals();
    const crossingsBefore = crossings(own);
    const before = readCounts(own.pinDir, 'from-vm');
    // The chance that 4000 frames are all missed is below 1 in 10^17.
    await own.guest.run(flood(forbidden(attacker), 4000), 60_000);
    await untilStatus('the quarantine', own, ({ violations: { quarantinedAt } }) => quarantinedAt !== null);
    const moved = (): Counts => since(before, readCounts(own.pinDir, 'from-vm'));
    let passed = 0;
    const isAllSeen = async (): Promise<boolean> => {
      for (const { at, frames } of await stage.world.newArrivals()) if (at === 'internet') passed += frames;
      return passed === (moved().get('AllowedUnsampled') ?? 0);
    };
    await poll('what passed to arrive', isAllSeen, {
      detail: () => `${String(passed)} of ${inWords(moved())}`,
    });
    expect(passed).toBeLessThan(4000);
    expect(moved().get('DestinationAddress')).toBeGreaterThan(0);
    expect(crossings(own)).toBe(crossingsBefore + 1);
    // Closed first; that its guest is told by the card is a courtesy.
    await untilStatus('the cable', own, ({ message }) => message.includes('its cable is pulled'));
    await poll('the guest to see it', async () => (await carrierOf(own)) === '0');
    // What it then holds back for its gateway is thrown away, or it would be sent, quite rightly, later.
    const { code } = await own.guest.run(
      `${ask(CONSUMER.address, CONSUMER.port)}; code=$?; ip neigh flush dev eth0; exit $code`,
    );
    expect(code).toBe(1);
    expect(await stage.world.newArrivals()).toEqual([]);
    expect(isRunning(own)).toBe(true);
  }, 120_000);

  test('[FS-4] a quarantine ends with the kill switch set and cleared: the cable is back, and the consumer is reached', async () => {
    await stage.declare(own, { mode: 'Filtered', more: ['desiredState: Quarantined'] });
    const status = await stage.declare(own, { mode: 'Filtered' });
    expect(stage.on(status, own.tap)?.violations.quarantinedAt).toBeNull();
    await poll('the guest to see it', async () => (await carrierOf(own)) === '1');
    await reachesConsumer(own);
  }, 60_000);

  test('[NM-1] [E2E-3] Direct: status says that the host does not enforce; the internet is reached, and neither host, LAN, metadata nor another VM', async () => {
    const status = await stage.declare(own, { mode: 'Direct' });
    expect(stage.said(status, own, 'Enforced')).toBe('False NotHostEnforced');
    expect(stage.on(status, own.tap)?.state).toBe('Programmed');
    expect(attachment()).toEqual(atBoot);
    const elsewhere = await arrivals(ASK_ELSEWHERE);
    expect(elsewhere).toEqual({ code: 0, at: ['internet'] });
    const near = attempts(attacker).filter(({ group }) => ['The host', 'The provider'].includes(group));
    for (const { title, script } of atOnce(near)) {
      expect([title, await arrivals(script)]).toEqual([title, { code: 1, at: [] }]);
    }
    // Who it is, is held to in every mode.
    await inVain(groups('Spoofing'));
  }, 60_000);

  test('[NM-3] [E2E-3] back to Filtered, the internet is out of reach again, behind the same links of the same machine', async () => {
    await stage.declare(own, { mode: 'Filtered' });
    expect((await of(own)).state).toBe('Enforced');
    expect(attachment()).toEqual(atBoot);
    await inVain(groups('The internet', 'The host', 'The provider'));
    await reachesConsumer(own);
    expect(isRunning(own)).toBe(true);
  }, 60_000);

  test('[FS-4] a guest whose first violation would end it sends multicast, broadcast, DHCP and the chatter of its own IPv6, and lives', async () => {
    const more = [TERMINATE];
    await stage.declare(own, { mode: 'Conntrack', more });
    await stage.declare(found, { mode: 'Filtered', more });
    const before = crossings(own);
    await inVain(groups('Multicast and broadcast'));
    const moved = await counted(own, () => own.guest.must(SPEAK_IPV6));
    expect([...moved.keys()]).toEqual(['GroupMac']);
    await stage.world.newArrivals();
    for (const { guest } of [own, found]) expect((await guest.run(ASK_CONSUMER)).code).toBe(0);
    expect(crossings(own)).toBe(before);
    expect([isRunning(own), isRunning(found)]).toEqual([true, true]);
  }, 60_000);

  test('[E2E-3] [FS-4] Conntrack terminates on a bad flow: QEMU is told to quit and does, the flow arrives nowhere, no other VM is touched', async () => {
    await stage.world.newArrivals();
    const bad = own.guest.run(ASK_ELSEWHERE).catch(() => null);
    await poll('its end', () => own.guest.process.exitCode !== null, { deadlineMs: PATIENCE_MS });
    await bad;
    expect(await stage.world.newArrivals()).toEqual([]);
    expect([own.monitor.shutdownReason, own.guest.process.exitCode]).toEqual(['host-qmp-quit', 0]);
    await untilStatus('its report', own, ({ inUse }) => !inUse);
    await reachesConsumer(found);
    expect([isRunning(found), stage.beside.ended]).toEqual([true, false]);
  }, 60_000);

  test('[FS-4] a VM whose monitor somebody holds is ended by a signal, and no other', async () => {
    const bad = found.guest.run(ASK_ELSEWHERE).catch(() => null);
    await poll('its end', () => !isRunning(found), { deadlineMs: PATIENCE_MS });
    await bad;
    expect(found.monitor.shutdownReason).toBe('host-signal');
    expect(stage.beside.ended).toBe(false);
  }, 60_000);
});

/** A datagram to where nobody may go, as hex. */
function forbidden({ mac, address, gatewayMac, gatewayAddress, endpoint }: Attacker): string {
  const cast = { ...CAST, guestMac: mac, guestAddress: address, gatewayMac, gatewayAddress, endpoint };
  return Buffer.from(
    fromGuest(cast, { ip: { destination: PLACES.internet }, udp: { destinationPort: SILENT_PORT } }),
  ).toString('hex');
}

/** Sends a frame so many times, 25 in one go. */
function flood(frame: string, times: number): string {
  const five = Array<string>(5).fill(frame).join(' ');
  const rounds = String(times / 25);
  return `f='${five}'; f="$f $f $f $f $f"; for i in $(seq ${rounds}); do guest-probe raw eth0 $f; done`;
}

function inWords(counts: Counts): string {
  return [...counts].map(([reason, count]) => `${String(count)} ${reason}`).join(', ');
}
