import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { closeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ensureBpffs, removePins, removeRootIfEmpty } from '../../src/native/bpffs.ts';
import { attachFilter, counters, readBack, writePolicy } from '../../src/native/filter-engine.ts';
import { encodePolicy, randomSecret } from '../../src/native/policy-abi.ts';
import type { Policy } from '../../src/native/policy-abi.ts';
import { setLink } from '../../src/native/rtnetlink.ts';
import { createTap } from '../../src/native/tap.ts';
import { CAST, fromGuest } from '../support/frames/cast.ts';
import type { Destination } from '../support/frames/policy-bytes.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { keepAlive } from '../support/frames/wireguard.ts';
import { PacedFlood } from '../support/stage/paced-flood.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { seededRandom } from '../support/stage/random.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { describe } from '../support/stage/needs.ts';

/*
 * Theory of operation. A guest never stops sending, while its policy is changed thousands of times, between two that share
 * nothing but the guest: one allows consumer A, and WireGuard only; the other allows B, and any datagram. A frame judged by
 * parts of both would be one that neither allows: a datagram to A that is not WireGuard. Modes and secrets change as well.
 * Each kind of frame has a source port of its own, which is how the far ends count them, and in Conntrack makes the one
 * that is never allowed a flow of its own.
 */

/** Each waits until no CPU judges by the former policy any more, some 15 ms. */
const CHANGES = 2000;
const SEED = 20_250_131;
/** Frames a second; four kinds in turn. */
const RATE = 8000;
/** While the old endpoint is watched for what comes too late. */
const WATCHED_CHANGES = 100;
const WATCH_MS = 10;

const { a, b, x } = RentalLab;
const PORTS = { toA: 40_001, toB: 40_002, mixed: 40_003, never: 40_004 };
const ANYTHING = new Uint8Array(33).fill(0xaa);

