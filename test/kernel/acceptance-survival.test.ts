import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Capture } from '../support/lab/index.ts';
import { poll } from '../support/lab/index.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { attachmentOf, enforces, type AgentProcess } from '../support/stage/agent-process.ts';
import { Blaster } from '../support/stage/blaster.ts';
import { apply } from '../support/stage/manifest.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { briefly, stampOf, type Stamp } from '../support/stage/stamp.ts';
import { tally } from '../support/stage/tally.ts';
import { describe } from '../support/stage/needs.ts';

const { a, b, x } = RentalLab;

// One VM sends to everybody all the time; agents come and go over its head.
describe('a VM outlives its agents', () => {
  let rental: RentalLab;
  let blaster: Blaster;
  let captures: { a: Capture; b: Capture; x: Capture };
  let arrivals: Awaited<ReturnType<RentalLab['arrivals']>>;
  let agent: AgentProcess;
  let cast: RealCast;
  let enforced: NonNullable<ReturnType<typeof attachmentOf>>['enforced'];

  beforeAll(async () => {
    rental = await RentalLab.open('eb4');
    apply(rental.home, { name: 'guest', endpoint: a });
    agent = rental.home.start();
    const status = await agent.until('enforcement', (seen) => enforces(seen, 'guest', 'guest', a));
    cast = castOf(status, 'guest', a);
    enforced = attachmentOf(status, 'guest')?.enforced ?? null;
    captures = await rental.captures();
    arrivals = await rental.arrivals('guest');
    blaster = new Blaster(rental.host, { a, b, x });
    await blaster.plug('guest', cast);
    await newArrivals();
  }, 45_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  const arrived = (): Stamp[] =>
    captures.a
      .frames()
      .map(stampOf)
      .filter((stamp) => stamp !== null);

  const arrivedAtB = (): Stamp[] =>
    captures.b
      .frames()
      .map(stampOf)
      .filter((stamp) => stamp !== null);

  /** Resolves when frames that were sent after this call have reached the consumer. */
  async function newArrivals(): Promise<void> {
    const now = process.hrtime.bigint();
    await poll('frames at the consumer', () => (arrived().at(-1)?.sentNs ?? 0n) > now);
  }

  test('[EB-4] SIGKILL: the allowed flow goes on, all else stays closed', async () => {
    await agent.end('SIGKILL');
    await newArrivals();
    await newArrivals();
  }, 30_000);

  test('[EB-4] the next agent adopts links and policy as they are', async () => {
    agent = rental.home.start();
    const status = await agent.until('adoption', (seen) => enforces(seen, 'guest', 'guest', a));
    const now = attachmentOf(status, 'guest')?.enforced;
    expect(now?.linkId).toEqual(enforced?.linkId);
    expect(now?.programTag).toEqual(enforced?.programTag);
    expect(now?.policyHash).toBe(enforced?.policyHash);
    expect(now?.generation).toBe(enforced?.generation);
    await newArrivals();
  }, 30_000);

  test('[EB-4] SIGTERM (a package upgrade, a removal): the filter stays', async () => {
    await agent.end('SIGTERM');
    await newArrivals();
    await newArrivals();
    agent = rental.home.start();
    const status = await agent.until('adoption', (seen) => enforces(seen, 'guest', 'guest', a));
    expect(attachmentOf(status, 'guest')?.enforced?.linkId).toEqual(enforced?.linkId);
  }, 30_000);

  test('[EB-4] an endpoint that was changed while no agent ran: the old one holds until the new agent, then the new one', async () => {
    await agent.end('SIGKILL');
    apply(rental.home, { name: 'guest', endpoint: b });
    await newArrivals();
    agent = rental.home.start();
    await agent.until('the new endpoint', (seen) => enforces(seen, 'guest', 'guest', b));
    const moment = process.hrtime.bigint();
    await poll('frames at the new consumer', () => (arrivedAtB().at(-1)?.sentNs ?? 0n) > moment);
    await captures.a.drain();
    expect(arrived().filter(({ sentNs }) => sentNs > moment)).toEqual([]);
    expect(arrivedAtB().every(({ place, vm }) => place === 'b' && vm === 'guest')).toBe(true);
  }, 30_000);

  test('[EB-4] in all that time: no gap in the allowed flow, and nothing anywhere else', async () => {
    await blaster.unplug('guest');
    for (const one of Object.values(captures)) await one.drain();
    expect(briefly(captures.x.frames())).toEqual([]);
    const [atA, atB, atX] = [await arrivals.a.seen(), await arrivals.b.seen(), await arrivals.x.seen()];
    const counted = tally(join(rental.home.bpffs, cast.tap));
    expect(atX.get('all')).toBe(0);
    expect([atA.get('all'), atB.get('all')]).toEqual([atA.get('guest'), atB.get('guest')]);
    // Every frame of a sequence was allowed to the one or the other, and what was allowed arrived.
    const allowed = Number(counted.get('from-vm ALLOWED'));
    expect({ arrived: (atA.get('guest') ?? 0) + (atB.get('guest') ?? 0), counted }).toEqual({
      arrived: allowed,
      counted,
    });
    const closedTo = [...counted.keys()].filter(
      (key) => key.startsWith('from-vm ') && !key.endsWith(' ALLOWED'),
    );
    expect(closedTo).toEqual(['from-vm DESTINATION_ADDRESS']);
    expect(allowed).toBeGreaterThan(100);
  }, 30_000);

  test('[EB-4] programs of another version are replaced behind the same links by the next agent', async () => {
    await agent.end('SIGKILL');
    const pins = ['link_from_vm', 'link_to_vm'].map((pin) => join(rental.home.bpffs, cast.tap, pin));
    const script = fileURLToPath(new URL('../support/stage/other_version.py', import.meta.url));
    await rental.host.run(['python3', script, ...pins]);
    agent = rental.home.start();
    const status = await agent.until('the replacement', (seen) => enforces(seen, 'guest', 'guest', b));
    const now = attachmentOf(status, 'guest')?.enforced;
    expect(now?.linkId).toEqual(enforced?.linkId);
    expect(now?.programTag).toEqual(status.agent.programTags);
    await blaster.plug('guest', cast);
    const moment = process.hrtime.bigint();
    await poll('frames at the consumer', () => (arrivedAtB().at(-1)?.sentNs ?? 0n) > moment);
    expect(arrivedAtB().every(({ place, vm }) => place === 'b' && vm === 'guest')).toBe(true);
    expect((await arrivals.x.seen()).get('all')).toBe(0);
  }, 30_000);
});
