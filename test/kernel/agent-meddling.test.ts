import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { closeSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { openTap } from '../../src/native/tap.ts';
import { fromGuest } from '../support/frames/cast.ts';
import { poll, type Namespace } from '../support/lab/index.ts';
import { castOf } from '../support/stage/agent-cast.ts';
import {
  attachmentOf,
  enforces,
  networkOf,
  type AgentHome,
  type AgentProcess,
} from '../support/stage/agent-process.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PacedFlood } from '../support/stage/paced-flood.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { describe } from '../support/stage/needs.ts';

const { a, x } = RentalLab;

/* Somebody takes away or changes what an agent has made. */
describe('the agent, when somebody', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  const tap = identityOf('one').tap;

  const start = (...more: string[]): AgentProcess => rental.home.start(more);
  const enforced = (): Promise<AgentStatus> =>
    agent.until('enforcement', (seen) => enforces(seen, 'one', 'one', a));
  const one = (status: AgentStatus): AttachmentStatus => {
    const found = attachmentOf(status, 'one');
    if (found === undefined) throw new Error(`no attachment of one in ${JSON.stringify(status)}`);
    return found;
  };

  beforeAll(async () => {
    rental = await RentalLab.open('meddle');
    apply(rental.home, { name: 'one', endpoint: a });
    agent = start();
    await enforced();
  }, 45_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  /** An agent that attaches by this kind of hook, whatever else the kernel has. */
  function startWith(hook: string): AgentProcess {
    const spawn: Namespace['spawn'] = (argv, options) =>
      rental.host.spawn(['env', `VMNET_HOOK=${hook}`, ...argv], options);
    const home = Object.create(rental.home, { host: { value: { spawn } } }) as AgentHome;
    return home.start();
  }

  const detach = {
    // Removing the pin of a link is what detaches it.
    tcx: () => Promise.resolve(unlinkSync(join(rental.home.bpffs, tap, 'link_from_vm'))),
    clsact: () => rental.host.run(['tc', 'filter', 'del', 'dev', tap, 'ingress']),
  };

  test.each(['tcx', 'clsact'] as const)(
    '[EB-5] detaches a program (%s) under traffic: denied within a verify period, restored, said, and nothing got out',
    async (hook) => {
      // A tap of its own kind: what is attached already would keep its.
      withdraw(rental.home, 'one');
      await agent.until('the removal', ({ attachments }) => attachments.length === 0);
      await agent.end('SIGTERM');
      agent = startWith(hook);
      apply(rental.home, { name: 'one', endpoint: a });
      const enforcing = await enforced();
      expect(one(enforcing).engine).toBe(hook);

      const arrivals = { a: 0, x: 0 };
      const captures = await rental.captures();
      const cast = castOf(enforcing, 'one', a);
      const leave = moveInto(rental.host);
      const fd = openTap(tap);
      leave();
      const frames = [fromGuest(cast), fromGuest(cast, { ip: { destination: x.address } })];
      const flood = await PacedFlood.start([{ fd, frames, rate: 500 }]);
      try {
        await poll('traffic', () => captures.a.frames().length > 20);
        const downs = (): number =>
          agent.log.match(/"change":"link-down[^\n]*\n[^\n]*"change":"close-tap/g)?.length ?? 0;
        const before = downs();
        const begun = performance.now();
        await detach[hook]();
        await poll('the denial', () => downs() > before, { everyMs: 5 });
        // The verify period, and what a pass takes on a busy machine.
        expect(performance.now() - begun).toBeLessThan(1000 + 2000);
        await agent.until('it to be said', (seen) =>
          (networkOf(seen, 'one')?.conditions ?? []).some(
            ({ type, status, reason }) => type === 'Enforced' && status === 'False' && reason === 'Detached',
          ),
        );
        await enforced();
        arrivals.a = captures.a.frames().length;
        await poll('traffic again', () => captures.a.frames().length > arrivals.a + 20);
        await captures.x.drain();
        arrivals.x = captures.x.frames().length;
      } finally {
        await flood.stop();
        closeSync(fd);
      }
      expect(arrivals.x).toBe(0);
      expect(one(await enforced()).engine).toBe(hook);
    },
    45_000,
  );

  test('flushes nftables: the guard is put back at once, and then there is rest', async () => {
    // Not by the resync: it must be told.
    await agent.end('SIGTERM');
    agent = start('--resync-seconds', '60');
    const verifiedAt = async (): Promise<string | undefined> => one(await enforced()).enforced?.verifiedAt;
    const guardsMade = (): number => agent.log.match(/"change":"guard/g)?.length ?? 0;
    await verifiedAt();
    for (let i = 0; i < 3; i++) {
      await rental.host.run(['nft', 'flush', 'ruleset']);
      // Not that it is there again: the next flush could come before it was read back.
      await poll('the guard', () => guardsMade() === i + 1);
      const table = await rental.host.run(['nft', 'list', 'table', 'inet', 'vmnetwork']);
      expect(table).toContain('elements = { "uplink" }');
    }
    // What it writes it is told of as well; that leads to another pass, and that one to none.
    await pause(1500);
    const atRest = await verifiedAt();
    await pause(2000);
    expect(await verifiedAt()).toBe(atRest);
    expect(guardsMade()).toBe(3);
    await agent.end('SIGTERM');
    agent = start();
    await enforced();
  }, 30_000);

  test('removes route, neighbour and settings: they are put back', async () => {
    await rental.host.run(['ip', 'link', 'set', tap, 'down']);
    await rental.host.run(['sysctl', '-q', '-w', `net.ipv4.conf.${tap}.forwarding=0`]);
    const isWired = async (): Promise<boolean> => {
      const routes = await rental.host.run(['ip', 'route', 'show', 'dev', tap]);
      const neighbours = await rental.host.run(['ip', 'neigh', 'show', 'dev', tap, 'nud', 'permanent']);
      const forwarding = await rental.host.run(['sysctl', '-n', `net.ipv4.conf.${tap}.forwarding`]);
      return routes.includes('proto 118') && neighbours.includes('PERMANENT') && forwarding.trim() === '1';
    };
    await poll('the wiring', isWired);
    await enforced();
  });
});
