import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { counters } from '../../src/native/filter-engine.ts';
import { openTap } from '../../src/native/tap.ts';
import { fromGuest, STRANGER } from '../support/frames/cast.ts';
import type { Destination } from '../support/frames/policy-bytes.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { poll } from '../support/lab/index.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import type { Arrivals } from '../support/stage/arrivals.ts';
import type { AgentStatus } from '../../src/agent/status/status.ts';
import { attachmentOf, enforces, networkOf, type AgentProcess } from '../support/stage/agent-process.ts';
import { Blaster } from '../support/stage/blaster.ts';
import { apply } from '../support/stage/manifest.ts';
import { applyMode } from '../support/stage/moded-manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PacedFlood } from '../support/stage/paced-flood.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';
import { describe } from '../support/stage/needs.ts';

const { a, b, x } = RentalLab;
const AUDITABLE = `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetworkClass
metadata: {name: auditable}
spec: {allowAudit: true}
`;

describe('the modes of a running VM', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let leave = (): void => undefined;
  let arrivals: { a: Arrivals; b: Arrivals; x: Arrivals };

  beforeAll(async () => {
    rental = await RentalLab.open('modes');
    arrivals = await rental.arrivals('switch', 'part');
    writeFileSync(join(rental.home.manifests, 'class.yaml'), AUDITABLE);
    for (const name of ['switch', 'part', 'other']) apply(rental.home, { name, endpoint: a });
    agent = rental.home.start();
    leave = moveInto(rental.host);
  }, 45_000);
  afterAll(async () => {
    leave();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  async function enforcedCast(vm: string): Promise<RealCast> {
    const status = await agent.until('enforcement', (seen) => enforces(seen, vm, vm, a));
    return castOf(status, vm, a);
  }
  /** Frames from the VM that were counted, by symbol; audited ones with a star. */
  function counted(tap: string): Record<string, number> {
    const lines = counters(join(rental.home.bpffs, tap)).filter(({ direction }) => direction === 'from-vm');
    return Object.fromEntries(
      lines.map(({ reason, audited, packets }) => [symbolOf(reason) + (audited ? '*' : ''), Number(packets)]),
    );
  }
  function moved(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
    const changes = Object.entries(after).map(([symbol, n]) => [symbol, n - (before[symbol] ?? 0)] as const);
    return Object.fromEntries(changes.filter(([, n]) => n !== 0));
  }

  describe('switched under traffic', () => {
    /** Everything is drawn, or a frame to a place that is not allowed would pass by the mode's own terms. */
    const SWITCHES = ['Conntrack', 'Sampled', 'Filtered', 'Sampled', 'Conntrack', 'Filtered'] as const;
    let blaster: Blaster;
    let cast: RealCast;

    const declare = (mode: string, endpoint: Destination): void =>
      applyMode(rental.home, mode, {
        name: 'switch',
        endpoint,
        more: mode === 'Sampled' ? ['sampling: {ratePerMillion: 1000000}', 'violation: {action: Drop}'] : [],
      });
    const writes = (): number => agent.log.match(/"change":"write-policy/g)?.length ?? 0;

    beforeAll(async () => {
      cast = await enforcedCast('switch');
      blaster = new Blaster(rental.host, { a, b, x });
      await blaster.plug('switch', cast);
      await poll('traffic', async () => ((await arrivals.a.seen()).get('switch') ?? 0) > 10);
    });
    afterAll(async () => {
      await blaster?.end();
    });

    test('[NM-3] [EB-3] each switch is one write of the policy; the programs and their links stay', async () => {
      const before = attachmentOf(await agent.until('rest', () => true), 'switch')?.enforced;
      const writesBefore = writes();
      let generation = before?.generation ?? 0;
      for (const mode of SWITCHES) {
        declare(mode, a);
        const status = await agent.until(mode, (seen) => {
          const now = attachmentOf(seen, 'switch')?.enforced?.generation;
          return (
            networkOf(seen, 'switch')?.mode === mode &&
            now === generation + 1 &&
            enforces(seen, 'switch', 'switch', a)
          );
        });
        generation += 1;
        expect(attachmentOf(status, 'switch')?.enforced?.linkId).toEqual(before?.linkId);
        const { ALLOWED = 0, ALLOWED_FLOW = 0 } = counted(cast.tap);
        await poll(`traffic by ${mode}`, () => {
          const now = counted(cast.tap);
          return mode === 'Conntrack'
            ? (now['ALLOWED_FLOW'] ?? 0) > ALLOWED_FLOW + 20
            : (now['ALLOWED'] ?? 0) > ALLOWED + 20;
        });
      }
      expect(writes() - writesBefore).toBe(SWITCHES.length);
    }, 30_000);

    test('[FS-2] [SB-9] in Conntrack a new endpoint ends the old flow at once', async () => {
      declare('Conntrack', a);
      await agent.until('Conntrack', (seen) => networkOf(seen, 'switch')?.mode === 'Conntrack');
      const { ALLOWED_FLOW = 0 } = counted(cast.tap);
      await poll('a flow', () => (counted(cast.tap)['ALLOWED_FLOW'] ?? 0) > ALLOWED_FLOW + 20);
      declare('Conntrack', b);
      await agent.until('the move', (seen) => enforces(seen, 'switch', 'switch', b));
      const old = (await arrivals.a.seen()).get('switch');
      await poll('traffic to B', async () => ((await arrivals.b.seen()).get('switch') ?? 0) > 20);
      expect((await arrivals.a.seen()).get('switch')).toBe(old);
    }, 30_000);

    test('[EB-3] not one allowed frame was lost on the way, and none got to a place that nobody allowed', async () => {
      await blaster.unplug('switch');
      const numbers = counted(cast.tap);
      const { ALLOWED = 0, ALLOWED_FLOW = 0, DESTINATION_ADDRESS = 0 } = numbers;
      expect(Object.keys(numbers).sort()).toEqual(['ALLOWED', 'ALLOWED_FLOW', 'DESTINATION_ADDRESS']);
      const arrived = [await arrivals.a.seen(), await arrivals.b.seen(), await arrivals.x.seen()].map(
        (seen) => seen.get('switch'),
      );
      expect(arrived).toEqual([expect.any(Number), expect.any(Number), 0]);
      expect((arrived[0] ?? 0) + (arrived[1] ?? 0)).toBe(ALLOWED + ALLOWED_FLOW);
      // Of three places one was allowed at a time, so what was sent is half as much again; the move may have come between the
      // frame to the old place and the one to the new, which both passed then.
      const refused = 2 * (ALLOWED + ALLOWED_FLOW);
      expect([refused, refused - 3]).toContain(DESTINATION_ADDRESS);
    });
  });

  describe('that enforce in part', () => {
    let cast: RealCast;
    /** Resolves when the agent has taken up this very edit. */
    async function declare(
      mode: string,
      more: readonly string[],
      state: string,
      reason: string,
    ): Promise<AgentStatus> {
      const before = networkOf(await agent.until('a status', () => true), 'part')?.generation ?? 0;
      applyMode(rental.home, mode, { name: 'part', endpoint: a, more: ['className: auditable', ...more] });
      return agent.until(reason, (seen) => {
        const network = networkOf(seen, 'part');
        const enforced = network?.conditions.find(({ type }) => type === 'Enforced');
        return (
          (network?.generation ?? 0) > before &&
          attachmentOf(seen, 'part')?.state === state &&
          enforced?.reason === reason
        );
      });
    }
    const forbidden = (): Uint8Array => fromGuest(cast, { ip: { destination: x.address } });

    beforeAll(async () => {
      cast = await enforcedCast('part');
    });

    test('[FS-3] Sampled at 10 %: of 8000 frames that are not allowed, 800 and at most 161 (6 σ, 1 in 10^9) more or less are dropped', async () => {
      const more = ['sampling: {ratePerMillion: 100000}', 'violation: {action: Drop}'];
      await declare('Sampled', more, 'Programmed', 'SampledInPart');
      const fd = openTap(cast.tap);
      const before = counted(cast.tap);
      const atX = (await arrivals.x.seen()).get('all') ?? 0;
      const flood = await PacedFlood.start([{ fd, frames: [forbidden()], rate: 8000 }]);
      try {
        await poll('8000 frames', () => flood.written() >= 8000);
      } finally {
        await flood.stop();
        closeSync(fd);
      }
      const { DESTINATION_ADDRESS: found = 0, ALLOWED_UNSAMPLED: passed = 0 } = moved(
        before,
        counted(cast.tap),
      );
      expect(found + passed).toBe(flood.written());
      const mean = flood.written() / 10;
      expect(Math.abs(found - mean)).toBeLessThan(6 * Math.sqrt(mean * 0.9));
      expect(((await arrivals.x.seen()).get('all') ?? 0) - atX).toBe(passed);
    }, 30_000);

    test.each([
      // Forged addresses are violations, and the default of Sampled would be to quarantine for them.
      [
        'Sampled',
        ['sampling: {ratePerMillion: 1}', 'violation: {action: Drop}'],
        'SampledInPart',
        'ALLOWED_UNSAMPLED',
      ],
      ['Filtered', ['enforcement: Audit'], 'AuditOnly', 'DESTINATION_ADDRESS*'],
    ])(
      '%s, %j: who the guest is stays enforced, and neither host nor other VM is reached',
      async (mode, more, reason, passes) => {
        await declare(mode, more, 'Programmed', reason);
        const other = await enforcedCast('other');
        const before = counted(cast.tap);
        const atX = (await arrivals.x.seen()).get('all') ?? 0;
        const heard: Buffer[] = [];
        const listener = createSocket('udp4', (message) => heard.push(message)).bind(
          7777,
          RentalLab.hostAddress,
        );
        await once(listener, 'listening');
        const card = new VirtualCard(cast.tap);
        const otherCard = new VirtualCard(other.tap);
        try {
          for (let round = 0; round < 20; round += 1) {
            card.send(forbidden());
            card.send(fromGuest(cast, { ethernet: { source: STRANGER.mac } }));
            card.send(fromGuest(cast, { ip: { source: STRANGER.address } }));
            card.send(
              fromGuest(cast, { ip: { destination: RentalLab.hostAddress }, udp: { destinationPort: 7777 } }),
            );
            card.send(fromGuest(cast, { ip: { destination: other.guestAddress } }));
          }
          // What passes the filter, and is judged by the guard.
          expect(moved(before, counted(cast.tap))).toEqual({
            [passes]: 60,
            SOURCE_MAC: 20,
            SOURCE_ADDRESS: 20,
          });
          await poll('what passes', async () => ((await arrivals.x.seen()).get('all') ?? 0) - atX === 20);
          await pause(50);
          expect([heard, otherCard.received()]).toEqual([[], []]);
        } finally {
          listener.close();
          card.close();
          otherCard.close();
        }
      },
    );

    test('[NM-3] back to Filtered nothing passes any more that is not for the endpoint', async () => {
      await declare('Filtered', [], 'Enforced', 'Verified');
      const before = counted(cast.tap);
      const card = new VirtualCard(cast.tap);
      for (let round = 0; round < 100; round += 1) card.send(forbidden());
      card.close();
      expect(moved(before, counted(cast.tap))).toEqual({ DESTINATION_ADDRESS: 100 });
    });
  });
});
