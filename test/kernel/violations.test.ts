import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { counters, violations } from '../../src/native/filter-engine.ts';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { arpRequest, fromGuest } from '../support/frames/cast.ts';
import { ethernet, EtherType } from '../support/frames/ethernet.ts';
import { icmp, IcmpType } from '../support/frames/icmp.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { MonitorUser, Qemu, tapFedFromPort } from '../support/discovery/qemu.ts';
import { poll } from '../support/lab/index.ts';
import { type Child, startChild } from '../support/native/child.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { attachmentOf, enforces, networkOf, type AgentProcess } from '../support/stage/agent-process.ts';
import { applyMode } from '../support/stage/moded-manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';
import { describe } from '../support/stage/needs.ts';

/*
 * One real agent over one host, and VMs that differ in what their networks declare for violations. The test is their
 * guests; those that are to be ended are processes of their own.
 */

const { a, x } = RentalLab;
const THRESHOLD = 5;
const WINDOW_SECONDS = 1;
/** Mode and further fields of their networks. */
const VMS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  calm: ['Filtered', `violation: {action: Terminate, threshold: 1}`],
  dropper: [
    'Filtered',
    `violation: {action: Drop, threshold: ${String(THRESHOLD)}, windowSeconds: ${String(WINDOW_SECONDS)}}`,
  ],
  jailed: [
    'Conntrack',
    `violation: {action: Quarantine, threshold: ${String(THRESHOLD)}, windowSeconds: ${String(WINDOW_SECONDS)}}`,
  ],
  ended: ['Filtered', 'violation: {action: Terminate}'],
  shared: ['Filtered', 'violation: {action: Terminate}'],
  quits: ['Filtered', 'violation: {action: Terminate}'],
  stuck: ['Filtered', 'violation: {action: Terminate}'],
  sampled: ['Sampled', 'sampling: {ratePerMillion: 100000}'],
};
/** Far more than it takes on an idle machine, some 100 ms; far less than a verify period. */
const ANSWER_MS = 5000;

const addressHex = (address: string): string => Buffer.from(address.split('.').map(Number)).toString('hex');

/** What the guest's kernel says by itself when the endpoint's peer speaks to a closed port, and a ping. */
function answersToTheEndpoint(guest: RealCast): Uint8Array[] {
  return [
    icmp(IcmpType.unreachable, 3, new Uint8Array(32)),
    icmp(IcmpType.echoRequest, 0, new Uint8Array(12)),
  ].map((payload) => fromGuest(guest, { ip: { protocol: 1, payload } }));
}