describe('the policy changes while the guest sends', () => {
  let rental: RentalLab;
  let leave = (): void => undefined;
  let fd = -1;
  let pinDir = '';
  let atA: PortCounter;
  let atB: PortCounter;
  let atX: PortCounter;
  let flood: PacedFlood | undefined;
  let generation = 0n;

  beforeAll(async () => {
    rental = await RentalLab.open('change');
    await rental.host.sysctl('net.ipv4.ip_forward', 1);
    atA = await PortCounter.place(rental.consumerA, 'eth0', PORTS);
    atB = await PortCounter.place(rental.consumerB, 'eth0', PORTS);
    atX = await PortCounter.place(rental.internet, 'eth0', PORTS);
    leave = moveInto(rental.host);
    ensureBpffs(rental.home.bpffs);
    const tap = createTap('vmn-change');
    fd = tap.fd;
    setLink(tap.ifindex, { mac: CAST.gatewayMac });
    pinDir = `${rental.home.bpffs}/vmn-change`;
    attachFilter(pinDir, tap.ifindex);
    setLink(tap.ifindex, { up: true });
  }, 30_000);
  afterAll(async () => {
    await flood?.stop();
    if (fd >= 0) closeSync(fd);
    if (pinDir !== '') removePins(pinDir);
    removeRootIfEmpty(rental?.home.bpffs ?? '/nowhere/at-all');
    leave();
    await rental?.close();
  }, 30_000);

  const frame = (sourcePort: number, to: Destination, payload: Uint8Array): Uint8Array =>
    fromGuest(CAST, {
      ip: { destination: to.address },
      udp: { sourcePort, destinationPort: to.port, payload },
    });
  const kinds = [
    frame(PORTS.toA, a, keepAlive()),
    frame(PORTS.toB, b, ANYTHING),
    frame(PORTS.mixed, a, ANYTHING),
    frame(PORTS.never, x, keepAlive()),
  ];

  function change(to: 'a' | 'b', mode: Policy['mode']): void {
    generation += 1n;
    const { guestMac, gatewayMac, guestAddress, gatewayAddress } = CAST;
    const policy: Policy = {
      flags: { quarantined: false, strictWireGuard: to === 'a', audit: false },
      generation,
      guestMac,
      gatewayMac,
      guestAddress,
      gatewayAddress,
      mode,
      endpoint: to === 'a' ? a : b,
      previous: null,
      secret: randomSecret(),
      limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
      // Every frame is drawn, so that Sampled is as strict as the others.
      samplePerMillion: mode === 'Sampled' ? 1_000_000 : 0,
      maxPacketBytes: 1500,
      violation: { threshold: 1000, windowMs: 1000 },
    };
    writePolicy(pinDir, encodePolicy(policy));
  }

  const modes = ['Filtered', 'Conntrack', 'Sampled'] as const;
  const random = seededRandom(SEED);
  const anyMode = (): Policy['mode'] => modes[Math.floor(random() * modes.length)] ?? 'Filtered';
  const packets = async (counter: PortCounter, kind: keyof typeof PORTS): Promise<number> =>
    (await counter.seen())[kind]?.packets ?? Number.NaN;

  test(`[SB-9] once a change is committed the old endpoint gets nothing more, ${String(WATCHED_CHANGES)} times under traffic`, async () => {
    flood = await PacedFlood.start([{ fd, frames: kinds, rate: RATE }]);
    for (let round = 0; round < WATCHED_CHANGES; round += 1) {
      const [to, old, kind] = round % 2 === 0 ? (['a', atB, 'toB'] as const) : (['b', atA, 'toA'] as const);
      change(to, anyMode());
      // What was judged before is past the routers by the time that one reading takes.
      const before = await packets(old, kind);
      await pause(WATCH_MS);
      expect(await packets(old, kind)).toBe(before);
    }
    expect(await packets(atA, 'toA')).toBeGreaterThan(WATCHED_CHANGES);
    expect(await packets(atB, 'toB')).toBeGreaterThan(WATCHED_CHANGES);
  }, 60_000);

  test(`[EB-3] [SB-9] ${String(CHANGES)} changes at once: no frame is judged by parts of two policies, seed ${String(SEED)}`, async () => {
    const start = { written: flood?.written() ?? 0, generation };
    for (let round = 0; round < CHANGES; round += 1) {
      change(round % 2 === 0 ? 'a' : 'b', anyMode());
      // The event loop has to turn, or the test could not be stopped.
      if (round % 50 === 0) await pause(0);
    }
    // A race, not a walk: several frames for each change.
    expect((flood?.written() ?? 0) - start.written).toBeGreaterThan(5 * CHANGES);
    expect(generation - start.generation).toBe(BigInt(CHANGES));
    const { policy } = readBack(pinDir);
    expect(
      policy === null ? null : new DataView(policy.buffer, policy.byteOffset).getBigUint64(8, true),
    ).toBe(generation);
  }, 60_000);

  test('[EB-3] what nobody ever allowed arrived nowhere, and every frame was judged exactly once', async () => {
    await flood?.stop();
    const written = flood?.written() ?? 0;
    await pause(100);
    const [farA, farB, farX] = [await atA.seen(), await atB.seen(), await atX.seen()];
    expect(farX['all']?.packets).toBe(0);
    expect(farA).toMatchObject({ toB: { packets: 0 }, mixed: { packets: 0 }, never: { packets: 0 } });
    expect(farB).toMatchObject({ toA: { packets: 0 }, mixed: { packets: 0 }, never: { packets: 0 } });
    const counted = counters(pinDir).filter(({ direction }) => direction === 'from-vm');
    const sum = (lines: typeof counted): number =>
      lines.reduce((total, line) => total + Number(line.packets), 0);
    expect(sum(counted)).toBe(written);
    const allowed = counted.filter(({ reason }) => symbolOf(reason).startsWith('ALLOWED'));
    expect(sum(allowed)).toBe((farA['all']?.packets ?? 0) + (farB['all']?.packets ?? 0));
    const reasons = counted.map(({ reason }) => symbolOf(reason)).sort();
    expect(reasons).toEqual(
      expect.arrayContaining(['ALLOWED', 'ALLOWED_FLOW', 'DESTINATION_ADDRESS', 'NOT_WIREGUARD']),
    );
    expect(counted.some(({ audited }) => audited)).toBe(false);
  }, 30_000);
});
