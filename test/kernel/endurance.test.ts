/**
 * VMs that come and go on one agent, and a hundred taps that come at once. What is left afterwards is asked of the kernel and of
 * the agent's own /proc folder. `make endurance` for as many as the contract names; fewer here.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentStatus } from '../../src/agent/status/status.ts';
import { acquireLock } from '../../src/agent/host/lock.ts';
import { stateLockOf } from '../../src/agent/wiring/paths.ts';
import { readBack } from '../../src/native/filter-engine.ts';
import { descriptors, Probes } from '../support/churn/probed.ts';
import { differences, resourcesOf, type Resources } from '../support/churn/resources.ts';
import { SeenObjects } from '../support/churn/seen-objects.ts';
import { poll, type Namespace } from '../support/lab/index.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const { a } = RentalLab;
/** Attachments that come and go, in all. */
const CYCLES = Number(process.env['VMN_ENDURANCE_CYCLES'] ?? 60);
/**
 * At a time: taps of ours, taps of others without a VM, and QEMUs on taps of others, here and in another namespace. The names of these
 * may have taps of ours as well, if their manifest was read before they were found.
 */
const OWN = 8;
const TAPS = 10;
const QEMUS = 2;
const AT_ONCE = OWN + TAPS + QEMUS;
/** A link and a program in each direction, the slot of the policy, counters, state. */
const PINNED_EACH = 7;
/** Rounds after which what is made once and kept is there. */
const WARM_ROUNDS = 2;
/** What is held after all garbage is gone may differ by so much: 4 KiB a cycle, if it were lost. */
const FLAT_BYTES = 4 * 2 ** 20;
/** What the kernel counts as its own moves by more: the allocator keeps what it was once given. */
const FLAT_RESIDENT_BYTES = 24 * 2 ** 20;
const ROUND_MS = 120_000;
/** Taps that come at once: few, for what one costs on a host that wants no more, and then those that make them a hundred. */
const FEW = 20;
const HUNDRED = 100;
/** The first few warm up. */
const WARM = 5;
/** What one of a hundred costs, of that what one of a few costs: all of them are looked at in each pass. */
const FLAT_FACTOR = 1.6;

