/**
 * The rows of the agent's contract (design/agent.md, "what must hold when"), each over a VM on a tap of ours and one on somebody
 * else's, which send to both consumers and whatever is forbidden all the time. Long because it is one host's life: each test goes on
 * where the one before it left the host, and nothing may have come out anywhere after any of them.
 * Rows 3 and 13 need a cluster, or the end of all: control-plane-agent/contract.test.ts and uninstall.test.ts. Row 14: direct.test.ts.
 * Row 10 has no test: no userspace engine is built yet, and a VM whose card only one could filter is denied (UnsupportedBackend).
 */
import { once } from 'node:events';
import { closeSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus, AttachmentStatus } from '../../../src/agent/status/status.ts';
import { ensureClosedTap } from '../../../src/agent/wiring/closed-tap.ts';
import { DEFAULT_POOL, identityOf } from '../../../src/agent/wiring/identity.ts';
import { readBack } from '../../../src/native/filter-engine.ts';
import { openTap } from '../../../src/native/tap.ts';
import { ContractHost, type ContractVm, type Traffic } from '../../support/contract/contract-host.ts';
import { guestFrames, type Place } from '../../support/contract/guest-frames.ts';
import { poll } from '../../support/lab/index.ts';
import { executable, optional } from '../../support/requirement.ts';
import { requires } from '../../support/skip.ts';
import { enforces, networkOf, type AgentProcess } from '../../support/stage/agent-process.ts';
import { ROOT } from '../../unit/cli/vmnetctl.ts';
import { describe } from '../../support/stage/needs.ts';
import { RentalLab } from '../../support/stage/rental-lab.ts';

/** What nobody waits for unless the machine is busy. */
const PATIENCE_MS = 30_000;
const NOTHING = { own: 0, found: 0 };
/** Names of the VMs: an agent looks at all of the machine, and so at those of other tests. */
const OWN = 'ct-own';
const FOUND = 'ct-found';
const VMNETCTL = join(ROOT, 'bin', 'vmnetctl');
const METRICS = '127.0.0.1:9478';
const withStrace = requires(optional(executable('strace')));

