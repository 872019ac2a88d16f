/** `vmnetctl drain` and `vmnetctl uninstall` on a host with VMs that never stop sending; the far ends count what arrives. */
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readBack } from '../../src/native/filter-engine.ts';
import { linkByName } from '../../src/native/rtnetlink.ts';
import { openTap } from '../../src/native/tap.ts';
import { fromGuest } from '../support/frames/cast.ts';
import { poll, type Namespace } from '../support/lab/index.ts';
import { startChild } from '../support/native/child.ts';
import { castOf } from '../support/stage/agent-cast.ts';
import { attachmentOf, enforces, type AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { apply } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PacedFlood } from '../support/stage/paced-flood.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { snapshot, type Snapshot } from '../support/stage/snapshot.ts';
import { vmnetctl, type Outcome } from '../unit/cli/vmnetctl.ts';

const { a, b, x } = RentalLab;
const MAC = '52:54:00:ee:00:01';
const TAPS = ['lve0', 'lve-idle'];

describe('leaving a host', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let counters: PortCounter[];
  let untouched: Snapshot;
  /** A VM on a tap of ours, and one on a tap of its own. */
  let own: { tap: string; fd: number };
  let guest: FoundVm;
  /** One in a network namespace of its own, and the pins of its tap. */
  let inPod: FoundVm;
  let pod: Namespace;
  let podPins: string;
  let flood: PacedFlood;

  const onHost = <T>(work: () => T): T => {
    const leave = moveInto(rental.host);
    try {
      return work();
    } finally {
      leave();
    }
  };
  const cli = (...args: string[]): Promise<Outcome> =>
    vmnetctl([...args, ...rental.home.paths], { prefix: rental.host.enter([]) });
  const lookAround = (): Promise<Snapshot> => {
    const { stateDir, runDir, bpffs } = rental.home;
    return snapshot(rental.host, [stateDir, runDir, bpffs]);
  };
  const arrived = async (): Promise<number[]> =>
    Promise.all(counters.map(async (counter) => (await counter.seen())['all']?.packets ?? 0));
  /** What arrives at each far end while both guests send some hundred frames. */
  const arriving = async (): Promise<number[]> => {
    const before = await arrived();
    // A tap of ours that lost a program is set down, and takes no more.
    const until = flood.written(1) + 200;
    await poll('more frames', () => flood.written(1) >= until);
    const after = await arrived();
    return after.map((count, at) => count - (before[at] ?? 0));
  };
  const start = (): AgentProcess => rental.home.start(['--managed-interfaces', 'lve*']);
  const untilEnforced = async (): Promise<void> => {
    await agent.until('enforcement', (status) => {
      const on = (tap: string) => status.attachments.find((attachment) => attachment.tap === tap);
      podPins = on('lve9')?.pins ?? '';
      return (
        enforces(status, 'one', 'one', a) && ['lve0', 'lve9'].every((tap) => on(tap)?.state === 'Enforced')
      );
    });
  };
  const policies = (): string[] =>
    onHost(() => {
      const { ifindex = 0 } = linkByName('lve0') ?? {};
      return [own.tap, `if-0-${String(ifindex)}`].map((pins) => {
        const { policyState, fromVm, toVm } = readBack(join(rental.home.bpffs, pins));
        return [fromVm, toVm].every((hook) => hook?.first === true) ? policyState : 'not attached';
      });
    });

  const policyInPod = (): string => readBack(join(rental.home.bpffs, podPins)).policyState;

  beforeAll(async () => {
    rental = await RentalLab.open('leave');
    pod = await rental.lab.namespace('pod');
    const ends = { nameA: 'eth0', nameB: 'to-pod', addressA: '10.0.1.2/24', addressB: '10.0.1.1/24' };
    await rental.lab.connect(pod, rental.wan, ends);
    await pod.run(['ip', 'route', 'add', 'default', 'via', '10.0.1.1']);
    const spaces = [rental.consumerA, rental.consumerB, rental.internet];
    counters = await Promise.all(spaces.map((space) => PortCounter.place(space, 'eth0', {})));
    untouched = await lookAround();
    for (const tap of TAPS) await makeTap(rental.host, tap);
    guest = FoundVm.start(rental.host, 'found', [{ tap: 'lve0', mac: MAC }]);
    await makeTap(pod, 'lve9');
    inPod = FoundVm.start(pod, 'in-pod', [{ tap: 'lve9', mac: '52:54:00:ee:00:09' }]);
    apply(rental.home, { name: 'in-pod', endpoint: b });
    apply(rental.home, { name: 'one', endpoint: a });
    apply(rental.home, { name: 'found', endpoint: b });
    // Of a VM that was never started.
    apply(rental.home, { name: 'idle', endpoint: a });
    agent = start();
    await untilEnforced();
    const status = (await agent.status())!;
    const cast = castOf(status, 'one', a);
    const address = status.attachments.find(({ tap }) => tap === 'lve0')?.guestAddress ?? '';
    own = { tap: cast.tap, fd: onHost(() => openTap(cast.tap)) };
    const frames = [a, b, x].map(({ address: destination, port }, at) =>
      fromGuest(cast, { ip: { destination }, udp: { destinationPort: port, sourcePort: 40_001 + at } }),
    );
    flood = await PacedFlood.start([
      { fd: own.fd, frames, rate: 600 },
      { fd: guest.fd(), frames: [a, b, x].map((to) => guest.datagram(address, to, 41_000)), rate: 600 },
    ]);
    expect(attachmentOf(status, 'idle')).toBeDefined();
  }, 60_000);
  afterAll(async () => {
    await flood?.stop();
    await guest?.kill();
    await inPod?.kill();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  test('is refused while an agent runs, and changes nothing', async () => {
    for (const command of ['drain', 'uninstall']) {
      const { code, stderr } = await cli(command);
      expect([code, stderr]).toEqual([3, expect.stringContaining('[VMN_AGENT_RUNNING]')]);
    }
    expect(policies()).toEqual(['set', 'set']);
  }, 30_000);

  test('without an agent each VM goes on to its endpoint and nowhere else, until it is drained', async () => {
    await agent.end('SIGKILL');
    const [atA = 0, atB = 0, atX] = await arriving();
    expect([atA > 0, atB > 0, atX]).toEqual([true, true, 0]);
    // As long as one passes, nothing is removed: also not with --leave-closed.
    const before = await lookAround();
    for (const words of [[], ['--leave-closed']]) {
      const { code, stdout, stderr } = await cli('uninstall', ...words);
      expect([code, stderr]).toEqual([1, expect.stringContaining('nothing was removed')]);
      expect(stdout.split('\n').slice(1).sort()).toEqual([
        '',
        expect.stringMatching(/^found +lve0 +no +\d+/),
        expect.stringMatching(new RegExp(`^in-pod +${podPins} +no +- +is in another network namespace`)),
        // Its holder, the test, is in another network namespace, and is found by its descriptor.
        expect.stringMatching(new RegExp(`^one +${own.tap} +no +${process.pid} +is held`)),
      ]);
    }
    // What an agent that is killed leaves of its locks goes.
    expect(withoutLocks(await lookAround())).toEqual(withoutLocks(before));
  }, 60_000);

  test('[contract 13] drain closes all of them, says so, and does nothing the second time', async () => {
    const { code, stdout, stderr } = await cli('drain', '-o', 'json');
    expect([code, stderr]).toEqual([0, '']);
    const taps = (out: string): Record<string, string> =>
      Object.fromEntries(
        (JSON.parse(out) as { taps: { tap: string; outcome: string }[] }).taps.map(({ tap, outcome }) => [
          tap,
          outcome,
        ]),
      );
    expect(taps(stdout)).toMatchObject({
      ...{ [own.tap]: 'closed', lve0: 'closed', 'lve-idle': 'was-closed', [podPins]: 'closed' },
    });
    expect(policyInPod()).toBe('empty');
    expect(policies()).toEqual(['empty', 'empty']);
    expect(await arriving()).toEqual([0, 0, 0]);
    const again = await cli('drain', '-o', 'json');
    expect(new Set(Object.values(taps(again.stdout)))).toEqual(new Set(['was-closed']));
  }, 60_000);

  test('drain closes what lost its programs, or never had any', async () => {
    const { fromVm } = onHost(() => readBack(join(rental.home.bpffs, own.tap)));
    await rental.host.run(['bpftool', 'link', 'detach', 'id', String(fromVm?.linkId)]);
    await makeTap(rental.host, 'lve-new');
    const { code, stdout } = await cli('drain', '-o', 'json');
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        taps: expect.arrayContaining([
          expect.objectContaining({ tap: own.tap, outcome: 'closed' }),
          expect.objectContaining({ tap: 'lve-new', vm: null, outcome: 'closed' }),
        ]),
      },
    ]);
    expect(policies()).toEqual(['empty', 'empty']);
  }, 30_000);

  test('[contract 13] uninstall --leave-closed, killed at each of its steps, leaves the VMs closed and the rest gone', async () => {
    const before = await arrived();
    const seen = await killedAtEachStep(`uninstall(mortal(ports), paths, { leaveClosed: true, files })`, () =>
      expect(policies()).toEqual(['empty', 'empty']),
    );
    expect([seen.steps > 5, seen.last]).toEqual([true, expect.objectContaining({ done: true })]);
    const { code, stdout, stderr } = await cli('uninstall', '--leave-closed', '-o', 'json');
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        done: true,
        removed: [],
        inUse: expect.arrayContaining([
          expect.objectContaining({ tap: own.tap, closed: true }),
          expect.objectContaining({ tap: 'lve0', closed: true }),
          expect.objectContaining({ tap: podPins, closed: true }),
        ]),
      },
    ]);
    expect(stderr).toContain('these taps stay closed');
    expect(policies()).toEqual(['empty', 'empty']);
    expect(await rental.host.run(['nft', 'list', 'tables'])).toContain('table inet vmnetwork');
    expect(await rental.host.run(['cat', '/proc/sys/net/ipv4/conf/uplink/forwarding'])).toBe('0\n');
    // The one that nobody has is its owner's again.
    expect(await rental.host.run(['bpftool', 'net', 'show', 'dev', 'lve-idle'])).not.toContain('vmn');
    expect(await arriving()).toEqual([0, 0, 0]);
    expect(await arrived()).toEqual(before);
  }, 120_000);

  test('an agent of later takes them over', async () => {
    agent = start();
    await untilEnforced();
    const [atA = 0, atB = 0, atX] = await arriving();
    expect([atA > 0, atB > 0, atX]).toEqual([true, true, 0]);
    await agent.end('SIGTERM');
  }, 60_000);

  test('drain, killed at each of its steps, leaves each VM as it was or closed, and closes all the next time', async () => {
    const [, , toStrangers] = await arrived();
    const seen = await killedAtEachStep(`({ taps: drain(mortal(ports), paths, guarded) })`, () => {
      const states = policies();
      expect(['set,set', 'empty,set', 'set,empty', 'empty,empty']).toContain(states.join());
    });
    expect(seen.steps).toBeGreaterThanOrEqual(2);
    expect(policies()).toEqual(['empty', 'empty']);
    expect(await arriving()).toEqual([0, 0, 0]);
    expect((await arrived())[2]).toBe(toStrangers);
  }, 60_000);

  test('once they have ended, uninstall, killed at each of its steps, leaves nothing of ours', async () => {
    const before = await arrived();
    await flood.stop();
    closeSync(own.fd);
    await guest.kill();
    await inPod.kill();
    await pod.run(['ip', 'link', 'del', 'lve9']);
    const seen = await killedAtEachStep(`uninstall(mortal(ports), paths, { leaveClosed: false, files })`);
    expect([seen.steps > 8, seen.last]).toEqual([true, expect.objectContaining({ done: true })]);
    expect(await cli('uninstall')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('nothing of ours'),
    });
    for (const tap of [...TAPS, 'lve-new']) await rental.host.run(['ip', 'link', 'del', tap]);
    expect(await lookAround()).toEqual(untouched);
    expect(await arrived()).toEqual(before);
  }, 120_000);

  /**
   * Ends `run` before its first change, then anew before its second, and so on, until it comes to its end: how many times that
   * were, and what it gave at last. `check` after each.
   */
  async function killedAtEachStep(
    run: string,
    check: () => void = () => undefined,
  ): Promise<{ steps: number; last: unknown }> {
    for (let steps = 0; steps < 200; steps += 1) {
      const child = startChild(rental.host, dying(steps, run));
      const last = await child.next().catch(() => null);
      await child.end();
      check();
      if (last !== null) return { steps, last };
      expect([steps, child.process.signalCode]).toEqual([steps, 'SIGKILL']);
    }
    throw new Error('it has no end');
  }

  /** The real thing, in a process that kills itself before its n-th change. */
  function dying(steps: number, run: string): string {
    const from = (path: string): string =>
      `await import(${JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href)})`;
    const { stateDir, runDir, bpffs } = rental.home;
    return `
    const { uninstall } = ${from('cli/leave/uninstall.ts')};
    const { drain } = ${from('cli/leave/drain.ts')};
    const { leftFiles, systemLeavePorts } = ${from('cli/leave/system-ports.ts')};
    const { asSoleUser } = ${from('cli/leave/sole-user.ts')};
    const { readGuard } = ${from('agent/wiring/nft-table.ts')};
    const paths = ${JSON.stringify({ stateDir, runDir, bpffs, pool: '100.64.0.0/16' })};
    const ports = systemLeavePorts(paths);
    const files = leftFiles(paths);
    const guarded = (await readGuard(ports.nft))?.managed;
    const CHANGES = new Set(['writePolicy', 'replaceFilter', 'attachFilter', 'setLink', 'deleteLink', 'deleteRoute',
      'deleteNeighbour', 'removePins', 'removeSharedPins', 'writeSetting', 'openTap', 'closeTap', 'apply', 'remove', 'write',
      'detach', 'removeFile']);
    let left = ${String(steps)};
    const mortal = (whole) => new Proxy(whole, {
      get: (target, name) => {
        const value = target[name];
        if (typeof value === 'object' && value !== null) return mortal(value);
        if (typeof value !== 'function') return value;
        return (...given) => {
          if (CHANGES.has(name) && left-- <= 0) process.kill(process.pid, 'SIGKILL');
          return value.apply(target, given);
        };
      },
    });
    say(await asSoleUser('leave', paths, async () => ${run}));
    `;
  }
});

function withoutLocks(seen: Snapshot): Snapshot {
  const folders = seen['folders'] as Record<string, string[] | 'absent'>;
  const kept = Object.entries(folders).map(([folder, files]) => [
    folder,
    files === 'absent' ? files : files.filter((file) => !file.endsWith('.lock')),
  ]);
  return { ...seen, folders: Object.fromEntries(kept) as unknown };
}
