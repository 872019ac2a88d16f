import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { existsSync, readdirSync } from 'node:fs';
import type { AgentStatus } from '../../src/agent/status/status.ts';
import { fromGuest } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import { castOf } from '../support/stage/agent-cast.ts';
import { enforces, type AgentProcess } from '../support/stage/agent-process.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import {
  pinnedObjects,
  snapshot,
  stillThere,
  type BpfIds,
  type Snapshot,
} from '../support/stage/snapshot.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';
import { describe } from '../support/stage/needs.ts';

const { a, b } = RentalLab;

describe('stop and removal', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let before: Snapshot;
  let made: BpfIds;

  const look = (): Promise<Snapshot> => {
    const { bpffs, runDir, stateDir } = rental.home;
    return snapshot(rental.host, [bpffs, runDir, stateDir]);
  };

  beforeAll(async () => {
    rental = await RentalLab.open('nm4');
    // What others have, close to ours in every way: it must be there afterwards as it was.
    for (const command of FOREIGN) await rental.host.run(['sh', '-c', command]);
    before = await look();
    apply(rental.home, { name: 'one', endpoint: a });
    apply(rental.home, { name: 'two', endpoint: b });
    agent = rental.home.start();
  }, 30_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  test('[NM-4] with two VMs running there is something to remove', async () => {
    const both = await agent.until(
      'both',
      (seen) => enforces(seen, 'one', 'one', a) && enforces(seen, 'two', 'two', b),
    );
    const leave = moveInto(rental.host);
    const cards = [castOf(both, 'one', a), castOf(both, 'two', b)].map((cast) => ({
      cast,
      card: new VirtualCard(cast.tap),
    }));
    try {
      const captures = await rental.captures();
      await poll('datagrams at both consumers', () => {
        for (const { card, cast } of cards) card.send(fromGuest(cast));
        return captures.a.frames().length > 0 && captures.b.frames().length > 0;
      });
      for (const one of Object.values(captures)) await one.stop();
    } finally {
      for (const { card } of cards) card.close();
      leave();
    }
    made = await pinnedObjects(rental.host, rental.home.bpffs);
    expect(made.link.length).toBe(4);
    expect(made.prog.length).toBe(4);
    expect(made.map.length).toBeGreaterThanOrEqual(6);
    const during = await look();
    for (const part of ['links', 'routes', 'neighbours', 'nftables', 'sysctls', 'folders']) {
      expect([part, during[part]]).not.toEqual([part, before[part]]);
    }
  }, 45_000);

  test('[NM-4] removing one VM leaves the other as it is', async () => {
    withdraw(rental.home, 'one');
    const status = await agent.until('one gone', ({ attachments }) =>
      attachments.every(({ vm }) => vm !== 'one'),
    );
    expect(enforces(status, 'two', 'two', b)).toBe(true);
    const left = await pinnedObjects(rental.host, rental.home.bpffs);
    expect(left.link.length).toBe(2);
    expect(left.link.every((id) => made.link.includes(id))).toBe(true);
  }, 30_000);

  test('[NM-4] after removal and stop everything it made is gone, and nothing else is', async () => {
    withdraw(rental.home, 'two');
    await agent.until('all gone', noneOfOurs);
    await agent.end('SIGTERM');
    // The kernel frees programs and maps a grace period after their last user.
    await poll('the end of every BPF object', async () => (await stillThere(rental.host, made)).length === 0);
    const { bpffs, runDir, stateDir } = rental.home;
    const files = [bpffs, runDir, stateDir].flatMap((folder) =>
      existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [],
    );
    expect(files).toEqual([]);
    const after = await look();
    for (const part of Object.keys(before)) {
      if (part !== 'folders') expect([part, after[part]]).toEqual([part, before[part]]);
    }
  }, 30_000);

  test('[NM-4] a second round, ended by SIGKILL and a last agent, ends the same', async () => {
    apply(rental.home, { name: 'one', endpoint: a });
    agent = rental.home.start();
    await agent.until('enforcement', (seen) => enforces(seen, 'one', 'one', a));
    const again = await pinnedObjects(rental.host, rental.home.bpffs);
    await agent.end('SIGKILL');
    withdraw(rental.home, 'one');
    agent = rental.home.start();
    await agent.until('all gone', noneOfOurs);
    await agent.end('SIGTERM');
    await poll(
      'the end of every BPF object',
      async () => (await stillThere(rental.host, again)).length === 0,
    );
    const after = await look();
    for (const part of Object.keys(before)) {
      if (part !== 'folders') expect([part, after[part]]).toEqual([part, before[part]]);
    }
  }, 45_000);
});

/** The foreign tap may be listed; it has no VM of ours. */
const noneOfOurs = ({ attachments }: AgentStatus): boolean =>
  !attachments.some(({ vm }) => ['one', 'two'].includes(vm));

/** Another program's tap, table, routes, neighbours and settings. */
const FOREIGN = [
  'ip tuntap add dev foreign0 mode tap',
  'ip link set foreign0 up alias "somebody else"',
  'ip tuntap add dev vmnforeign mode tap',
  'ip route add 100.65.0.0/24 dev uplink proto static',
  'ip route add 100.66.0.0/24 dev uplink proto 118',
  'ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev uplink',
  'nft "add table inet vmnetwork_of_another; add chain inet vmnetwork_of_another c { type filter hook forward priority 0; }"',
  'nft "add table ip nat"',
  'tc qdisc add dev foreign0 clsact',
  'sysctl -q -w net.ipv4.conf.foreign0.forwarding=1',
];
