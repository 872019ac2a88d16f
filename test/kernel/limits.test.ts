import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { counters } from '../../src/native/filter-engine.ts';
import { openTap } from '../../src/native/tap.ts';
import { fromGuest } from '../support/frames/cast.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { wireGuardShape } from '../support/frames/wireguard.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { enforces, type AgentProcess } from '../support/stage/agent-process.ts';
import { apply } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PacedFlood } from '../support/stage/paced-flood.ts';
import { PortCounter, type Counted } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { describe } from '../support/stage/needs.ts';

/*
 * Two VMs of a real agent, each with one limit, send more than they may for 10 s at the same time. The bound of 5 % is on
 * what the filter does; what the measurement adds is kept apart: a reading of the counters happens at some moment between
 * its begin and its end, and while the sender had no processor for longer than a bucket lasts, what was not sent is
 * not owed.
 */

const MEASURED_MS = 10_000;
/** What a full bucket lets through at first, and the shaping of the flood, are over by then. */
const SETTLE_MS = 500;
const TOLERANCE = 0.05;
/** Of the Ethernet header, which the far end's counter leaves out and the limit counts. */
const HEADER_BYTES = 14;

const BITS_PER_SECOND = 40_000_000;
const PACKETS_PER_SECOND = 3000;
/** Frames a second that each VM sends: about twice what it may. */
const OFFERED = { bits: 7000, packets: 6000 };
const PORTS = { bits: 41_001, packets: 41_002 };

const { a } = RentalLab;

describe('what a VM may send', () => {
  let rental: RentalLab;
  let agent: AgentProcess | undefined;
  let farEnd: PortCounter;
  let flood: PacedFlood | undefined;
  let leave = (): void => undefined;
  const fds: number[] = [];
  let casts: Record<keyof typeof PORTS, RealCast>;

  beforeAll(async () => {
    rental = await RentalLab.open('limits');
    farEnd = await PortCounter.place(rental.consumerA, 'eth0', PORTS);
    const limit = (text: string): string[] => [`limits: {${text}}`];
    apply(rental.home, {
      name: 'bits',
      endpoint: a,
      more: limit(`egressBitsPerSecond: ${String(BITS_PER_SECOND)}`),
    });
    apply(rental.home, {
      name: 'packets',
      endpoint: a,
      more: limit(`packetsPerSecond: ${String(PACKETS_PER_SECOND)}`),
    });
    agent = rental.home.start();
    const status = await agent.until('enforcement', (seen) =>
      ['bits', 'packets'].every((vm) => enforces(seen, vm, vm, a)),
    );
    casts = { bits: castOf(status, 'bits', a), packets: castOf(status, 'packets', a) };
    leave = moveInto(rental.host);
    fds.push(openTap(casts.bits.tap), openTap(casts.packets.tap));
  }, 45_000);
  afterAll(async () => {
    await flood?.stop();
    for (const fd of fds) closeSync(fd);
    leave();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  const frame = (vm: keyof typeof PORTS, payloadBytes: number): Uint8Array =>
    fromGuest(casts[vm], { udp: { sourcePort: PORTS[vm], payload: wireGuardShape(4, payloadBytes) } });
  const dropped = (vm: keyof typeof PORTS): string[] =>
    counters(join(rental.home.bpffs, casts[vm].tap))
      .filter(({ direction, reason }) => direction === 'from-vm' && reason >= 16)
      .map(({ reason }) => symbolOf(reason));

  interface Reading {
    fromMs: number;
    toMs: number;
    bits: Counted;
    packets: Counted;
  }

  async function reading(): Promise<Reading> {
    const fromMs = performance.now();
    const seen = await farEnd.seen();
    const none = { packets: 0, bytes: 0 };
    return { fromMs, toMs: performance.now(), bits: seen['bits'] ?? none, packets: seen['packets'] ?? none };
  }

  test(`[limits] is what its network says, within ${String(TOLERANCE * 100)} % over 10 s at the far end`, async () => {
    const [bitsFd = -1, packetsFd = -1] = fds;
    flood = await PacedFlood.start([
      { fd: bitsFd, frames: [frame('bits', 1344)], rate: OFFERED.bits },
      { fd: packetsFd, frames: [frame('packets', 32)], rate: OFFERED.packets },
    ]);
    await pause(SETTLE_MS);
    const start = await reading();
    const stalledBefore = flood.stalledMs;
    await pause(MEASURED_MS);
    const end = await reading();
    const seconds = {
      least: (end.fromMs - start.toMs - (flood.stalledMs - stalledBefore)) / 1000,
      most: (end.toMs - start.fromMs) / 1000,
    };

    const datagrams = end.bits.packets - start.bits.packets;
    const measured = {
      bits: (end.bits.bytes - start.bits.bytes + HEADER_BYTES * datagrams) * 8,
      packets: end.packets.packets - start.packets.packets,
    };
    const rates = { bits: BITS_PER_SECOND, packets: PACKETS_PER_SECOND };
    for (const unit of ['bits', 'packets'] as const) {
      expect(measured[unit]).toBeLessThan(rates[unit] * seconds.most * (1 + TOLERANCE));
      expect(measured[unit]).toBeGreaterThan(rates[unit] * seconds.least * (1 - TOLERANCE));
    }
    // On a machine so busy that this says little, say so.
    expect(seconds.least).toBeGreaterThan(0.5 * seconds.most);
    expect([dropped('bits'), dropped('packets')]).toEqual([['BIT_RATE'], ['PACKET_RATE']]);
    // It was offered enough: the limit and not the flood was measured.
    for (const [index, vm] of (['bits', 'packets'] as const).entries())
      expect(flood.written(index)).toBeGreaterThan(0.9 * OFFERED[vm] * seconds.least);
  }, 30_000);

  test('[limits] too much is dropped and is no violation', async () => {
    const status = await agent?.status();
    expect(status?.attachments.map(({ violations }) => violations)).toEqual(
      Array.from({ length: 2 }, () => ({ crossings: 0, quarantinedAt: null, last: [] })),
    );
  });
});