describe('[FS-4] a VM that does what it may not', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let leave = (): void => undefined;
  let casts: Record<string, RealCast>;
  const cards = new Map<string, VirtualCard>();
  const children: Child[] = [];
  const machines: Qemu[] = [];

  const declare = (vm: string, more: readonly string[] = []): void => {
    const [mode, ...own] = VMS[vm] ?? ['Filtered'];
    applyMode(rental.home, mode, { name: vm, endpoint: a, more: [...own, ...more] });
  };
  // No resync within the test: what is answered in time was told by an event.
  const start = (): AgentProcess => rental.home.start(['--resync-seconds', '600']);

  beforeAll(async () => {
    rental = await RentalLab.open('guilt');
    for (const vm of Object.keys(VMS)) declare(vm);
    agent = start();
    const status = await agent.until('enforcement', (seen) =>
      Object.keys(VMS).every((vm) =>
        ['Enforced', 'Programmed'].includes(attachmentOf(seen, vm)?.state ?? ''),
      ),
    );
    casts = Object.fromEntries(Object.keys(VMS).map((vm) => [vm, castOf(status, vm, a)]));
    leave = moveInto(rental.host);
    for (const vm of ['calm', 'dropper', 'jailed', 'sampled']) cards.set(vm, new VirtualCard(cast(vm).tap));
  }, 45_000);
  afterAll(async () => {
    for (const card of cards.values()) card.close();
    for (const child of children) if (child.process.exitCode === null) await child.kill();
    for (const qemu of machines) if (!qemu.ended) await qemu.kill();
    leave();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  function cast(vm: string): RealCast {
    const found = casts[vm];
    if (found === undefined) throw new Error(`no VM ${vm}`);
    return found;
  }
  const send = (vm: string, frame: Uint8Array): void => cards.get(vm)?.send(frame);
  const allowed = (vm: string): Uint8Array => fromGuest(cast(vm));
  /** To a place that nobody allowed; a port of its own each time, as a scan has. */
  const forbidden = (vm: string, port = 1): Uint8Array =>
    fromGuest(cast(vm), { ip: { destination: x.address }, udp: { destinationPort: port } });
  const pinDir = (vm: string): string => join(rental.home.bpffs, cast(vm).tap);
  const crossings = (vm: string): number => Number(violations(pinDir(vm)).crossings);
  const count = (vm: string, symbol: string): number =>
    counters(pinDir(vm))
      .filter(({ direction, reason }) => direction === 'from-vm' && symbolOf(reason) === symbol)
      .reduce((sum, { packets }) => sum + Number(packets), 0);
  const of = (status: AgentStatus, vm: string): AttachmentStatus => {
    const found = attachmentOf(status, vm);
    if (found === undefined) throw new Error(`no attachment of ${vm}`);
    return found;
  };
  /** Milliseconds until frames that were allowed are not any more. */
  async function untilClosed(vm: string): Promise<number> {
    const begun = performance.now();
    await poll(
      `the quarantine of ${vm}`,
      () => {
        send(vm, allowed(vm));
        return count(vm, 'QUARANTINED') > 0;
      },
      { deadlineMs: ANSWER_MS, everyMs: 1 },
    );
    return performance.now() - begun;
  }

  test('strays that every guest sends are no violations: multicast, IGMP, MLD, DHCP, IPv6, LLDP, its own ARP, ICMP to the endpoint', async () => {
    const guest = cast('calm');
    const bytes = (text: string): Uint8Array => Buffer.from(text, 'hex');
    const group = (mac: string, etherType: number, payload: Uint8Array): Uint8Array =>
      ethernet({ destination: mac, source: guest.guestMac, etherType, payload });
    const multicast = (mac: string, destination: string, port: number): Uint8Array =>
      fromGuest(guest, {
        ethernet: { destination: mac },
        ip: { destination },
        udp: { sourcePort: port, destinationPort: port },
      });
    const dhcp = fromGuest(guest, {
      ethernet: { destination: 'ff:ff:ff:ff:ff:ff' },
      ip: { source: '0.0.0.0', destination: '255.255.255.255' },
      udp: { sourcePort: 68, destinationPort: 67 },
    });
    const routerSolicitation = bytes(
      `6000000000083aff${'00'.repeat(16)}ff02${'00'.repeat(13)}028500000000000000`,
    );
    // RFC 3376 4.2 and RFC 3810 5.2: both with the router alert, IGMP in the options of IPv4.
    const igmp = bytes(
      `46c00028000040000102ffff${addressHex(guest.guestAddress)}e00000169404000022000000000000010400000000000000`,
    );
    const mld = bytes(
      `6000000000240001fe80${'00'.repeat(13)}01ff02${'00'.repeat(13)}16` +
        `3a000502000001008f000000000000010400000000ff02${'00'.repeat(12)}fb`,
    );
    const strays = [
      group('01:00:5e:00:00:16', EtherType.ipv4, igmp),
      group('33:33:00:00:00:16', EtherType.ipv6, mld),
      ...answersToTheEndpoint(guest),
      multicast('01:00:5e:00:00:fb', '224.0.0.251', 5353),
      multicast('01:00:5e:7f:ff:fa', '239.255.255.250', 1900),
      dhcp,
      group('33:33:00:00:00:02', EtherType.ipv6, routerSolicitation),
      group('01:80:c2:00:00:0e', 0x88cc, new Uint8Array(46)),
      arpRequest(guest),
    ];
    for (let round = 0; round < 50; round += 1) for (const frame of strays) send('calm', frame);
    expect(crossings('calm')).toBe(0);
    const status = await agent.until('calm', (seen) => enforces(seen, 'calm', 'calm', a));
    expect(of(status, 'calm').violations).toEqual({ crossings: 0, quarantinedAt: null, last: [] });
    send('calm', allowed('calm'));
    expect(count('calm', 'ALLOWED')).toBe(1);
  });

  test('Drop: dropped, counted, told, and nothing else; a rate above the threshold is one crossing', async () => {
    for (let round = 0; round < THRESHOLD - 1; round += 1) send('dropper', forbidden('dropper', round + 1));
    expect(crossings('dropper')).toBe(0);
    const endMs = performance.now() + 2500 * WINDOW_SECONDS;
    while (performance.now() < endMs) {
      send('dropper', forbidden('dropper'));
      await pause(20);
    }
    expect(crossings('dropper')).toBe(1);
    const status = await agent.until(
      'the crossing',
      (seen) => of(seen, 'dropper').violations.crossings === 1,
    );
    expect(of(status, 'dropper')).toMatchObject({ state: 'Enforced', violations: { quarantinedAt: null } });
    const { last } = of(status, 'dropper').violations;
    expect(last.length).toBe(THRESHOLD - 1);
    expect(last).toContainEqual(
      expect.objectContaining({
        reason: 'DestinationAddress',
        summary: expect.stringContaining(x.address),
        audited: false,
      }),
    );
    await poll('the log', () => /"crossings":1[^\n]*"threshold of violations reached"/.test(agent.log));
    send('dropper', allowed('dropper'));
    expect(count('dropper', 'ALLOWED')).toBe(1);
    // Silence, and then again: another crossing.
    await pause(2100 * WINDOW_SECONDS);
    for (let round = 0; round < THRESHOLD; round += 1) send('dropper', forbidden('dropper'));
    expect(crossings('dropper')).toBe(2);
  }, 20_000);

  test('Quarantine: at the threshold and not before, at once, for itself alone', async () => {
    for (let round = 0; round < THRESHOLD - 1; round += 1) send('jailed', forbidden('jailed'));
    await pause(2100 * WINDOW_SECONDS);
    send('jailed', allowed('jailed'));
    expect([crossings('jailed'), count('jailed', 'ALLOWED')]).toEqual([0, 1]);
    for (let round = 0; round < THRESHOLD; round += 1) send('jailed', forbidden('jailed'));
    expect(await untilClosed('jailed')).toBeLessThan(ANSWER_MS);
    const status = await agent.until(
      'the report',
      (seen) => of(seen, 'jailed').violations.quarantinedAt !== null,
    );
    expect(of(status, 'jailed')).toMatchObject({
      state: 'Enforced',
      message: expect.stringContaining('for its violations'),
    });
    const conditions = networkOf(status, 'jailed')?.conditions;
    expect(conditions).toContainEqual(
      expect.objectContaining({ type: 'Enforced', status: 'True', reason: 'Quarantined' }),
    );
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'False' }));
    for (const vm of ['calm', 'dropper']) expect(enforces(status, vm, vm, a)).toBe(true);
  }, 20_000);

  test('a quarantine outlives the agent and edits, and ends with the kill switch set and cleared', async () => {
    await agent.end('SIGKILL');
    agent = start();
    const isJailed = (seen: AgentStatus): boolean =>
      attachmentOf(seen, 'jailed')?.violations.quarantinedAt != null;
    await agent.until('the same quarantine', isJailed);
    declare('jailed', ['endpointGraceSeconds: 1']);
    await agent.until('the edit', (seen) => networkOf(seen, 'jailed')?.generation === 2 && isJailed(seen));
    const before = count('jailed', 'QUARANTINED');
    for (let round = 0; round < 10; round += 1) send('jailed', allowed('jailed'));
    expect(count('jailed', 'QUARANTINED')).toBe(before + 10);

    declare('jailed', ['desiredState: Quarantined']);
    await agent.until(
      'the kill switch',
      (seen) => !isJailed(seen) && of(seen, 'jailed').message.startsWith('quarantined'),
    );
    declare('jailed');
    await agent.until('the release', (seen) => of(seen, 'jailed').message.startsWith('only'));
    const passed = count('jailed', 'ALLOWED');
    send('jailed', allowed('jailed'));
    expect(count('jailed', 'ALLOWED')).toBe(passed + 1);
    // And is answered again when it does it again.
    await pause(2100 * WINDOW_SECONDS);
    for (let round = 0; round < THRESHOLD; round += 1) send('jailed', forbidden('jailed'));
    await agent.until('the second quarantine', isJailed);
  }, 30_000);

  test('Sampled: the first violation that is drawn is answered, by quarantine unless told otherwise', async () => {
    // Drawn at 10 %: the chance that 400 frames are all missed is below 1 in 10^18.
    let sent = 0;
    while (crossings('sampled') === 0 && sent < 400) {
      send('sampled', forbidden('sampled'));
      sent += 1;
    }
    expect(crossings('sampled')).toBe(1);
    expect(count('sampled', 'ALLOWED_UNSAMPLED')).toBe(sent - 1);
    await untilClosed('sampled');
  }, 20_000);

  test('Terminate: closed, the process that holds the tap is ended, and no other', async () => {
    const bystander = holder('calm', null);
    expect(await bystander.next()).toBe('held');
    const culprit = holder('ended', forbidden('ended'));
    expect(await culprit.next()).toBe('held');
    await poll('the end of the culprit', () => culprit.process.signalCode === 'SIGTERM', {
      deadlineMs: ANSWER_MS,
    });
    const status = await agent.until('the report', (seen) => !of(seen, 'ended').inUse);
    expect(of(status, 'ended')).toMatchObject({
      state: 'Enforced',
      violations: { crossings: 1, quarantinedAt: expect.any(String) },
    });
    expect(status.problems).toEqual([]);
    expect(agent.log).toContain(`"change":"end-vm pid ${String(culprit.process.pid)}"`);
    // Started anew it has no network, and is left alone.
    const again = holder('ended', forbidden('ended'));
    expect(await again.next()).toBe('held');
    await agent.until('it is seen', (seen) => of(seen, 'ended').inUse);
    await pause(500);
    expect([again.process.signalCode, bystander.process.signalCode]).toEqual([null, null]);
    expect(crossings('ended')).toBe(1);
  }, 30_000);

  test('Terminate, and two processes hold the tap: which one is the VM is not certain, so neither is ended, and it is said', async () => {
    // The second one ends with the pipe to it, that is with the first.
    const share = `
      const { spawn } = await import('node:child_process');
      say(spawn('cat', { stdio: ['pipe', 'ignore', 'ignore', fd] }).pid);`;
    const first = holder('shared', forbidden('shared'), share);
    const second = await first.next<number>();
    expect(await first.next()).toBe('held');
    const status = await agent.until('the problem', ({ problems }) => problems.length > 0);
    expect(status.problems).toEqual([
      expect.objectContaining({
        file: 'VM shared',
        code: 'VMN_TAP_IN_USE',
        remedy: expect.stringContaining('by hand'),
      }),
    ]);
    const [problem] = status.problems;
    for (const pid of [first.process.pid, second]) expect(problem?.message).toContain(String(pid));
    expect(of(status, 'shared').violations.quarantinedAt).not.toBeNull();
    expect(first.process.signalCode).toBeNull();
    // By hand, then.
    await first.kill();
    await agent.until(
      'rest',
      ({ problems, attachments }) =>
        problems.length === 0 && attachments.every(({ state }) => state !== 'Error'),
    );
  }, 30_000);

  test('Terminate of a real VM: it is told to quit, and does', async () => {
    const { qemu, violate } = await machine('quits');
    violate();
    await poll('its exit', () => qemu.ended, { deadlineMs: 2 * ANSWER_MS });
    expect(qemu.process.exitCode).toBe(0);
    await agent.until('it is noted', (seen) => !of(seen, 'quits').inUse);
    await poll('the log', () => /"how":"quit"/.test(agent.log));
    expect(of(await agent.until('rest', ({ problems }) => problems.length === 0), 'quits')).toMatchObject({
      state: 'Enforced',
      violations: { quarantinedAt: expect.any(String) },
    });
  }, 30_000);

  test('Terminate, and the agent dies meanwhile: the next one does it, to the same process and to no other', async () => {
    // It heeds nothing but SIGKILL, which is some seconds away.
    const stuck = holder('stuck', forbidden('stuck'), `process.on('SIGTERM', () => say('asked'));`);
    expect([await stuck.next(), await stuck.next()]).toEqual(['held', 'asked']);
    const noted = (): boolean =>
      readFileSync(record('stuck'), 'utf8').includes(`"pid": ${String(stuck.process.pid)}`);
    expect(noted()).toBe(true);
    await agent.end('SIGKILL');
    expect(stuck.process.signalCode).toBeNull();
    agent = start();
    expect(await stuck.next()).toBe('asked');
    await poll('its end', () => stuck.process.signalCode === 'SIGKILL', { deadlineMs: 20_000 });
    // Started anew at once, perhaps before that was noted.
    const again = holder('stuck', forbidden('stuck'));
    expect(await again.next()).toBe('held');
    await agent.until('it is seen', (seen) => attachmentOf(seen, 'stuck')?.inUse === true);
    await poll('the record', () => readFileSync(record('stuck'), 'utf8').includes('"toEnd": false'));
    await pause(500);
    expect([again.process.signalCode, noted()]).toEqual([null, false]);
  }, 60_000);

  const record = (vm: string): string => join(rental.home.stateDir, 'attachments', `${cast(vm).tap}.json`);

  /** A real QEMU with a monitor. What is sent to a port of its goes out as from its card. */
  async function machine(vm: string): Promise<{ qemu: Qemu; violate: () => void }> {
    const path = join(rental.home.stateDir, `${vm}.sock`);
    const { tap } = cast(vm);
    const qemu = new Qemu(rental.host, [
      ...['-qmp', `unix:${path},server=on,wait=off`],
      ...tapFedFromPort(tap, 7001),
    ]);
    machines.push(qemu);
    const user = await MonitorUser.connect(path);
    await user.ask('cont');
    user.close();
    await agent.until('it is seen', (seen) => of(seen, vm).inUse);
    const frame = forbidden(vm);
    const script = `import socket,sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bytes.fromhex(sys.argv[1]), ('127.0.0.1', 7001))`;
    const hex = Buffer.from(frame).toString('hex');
    const violate = () => void rental.host.spawn(['python3', '-c', script, hex], { stdio: 'inherit' });
    return { qemu, violate };
  }

  /** A process that opens a VM's tap and sends a frame every 5 ms. */
  function holder(vm: string, frame: Uint8Array | null, more = ''): Child {
    cards.get(vm)?.close();
    const child = startChild(
      rental.host,
      `
      const fd = tap.openTap(${JSON.stringify(cast(vm).tap)});
      const frame = ${frame === null ? 'null' : `Buffer.from('${Buffer.from(frame).toString('hex')}', 'hex')`};
      ${more}
      say('held');
      setInterval(() => { if (frame !== null) writeSync(fd, frame); }, 5);
    `,
    );
    children.push(child);
    return child;
  }
});
