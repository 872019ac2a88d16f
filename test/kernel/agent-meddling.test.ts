import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { closeSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { readBack } from '../../src/native/filter-engine.ts';
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
    agent = rental.home.start();
    await enforced();
  }, 45_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  /** An agent that attaches by this kind of hook, whatever else the kernel has. */
  function startWith(hook: string, more: readonly string[]): AgentProcess {
    const spawn: Namespace['spawn'] = (argv, options) =>
      rental.host.spawn(['env', `VMNET_HOOK=${hook}`, ...argv], options);
    const home = Object.create(rental.home, { host: { value: { spawn } } }) as AgentHome;
    return home.start(more);
  }

  const RESYNC_SECONDS = 1;
  const linkId = (): string => {
    const leave = moveInto(rental.host);
    const id = readBack(join(rental.home.bpffs, tap)).fromVm?.linkId;
    leave();
    return String(id);
  };
  const ways: [hook: 'tcx' | 'clsact', way: string, resync: boolean, detach: () => unknown][] = [
    ['tcx', 'its pin goes', false, () => unlinkSync(join(rental.home.bpffs, tap, 'link_from_vm'))],
    [
      'clsact',
      'its filter goes',
      false,
      () => rental.host.run(['tc', 'filter', 'del', 'dev', tap, 'ingress']),
    ],
    // No event tells of this one.
    ['tcx', 'its link ends', true, () => rental.host.run(['bpftool', 'link', 'detach', 'id', linkId()])],
  ];

  test.each(ways)(
    '[EB-5] detaches a program (%s: %s) under traffic: denied within a verify period, restored, said, and nothing got out',
    async (hook, _way, resync, detach) => {
      // A tap of its own kind: what is attached already would keep its.
      withdraw(rental.home, 'one');
      await agent.until('the removal', ({ attachments }) => attachments.length === 0);
      await agent.end('SIGTERM');
      agent = startWith(hook, resync ? ['--resync-seconds', String(RESYNC_SECONDS)] : []);
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
        await detach();
        await poll('the denial', () => downs() > before, { everyMs: 5 });
        // The verify period where nothing tells, and what a pass takes on a busy machine.
        expect(performance.now() - begun).toBeLessThan((resync ? RESYNC_SECONDS * 1000 : 0) + 2000);
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
    agent = rental.home.start();
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
  }, 30_000);

  test.each([
    ['sets the tap down, which takes its route', ['ip', 'link', 'set', tap, 'down']],
    ['removes its route', ['ip', 'route', 'flush', 'dev', tap]],
    ['removes its neighbour', ['ip', 'neigh', 'flush', 'dev', tap, 'nud', 'permanent']],
    ['turns its forwarding off', ['sysctl', '-q', '-w', `net.ipv4.conf.${tap}.forwarding=0`]],
    ['loosens its reverse path check', ['sysctl', '-q', '-w', `net.ipv4.conf.${tap}.rp_filter=0`]],
    ['turns the forwarding of the uplink off', ['sysctl', '-q', '-w', 'net.ipv4.conf.uplink.forwarding=0']],
  ])('%s: all is put back', async (_what, change) => {
    const setting = (path: string): Promise<string> =>
      rental.host.run(['sysctl', '-n', `net.ipv4.conf.${path}`]);
    const isWired = async (): Promise<boolean> => {
      const routes = await rental.host.run(['ip', 'route', 'show', 'dev', tap]);
      const neighbours = await rental.host.run(['ip', 'neigh', 'show', 'dev', tap, 'nud', 'permanent']);
      const settings = [`${tap}.forwarding`, `${tap}.rp_filter`, 'uplink.forwarding'].map(setting);
      return (
        routes.includes('proto 118') &&
        neighbours.includes('PERMANENT') &&
        (await Promise.all(settings)).every((value) => value.trim() === '1')
      );
    };
    await poll('the wiring', isWired);
    await rental.host.run(change);
    await poll('the wiring again', isWired);
    await enforced();
  });
});