describe('endurance', () => {
  let rental: RentalLab;
  let pod: Namespace;
  let probes: Probes;
  let agent: AgentProcess;

  beforeAll(async () => {
    rental = await RentalLab.open('endure');
    pod = await rental.lab.namespace('pod');
    probes = new Probes(join(rental.lab.scratch, 'probes'));
    rental.home.wrapper = probes.words;
    agent = rental.home.start(['--managed-interfaces', 'ed*']);
    await agent.until('the first pass', () => true, 60_000);
  }, 90_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  const batch = (lines: readonly string[]): Promise<string> =>
    rental.host.run(['ip', '-batch', '-'], { input: lines.map((line) => `${line}\n`).join('') });
  const names = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);
  const plug = (taps: readonly string[]): Promise<string> =>
    batch(taps.flatMap((tap) => [`tuntap add dev ${tap} mode tap`, `link set ${tap} up`]));
  const unplug = (taps: readonly string[]): Promise<string> => batch(taps.map((tap) => `link del ${tap}`));
  const inState = ({ attachments }: AgentStatus, state: string, prefix: string): number =>
    attachments.filter((one) => one.state === state && one.tap.startsWith(prefix)).length;
  const untilEmpty = (): Promise<AgentStatus> =>
    agent.until('the end of all', ({ attachments }) => attachments.length === 0, ROUND_MS);

  /** VMs come, are held to their endpoint or closed, and go. `meanwhile` when all are there. */
  async function round(meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    const own = names('endure-', OWN);
    const taps = names('edr', TAPS);
    const places: [string, Namespace][] = [
      ['edr-vm', rental.host],
      ['edr-pod', pod],
    ];
    for (const name of [...own, ...places.map(([tap]) => tap)]) apply(rental.home, { name, endpoint: a });
    const vms: FoundVm[] = [];
    try {
      for (const [at, [tap, space]] of places.entries()) {
        await makeTap(space, tap);
        vms.push(FoundVm.start(space, tap, [{ tap, mac: `52:54:00:ed:00:0${String(at)}` }]));
      }
      await plug(taps);
      const isAsWanted = (seen: AgentStatus): boolean =>
        seen.attachments.filter(({ vm, state }) => state === 'Enforced' && vm.startsWith('endure-'))
          .length === OWN &&
        inState(seen, 'Enforced', 'edr-') === QEMUS &&
        inState(seen, 'Denied', 'edr') === TAPS;
      await agent.until('all to be as wanted', isAsWanted, ROUND_MS);
      await meanwhile();
    } finally {
      for (const vm of vms) await vm.kill();
    }
    for (const name of [...own, ...places.map(([tap]) => tap)]) withdraw(rental.home, name);
    await unplug(taps);
    for (const [tap, space] of places) await space.run(['ip', 'link', 'del', tap]);
    await untilEmpty();
  }

  const resources = async (): Promise<Resources> => {
    await agent.until('rest', ({ problems }) => problems.length === 0, ROUND_MS);
    const { bpffs, runDir, stateDir } = rental.home;
    return resourcesOf([rental.host, pod], [bpffs, runDir, stateDir], { agent: { pid: agent.pid, probes } });
  };

  test(`${CYCLES >= 1000 ? '[ER-4] ' : ''}${String(CYCLES)} VMs come and go: no link, map, pin, socket or descriptor stays, memory is flat`, async () => {
    const objects = new SeenObjects(rental.host, rental.home.bpffs);
    for (let done = 0; done < WARM_ROUNDS; done += 1) await round();
    const before = await resources();
    const rounds = Math.ceil(CYCLES / AT_ONCE);
    for (let done = 0; done < rounds; done += 1) {
      if (done % 10 > 0) await round();
      else
        await round(async () => expect(await objects.note()).toBeGreaterThanOrEqual(AT_ONCE * PINNED_EACH));
    }
    let after = before;
    let left: string[] = [];
    const isAsBefore = async (): Promise<boolean> => {
      after = await resources();
      left = differences(before, after);
      return left.length === 0;
    };
    await poll('all to be as before', isAsBefore, { everyMs: 500, deadlineMs: 30_000 }).catch(() => null);
    expect(left).toEqual([]);
    expect(await objects.left()).toEqual([]);
    // Each QEMU that runs is watched by one, and none that has ended.
    await poll('no process to be watched in vain', () => processDescriptors() <= qemus());
    const [was, is] = [before, after].map(({ processes }) => processes['agent']!.memory);
    expect(is!.heapBytes + is!.externalBytes - was!.heapBytes - was!.externalBytes).toBeLessThan(FLAT_BYTES);
    expect(is!.residentBytes - was!.residentBytes).toBeLessThan(FLAT_RESIDENT_BYTES);
    expect(probes.failures()).toEqual([]);
  }, 1_800_000);

  const pinned = (): number => {
    const { bpffs } = rental.home;
    return existsSync(bpffs) ? readdirSync(bpffs).filter((name) => /^(if-|vmn-)/.test(name)).length : 0;
  };
  const processDescriptors = (): number => descriptors(agent.pid)['anon_inode:[pidfd]'] ?? 0;

  test('a hundred taps, most of them at once and half of them ours: each is closed or programmed, for what one of a few costs, and nothing stays', async () => {
    const own = names('hundred-', HUNDRED / 2);
    const taps = names('edq', HUNDRED / 2);
    /** What each of them costs. In processor time, which a busy machine does not prolong. */
    const costOf = async (from: number, to: number): Promise<number> => {
      for (const name of own.slice(from / 2, to / 2)) apply(rental.home, { name, endpoint: a });
      await plug(taps.slice(from / 2, to / 2));
      const spent: number[] = [];
      for (const count of [from + WARM, to]) {
        await poll(`${String(count)} filters`, () => pinned() >= count, { deadlineMs: ROUND_MS });
        spent.push(processorMs(agent.pid));
      }
      return (spent[1]! - spent[0]!) / (to - from - WARM);
    };
    const few = await costOf(0, FEW);
    const many = await costOf(FEW, HUNDRED);
    expect(many).toBeLessThan(FLAT_FACTOR * few);
    const status = await agent.until(
      'all hundred',
      (seen) => inState(seen, 'Enforced', 'vmn-') === 50 && inState(seen, 'Denied', 'edq') === 50,
      ROUND_MS,
    );
    const back = moveInto(rental.host);
    try {
      for (const { pins, ifindex, state } of status.attachments) {
        const { fromVm, toVm, policyState } = readBack(join(rental.home.bpffs, pins));
        const wanted = state === 'Enforced' ? 'set' : 'empty';
        expect([fromVm?.ifindex, toVm?.ifindex, policyState]).toEqual([ifindex, ifindex, wanted]);
      }
    } finally {
      back();
    }
    for (const name of own) withdraw(rental.home, name);
    await unplug(taps);
    await untilEmpty();
    await poll('the end of all pins', () => pinned() === 0);
  }, 300_000);

  test('whoever holds the state lock keeps the agent from making a tap; not from answering, closing, and forgetting what is not wanted any more', async () => {
    const [there, coming] = names('locked-', 2);
    const never = { ...a, port: a.port + 1 };
    const refused = 'locked-other';
    const untilEnforced = (count: number): Promise<AgentStatus> =>
      agent.until('the tap', (seen) => inState(seen, 'Enforced', 'vmn-') === count, ROUND_MS);
    apply(rental.home, { name: there!, endpoint: a });
    await untilEnforced(1);
    const lock = acquireLock(stateLockOf(rental.home), { wait: true });
    try {
      apply(rental.home, { name: coming!, endpoint: a });
      await agent.until('the one that cannot be made', (seen) => inState(seen, 'Pending', 'vmn-') === 1);
      expect(pinned()).toBe(1);
      // A kill switch gets through, and the guard is put back.
      apply(rental.home, { name: there!, endpoint: a, more: ['desiredState: Quarantined'] });
      await agent.until('the kill switch', (seen) => /kill switch/.test(JSON.stringify(seen)), ROUND_MS);
      await rental.host.run(['nft', 'flush', 'ruleset']);
      await poll('the guard', async () =>
        /table inet vmnetwork/.test(await rental.host.run(['nft', 'list', 'tables'])),
      );
      withdraw(rental.home, coming!);
      // Another network has the VM now; whose it is has to be noted before its policy is in force.
      withdraw(rental.home, there!);
      apply(rental.home, { name: refused, vm: there!, endpoint: never });
      await agent.until('the other', (seen) => JSON.stringify(seen.networks).includes(refused), ROUND_MS);
      await agent.until('its turn', (seen) => inState(seen, 'Pending', 'vmn-') === 1, ROUND_MS);
      withdraw(rental.home, refused);
      await agent.until('no network', (seen) => seen.networks.length === 0, ROUND_MS);
    } finally {
      lock.release();
    }
    await untilEmpty();
    // What was withdrawn while the lock was held was not carried out when it was free.
    expect(agent.log).toContain(`write-policy ${a.address}:${String(a.port)}`);
    expect(agent.log).not.toContain(`write-policy ${never.address}:${String(never.port)}`);
  }, 300_000);
});

/** What a process has had of the processors, ms: proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms. */
function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return 10 * (Number(user) + Number(system));
}

/** QEMUs that run, as an agent sees them. */
function qemus(): number {
  const isQemu = (pid: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/exe`).includes('/qemu-system-');
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isQemu(name)).length;
}