describe('what must hold when', () => {
  let host: ContractHost;
  let agent: AgentProcess;
  let own: ContractVm;
  let found: ContractVm;

  const until = (what: string, is: (status: AgentStatus) => boolean): Promise<AgentStatus> =>
    agent.until(what, is, PATIENCE_MS);
  const both = (): ContractVm[] => [own, found];
  const areHeldTo =
    (place: Place) =>
    (status: AgentStatus): boolean =>
      both().every(
        (vm) =>
          host.on(status, vm)?.state === 'Enforced' && enforces(status, vm.name, vm.name, RentalLab[place]),
      );
  const enforced = (place: Place = 'a'): Promise<AgentStatus> =>
    until(`both to be held to ${place}`, areHeldTo(place));
  const attachments = (status: AgentStatus): AttachmentStatus[] => both().map((vm) => host.on(status, vm)!);
  const pinDirs = (status: AgentStatus): string[] =>
    attachments(status).map(({ pins }) => join(host.rental.home.bpffs, pins));
  const inKernel = (status: AgentStatus) => host.inside(() => pinDirs(status).map((dir) => readBack(dir)));
  const declare = (place: Place, more: readonly string[] = []): void => {
    for (const { name } of both()) host.declare(name, place, more);
  };
  /** Every datagram to its consumer arrived, and none to the other one. */
  const goesOn = ({ written, arrived }: Traffic, to: Place = 'a'): void => {
    const other = to === 'a' ? 'b' : 'a';
    expect(Object.values(written[to]).every((count) => count > 0)).toBe(true);
    expect(arrived).toEqual({ [to]: written[to], [other]: NOTHING });
  };
  const during = (work: () => unknown): Promise<Traffic> => host.during(both(), work);
  /** By what the agent serves to Prometheus. */
  const detachedByMetrics = async (): Promise<number> => {
    const text = await served('metrics');
    return Number(/^vmnetwork_agent_detached_filters_total (\d+)$/m.exec(text)?.[1]);
  };
  const served = async (path: string): Promise<string> => {
    const script = `fetch('http://${METRICS}/${path}').then(async (r) => console.log(await r.text()))`;
    return host.rental.host.run([process.execPath, '-e', script]);
  };
  const complainsOf =
    (code: string) =>
    ({ problems }: AgentStatus): boolean =>
      problems.some((problem) => problem.code === code);
  /** In the mount namespace of an agent that has its own. */
  const inAgentsMount = (words: readonly string[]): Promise<string> =>
    host.rental.host.run(['nsenter', '--mount', '--target', String(agent.pid), ...words]);
  const doctorSays = async (): Promise<unknown> => {
    const words = [VMNETCTL, 'doctor', '-o', 'json', ...host.rental.home.paths];
    const said = await inAgentsMount(['sh', '-c', '"$@" || true', 'sh', ...words]);
    return (JSON.parse(said) as { findings: Record<string, unknown> }).findings['bpffs'];
  };
  const nothingPasses = async (vms: readonly ContractVm[] = both()): Promise<void> => {
    expect((await host.during(vms, () => undefined)).arrived).toEqual({ a: NOTHING, b: NOTHING });
  };

  beforeAll(async () => {
    host = await ContractHost.open('contract');
    agent = host.start();
    // The guard is in place then.
    await until('the first pass', () => true);
    found = await host.startFound(FOUND);
    await until('the VM to be found', (status) => host.on(status, found)?.vm === FOUND);
    for (const name of [OWN, FOUND]) host.declare(name, 'a');
    own = (await host.startOwn(OWN))!;
    await enforced();
  }, 150_000);
  afterEach(async () => {
    const leaked = await host.farEnds.leaked();
    await host.farEnds.forget();
    expect(leaked).toEqual({});
  }, 30_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await host?.close();
  }, 60_000);

  test('[contract 1] agent killed, crashed, upgraded: allowed flow continues, all else denied', async () => {
    const before = inKernel(await enforced());
    for (const signal of ['SIGKILL', 'SIGSEGV', 'SIGTERM'] as const) {
      const status = await enforced();
      goesOn(
        await during(async () => {
          process.kill(status.agent.pid, signal);
          await poll('the end of the agent', () => !agent.running);
        }),
      );
      goesOn(await during(() => undefined));
      expect(inKernel(status)).toEqual(before);
      agent = host.start();
    }
    await enforced();
  }, 60_000);

  test('[contract 2] new agent starts: allowed flow continues; pins adopted, verified, no gap; all else denied; Enforced again', async () => {
    const before = inKernel(await enforced());
    await agent.end('SIGKILL');
    let status: AgentStatus | null = null;
    goesOn(
      await during(async () => {
        agent = host.start();
        status = await enforced();
      }),
    );
    expect(inKernel(status!)).toEqual(before);
    for (const { tap } of both()) expect(agent.log).not.toMatch(new RegExp(`"change":"[^"]*","on":"${tap}"`));
  }, 60_000);

  test('[contract 4] new tap that nobody declared: denied, all else denied; listed', async () => {
    const hand = 'vmn-byhand';
    const stranger = await host.startFound('ct-odd');
    const paths = { ...host.rental.home, pool: DEFAULT_POOL };
    // As `vmnetctl run` makes it.
    host.inside(() => ensureClosedTap('ct-nobody', paths));
    const ours = (await host.startOwn('ct-nobody'))!;
    await host.rental.host.run(['ip', 'tuntap', 'add', 'dev', hand, 'mode', 'tap']);
    await host.rental.host.run(['ip', 'link', 'set', hand, 'up', 'master', 'br-lan']);
    const fd = host.inside(() => openTap(hand));
    const card = { kind: 'found', serial: 4999, mac: '52:54:00:c0:ff:01', address: '100.64.9.9' } as const;
    const stream = await host.guests.plug(fd, guestFrames(card));
    const isListed = (status: AgentStatus): boolean =>
      [stranger, ours].every((vm) => host.on(status, vm)?.state === 'Denied') &&
      status.attachments.some(({ tap, state }) => tap === hand && state === 'Denied');
    await until('all of them to be listed', isListed);
    // What arrives is that of the two who may, and no frame more.
    goesOn(await during(() => undefined));
    await host.guests.unplug(stream);
    closeSync(fd);
    await host.rental.host.run(['ip', 'link', 'del', hand]);
    await host.end(stranger);
    await host.end(ours);
    await until('their end', (status) => [stranger, ours].every((vm) => host.on(status, vm) === undefined));
  }, 60_000);

  test('[contract 5] policy update fails half way: old policy intact, all else denied; Programmed=False with reason', async () => {
    const before = await enforced();
    // The new policy is made and filled, and cannot be pinned.
    const obstacles = pinDirs(before).map((dir) => join(dir, 'policy_next'));
    for (const dir of obstacles) mkdirSync(dir);
    goesOn(
      await during(async () => {
        declare('b');
        const status = await until('the failure', (seen) =>
          attachments(seen).every(({ state }) => state === 'Error'),
        );
        for (const { name } of both())
          expect(networkOf(status, name)?.conditions).toContainEqual(
            expect.objectContaining({ type: 'Programmed', status: 'False', reason: 'ProgrammingFailed' }),
          );
      }),
    );
    for (const dir of obstacles) rmdirSync(dir);
    await enforced('b');
    goesOn(await during(() => undefined), 'b');
    declare('a');
    await enforced();
  }, 60_000);

  test('[contract 6] program detached by someone: denied, then restored; all else denied; Enforced=False, metric', async () => {
    await host.rental.host.run(['ip', 'link', 'set', 'lo', 'up']);
    await agent.end('SIGTERM');
    // No event tells of a link that is detached.
    agent = host.start({}, [], ['--health-address', METRICS, '--resync-seconds', '1']);
    const [ownBefore, foundBefore] = inKernel(await enforced());
    const from = agent.log.length;
    const before = await detachedByMetrics();
    for (const hook of [ownBefore?.fromVm, foundBefore?.fromVm])
      await host.rental.host.run(['bpftool', 'link', 'detach', 'id', String(hook?.linkId)]);
    await until('it to be said', (status) =>
      both().every(({ name }) =>
        networkOf(status, name)?.conditions.some(
          ({ type, status: value, reason }) =>
            type === 'Enforced' && value === 'False' && reason === 'Detached',
        ),
      ),
    );
    expect(await detachedByMetrics()).toBe(before + 2);
    await poll('other links', async () => {
      const after = inKernel(await enforced());
      return after.every(
        ({ fromVm, policyState }, at) =>
          policyState === 'set' && fromVm?.linkId !== [ownBefore, foundBefore][at]?.fromVm?.linkId,
      );
    });
    await enforced();
    const changes = agent.log.slice(from);
    // Closed first, opened by its policy after that.
    for (const [close, { tap }] of [
      ['close-tap', own],
      ['close-link', found],
    ] as const)
      expect(changes).toMatch(
        new RegExp(`"change":"${close}","on":"${tap}"[^]*"change":"write-policy[^"]*","on":"${tap}"`),
      );
    goesOn(await during(() => undefined));
  }, 60_000);

  withStrace.test(
    '[contract 7] map full, out of memory: old policy intact, all else denied; not Enforced, with reason',
    async () => {
      for (const [error, said] of [
        ['ENOMEM', 'Cannot allocate memory'],
        ['E2BIG', 'Argument list too long'],
      ] as const) {
        const { agent: info } = await enforced();
        const inject = ['-f', '-qq', '-e', 'trace=bpf', '-e', `inject=bpf:error=${error}`];
        const words = ['strace', ...inject, '-o', '/dev/null', '-p', String(info.pid)];
        const strace = host.rental.host.spawn(words, { stdio: 'ignore' });
        const ended = once(strace, 'exit');
        const isSaid = ({ attachments: all }: AgentStatus): boolean =>
          both().every(({ name }) =>
            all.some(({ vm, state, message }) => vm === name && state === 'Error' && message.includes(said)),
          );
        try {
          goesOn(
            await during(async () => {
              declare('b');
              const { problems } = await until('the failure', isSaid);
              // Of which the VMNetworkNode is Degraded; see cluster-source.test.ts.
              for (const { name } of both())
                expect(problems).toContainEqual(expect.objectContaining({ file: `VM ${name}` }));
            }),
          );
        } finally {
          strace.kill('SIGINT');
          await ended;
        }
        await enforced('b');
        declare('a');
      }
      await enforced();
    },
    60_000,
  );

  test('[contract 8] endpoint changed: new one at once; old one only within its grace; all else denied; generation moves', async () => {
    const generations = (status: AgentStatus): number[] =>
      attachments(status).map(({ enforced: policy }) => policy?.generation ?? 0);
    const before = generations(await enforced());
    declare('b');
    const moved = await enforced('b');
    expect(generations(moved).every((one, at) => one > (before[at] ?? 0))).toBe(true);
    goesOn(await during(() => undefined), 'b');
    // Both, and from its end on the new one alone.
    declare('a', ['endpointGraceSeconds: 3']);
    await enforced();
    const inGrace = await during(() => undefined);
    expect(inGrace.arrived.a).toEqual(inGrace.written.a);
    expect(Object.values(inGrace.arrived.b).every((count) => count > 0)).toBe(true);
    const isOver = async (): Promise<boolean> =>
      JSON.stringify((await during(() => undefined)).arrived.b) === JSON.stringify(NOTHING);
    await poll('the end of the grace', isOver);
    goesOn(await during(() => undefined));
    declare('a');
    await enforced();
  }, 60_000);

  test('[contract 9] VMNetwork deleted, VM running: denied, all else denied', async () => {
    for (const { name } of both()) host.retract(name);
    const isDenied = (status: AgentStatus): boolean =>
      attachments(status).every(({ state, network }) => state === 'Denied' && network === null);
    const status = await until('denial', isDenied);
    expect(inKernel(status).map(({ policyState }) => policyState)).toEqual(['empty', 'empty']);
    await nothingPasses();
    declare('a');
    await enforced();
    goesOn(await during(() => undefined));
  }, 60_000);

  test('[contract 11] bpffs not mounted or read-only: programs keep running, all else denied; said', async () => {
    const before = inKernel(await enforced());
    await agent.end('SIGKILL');
    const inMount = (how: string): AgentProcess =>
      host.start({}, ['unshare', '--mount', 'sh', '-c', `${how}; exec "$@"`, 'sh']);
    goesOn(
      await during(async () => {
        agent = inMount('while umount -l /sys/fs/bpf 2>/dev/null; do :; done');
        await poll('its refusal', () => !agent.running);
      }),
    );
    expect(agent.log).toContain('VMN_BPFFS_');
    goesOn(
      await during(async () => {
        agent = inMount('mount -o remount,bind,ro /sys/fs/bpf');
        declare('b');
        await until('the failure', (seen) =>
          attachments(seen).every(({ state, message }) => state === 'Error' && message !== ''),
        );
      }),
    );
    await agent.end('SIGTERM');
    declare('a');
    agent = host.start();
    const status = await enforced();
    expect(inKernel(status).map(({ fromVm }) => fromVm?.linkId)).toEqual(
      before.map(({ fromVm }) => fromVm?.linkId),
    );
    goesOn(await during(() => undefined));
  }, 60_000);

  test('[contract 11] bpffs becomes read-only while the agent runs: programs keep running, all else denied; said until it is mended', async () => {
    const remount = (how: 'ro' | 'rw'): Promise<string> =>
      inAgentsMount(['mount', '-o', `remount,bind,${how}`, '/sys/fs/bpf']);
    await agent.end('SIGTERM');
    agent = host.start({}, ['unshare', '--mount'], ['--health-address', METRICS]);
    const before = inKernel(await enforced());
    expect(await served('readyz')).not.toContain('bpffs');
    let late: ContractVm | null = null;
    goesOn(
      await during(async () => {
        await remount('ro');
        const { problems } = await until('it to be said', complainsOf('VMN_BPFFS_READ_ONLY'));
        expect(problems.find(({ code }) => code === 'VMN_BPFFS_READ_ONLY')?.remedy).toContain('remount,rw');
        expect(await served('readyz')).toContain('bpffs: ');
        expect(await doctorSays()).toMatchObject({
          found: 'no',
          remedy: expect.stringContaining('remount,rw'),
        });
        late = await host.startFound('ct-late');
        host.declare('ct-late', 'a');
        await until('its failure', (status) => host.on(status, late!)?.state === 'Error');
      }),
    );
    // A frame of the late one, whose tap may be down, would be counted as one of the other's.
    goesOn(await during(() => undefined));
    expect(inKernel(await until('an answer', () => true))).toEqual(before);
    host.retract('ct-late');
    await host.end(late!);
    goesOn(
      await during(async () => {
        await remount('rw');
        await until('nothing to be said', (status) => !complainsOf('VMN_BPFFS_READ_ONLY')(status));
      }),
    );
    expect(await served('readyz')).not.toContain('bpffs');
    expect(await doctorSays()).toMatchObject({ found: 'yes' });
    declare('b');
    await enforced('b');
    declare('a');
    await enforced();
  }, 60_000);

  test('[contract 11] bpffs is unmounted while the agent runs: programs keep running, what is withdrawn is denied; said until it is mended', async () => {
    await agent.end('SIGTERM');
    agent = host.start({}, ['unshare', '--mount'], ['--health-address', METRICS]);
    const before = inKernel(await enforced());
    goesOn(
      await during(async () => {
        await inAgentsMount(['umount', '--lazy', '/sys/fs/bpf']);
        await until('it to be said', complainsOf('VMN_BPFFS_MISSING'));
        expect(await served('readyz')).toContain('bpffs: ');
        expect(await doctorSays()).toMatchObject({
          found: 'no',
          remedy: expect.stringContaining('mount -t bpf'),
        });
      }),
    );
    goesOn(await during(() => undefined));
    expect(inKernel(await enforced())).toEqual(before);
    for (const { name } of both()) host.retract(name);
    await until('denial', (status) => attachments(status).every(({ state }) => state === 'Denied'));
    await nothingPasses();
    declare('a');
    await enforced();
    // Another one: its pins are made anew.
    await inAgentsMount(['mount', '-t', 'bpf', 'bpf', '/sys/fs/bpf']);
    await until(
      'nothing to be said',
      (status) => !complainsOf('VMN_BPFFS_MISSING')(status) && areHeldTo('a')(status),
    );
    expect(await served('readyz')).not.toContain('bpffs');
    goesOn(await during(() => undefined));
    // The host's own is as it was, and the next agent is there again.
    await agent.end('SIGTERM');
    agent = host.start();
    await enforced();
    goesOn(await during(() => undefined));
  }, 60_000);

  test('[contract 12] host reboots: VMs that the agent starts wait for it; all else denied', async () => {
    const { bpffs, runDir } = host.rental.home;
    await agent.end('SIGKILL');
    const { name, tap } = own;
    for (const vm of both()) await host.end(vm);
    // What a kernel forgets: taps, filters, routes, nftables. Records are on the disk.
    await host.rental.host.run(['ip', 'link', 'del', tap]);
    for (const table of ['inet', 'bridge', 'arp'])
      await host.rental.host.run(['nft', 'delete', 'table', table, 'vmnetwork']);
    for (const dir of [bpffs, runDir]) rmSync(dir, { recursive: true, force: true });
    // As vmnet-guard.service does it, before any VM manager.
    await host.guard();
    found = await host.startFound(FOUND, found.tap);
    const launcher = host.launch(name);
    own = (await host.startOwn(name))!;
    // The tap of the other one is down.
    await nothingPasses([found]);
    expect(launcher.said()).not.toContain('QEMU');
    agent = host.start();
    await enforced();
    goesOn(await during(() => undefined));
    await poll('its VM', () => launcher.said().includes('QEMU'), { detail: () => launcher.said() });
    expect(identityOf(name).tap).toBe(own.tap);
    await launcher.end();
  }, 60_000);
});
