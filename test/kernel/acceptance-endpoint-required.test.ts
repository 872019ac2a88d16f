import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromGuest } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import { castOf } from '../support/stage/agent-cast.ts';
import { attachmentOf, enforces, networkOf, type AgentProcess } from '../support/stage/agent-process.ts';
import { apply, manifestText } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { briefly } from '../support/stage/stamp.ts';
import { moved, tally } from '../support/stage/tally.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';
import { describe } from '../support/stage/needs.ts';

const { a, x } = RentalLab;

describe('a network without an endpoint', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  beforeAll(async () => {
    rental = await RentalLab.open('nm2');
    apply(rental.home, { name: 'whole', endpoint: a });
    apply(rental.home, { name: 'broken' });
    agent = rental.home.start();
  }, 30_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  test('[NM-2] Filtered is refused; the error names file, field and remedy; the other network works', async () => {
    const status = await agent.until('the other network', (seen) => enforces(seen, 'whole', 'whole', a));
    const problem = status.problems.find(({ file }) => file.endsWith('broken.yaml'));
    expect(problem?.field).toMatch(/consumerEndpoint/);
    expect(problem?.message).not.toBe('');
    expect(problem?.remedy).toMatch(/consumerEndpoint|endpoint/);
    const accepted = networkOf(status, 'broken')?.conditions.find(({ type }) => type === 'Accepted');
    expect(accepted?.status ?? 'False').toBe('False');
    expect(attachmentOf(status, 'broken')?.state ?? 'Denied').toBe('Denied');
  }, 30_000);

  test.each(['Sampled', 'Conntrack'])(
    '[NM-2] %s is refused as well, and not made Direct',
    async (mode) => {
      const name = mode.toLowerCase();
      const text = manifestText({ name }).replace('mode: Filtered', `mode: ${mode}`);
      writeFileSync(join(rental.home.manifests, `${name}.yaml`), text);
      const ofFile = ({ file }: { file: string }): boolean => file.endsWith(`${name}.yaml`);
      const status = await agent.until('the problem', ({ problems }) => problems.some(ofFile));
      expect(status.problems.find(ofFile)?.field).toMatch(/consumerEndpoint/);
      expect(attachmentOf(status, name)?.state ?? 'Denied').toBe('Denied');
      expect(attachmentOf(status, name)?.enforced ?? null).toBeNull();
    },
    30_000,
  );

  test('[NM-2] taking the endpoint away closes a VM that was open; giving it back opens it', async () => {
    const captures = await rental.captures();
    const cast = castOf(
      await agent.until('enforcement', (seen) => enforces(seen, 'whole', 'whole', a)),
      'whole',
      a,
    );
    const pinDir = join(rental.home.bpffs, cast.tap);
    const leave = moveInto(rental.host);
    const card = new VirtualCard(cast.tap);
    const toConsumer = fromGuest(cast);
    const toStranger = fromGuest(cast, { ip: { destination: x.address } });
    const arrivals = (): number => captures.a.frames().length;
    try {
      await poll('the first datagram', () => {
        card.send(toConsumer);
        return arrivals() > 0;
      });
      apply(rental.home, { name: 'whole' });
      const denied = await agent.until('denial', (seen) => attachmentOf(seen, 'whole')?.state === 'Denied');
      expect(denied.problems.some(({ file }) => file.endsWith('whole.yaml'))).toBe(true);
      await captures.a.drain();
      const before = arrivals();
      const counted = tally(pinDir);
      for (let round = 0; round < 20; round += 1) {
        card.send(toConsumer);
        card.send(toStranger);
      }
      expect(moved(counted, tally(pinDir), 'from-vm')).toEqual({ NO_POLICY: 40 });
      await captures.a.drain();
      await captures.x.drain();
      expect(arrivals()).toBe(before);
      expect(briefly(captures.x.frames())).toEqual([]);
      apply(rental.home, { name: 'whole', endpoint: a });
      await agent.until('enforcement', (seen) => enforces(seen, 'whole', 'whole', a));
      await poll('a datagram again', () => {
        card.send(toConsumer);
        return arrivals() > before;
      });
    } finally {
      card.close();
      leave();
    }
  }, 45_000);
});
