/**
 * The agent is killed by SIGKILL before each change that it makes of the machine, and once after the last one, while two VMs, one on a
 * tap of ours and one on somebody else's, send to everybody. What is between two changes is one state of the kernel: after the one is
 * before the next.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus } from '../../../src/agent/status/status.ts';
import { ContractHost, type ContractVm } from '../../support/contract/contract-host.ts';
import { CrashPoints } from '../../support/contract/crash-points.ts';
import type { Place } from '../../support/contract/guest-frames.ts';
import { poll } from '../../support/lab/index.ts';
import { enforces, type AgentProcess } from '../../support/stage/agent-process.ts';
import { bareTaps } from '../../support/stage/bare-taps.ts';
import { describe } from '../../support/stage/needs.ts';
import { RentalLab } from '../../support/stage/rental-lab.ts';

/** What nobody waits for unless the machine is busy. */
const PATIENCE_MS = 45_000;
/** All of them take minutes: every so many-th. VMN_CRASH_STRIDE=1, as `make test-kills` has it, is all. */
const STRIDE = Number(process.env['VMN_CRASH_STRIDE'] ?? 3);
/** More changes than any step takes: it has no end. */
const MOST_CHANGES = 80;

/** Each change before which an agent must have been killed, if none is left out, by the step of a VM's life in which it is made. */
const MUST_DIE_BEFORE = {
  attach: [
    ...['rename', 'createTap', 'setLink', 'setting', 'attachFilter', 'persistTap', 'writePolicy'],
    ...['addRoute', 'setNeighbour', 'nft', 'nft begun'],
  ],
  change: ['writePolicy'],
  // Status says Denied before the last of the wiring is gone: it may go while the VM ends.
  leave: ['writePolicy', 'deleteRoute', 'deleteNeighbour', 'deleteLink', 'removeFilter', 'remove'],
};
type Step = 'attach' | 'change' | 'release' | 'end';

const NOTHING = { own: 0, found: 0 };

describe('kill -9 at every action boundary', () => {
  let host: ContractHost;
  let points: CrashPoints;
  let agent: AgentProcess;
  /** Those of this round; `own` is null until its tap is there. */
  let names: readonly [own: string, found: string];
  let own: ContractVm | null = null;
  let found: ContractVm;

  beforeAll(async () => {
    host = await ContractHost.open('crashpts');
    points = new CrashPoints(host);
    // Once in peace, so that the next ones start faster.
    agent = points.start();
    await agent.until('the first pass', () => true, PATIENCE_MS);
    await agent.end('SIGTERM');
    agent = points.start();
    await agent.until('the first pass', () => true, PATIENCE_MS);
  }, 150_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await host?.close();
  }, 60_000);

  const vms = (): ContractVm[] => (own === null ? [found] : [own, found]);
  const areHeldTo = (status: AgentStatus, place: Place): boolean =>
    own !== null &&
    vms().every((vm) => host.on(status, vm)?.state === 'Enforced') &&
    names.every((name) => enforces(status, name, name, RentalLab[place]));
  const areDenied = (status: AgentStatus): boolean =>
    vms().every((vm) => host.on(status, vm)?.state === 'Denied') && !isDeclared(status);
  const isDeclared = (status: AgentStatus): boolean =>
    status.networks.some(({ name }) => names.includes(name));
  const areGone = (status: AgentStatus): boolean =>
    !vms().some((vm) => host.on(status, vm) !== undefined) && !isDeclared(status);

  async function plugOwn(isFutile?: () => boolean): Promise<void> {
    own ??= await host.startOwn(names[0], isFutile);
  }

  async function untilItDies(what: string, is: (status: AgentStatus) => boolean): Promise<void> {
    const isSo = async (): Promise<boolean> => {
      const status = await agent.status();
      return status !== null && is(status);
    };
    await poll(`${what}, or an end`, async () => !agent.running || (await isSo()), {
      deadlineMs: PATIENCE_MS,
      everyMs: 5,
      detail: () => agent.log,
    });
  }

  const STEPS: Record<Step, { begin: () => Promise<void>; is: (status: AgentStatus) => boolean }> = {
    attach: {
      begin: async () => {
        found = await host.startFound(names[1]);
        // Else the agent would make a tap for a VM of that name, which has not come yet.
        await untilItDies('the VM to be found', (status) => host.on(status, found)?.vm === names[1]);
        for (const name of names) host.declare(name, 'a');
        await plugOwn(() => !agent.running);
      },
      is: (status) => areHeldTo(status, 'a'),
    },
    change: {
      begin: async () => {
        await Promise.resolve();
        for (const name of names) host.declare(name, 'b');
      },
      is: (status) => areHeldTo(status, 'b'),
    },
    release: {
      begin: async () => {
        await Promise.resolve();
        for (const name of names) host.retract(name);
      },
      is: areDenied,
    },
    end: {
      begin: async () => {
        for (const vm of vms()) await host.end(vm);
      },
      is: areGone,
    },
  };

  /** Takes one step with an agent that dies after so many changes. Whether it died; if so the next one took it to its end. */
  async function dies(step: Step, changes: number): Promise<boolean> {
    const { begin, is } = STEPS[step];
    points.after(changes);
    await begin();
    await untilItDies(step, is);
    points.never();
    const died = !agent.running;
    expect(host.inside(() => bareTaps(host.rental.home.bpffs))).toEqual([]);
    if (died) agent = points.start();
    if (step === 'attach') await plugOwn();
    await agent.until(`the end of ${step} after ${changes} changes`, is, PATIENCE_MS);
    return died;
  }

  test('[contract 1] [contract 2] zero leaked frames, and the next agent ends what was begun', async () => {
    const left = new Set<Step>(['attach', 'change', 'release', 'end']);
    const diedBefore: Record<Step, Set<string>> = {
      ...{ attach: new Set(), change: new Set(), release: new Set(), end: new Set() },
    };
    let kills = 0;
    for (let changes = 0; left.size > 0; changes += STRIDE) {
      expect(changes).toBeLessThan(MOST_CHANGES);
      names = [`cp-own${changes}`, `cp-f${changes}`];
      own = null;
      const step = async (one: Step): Promise<void> => {
        const deaths = points.before.length;
        const died = await dies(one, left.has(one) ? changes : MOST_CHANGES);
        if (!died) left.delete(one);
        else kills += 1;
        for (const before of points.before.slice(deaths)) diedBefore[one].add(before);
      };
      const start = await host.farEnds.arrived();
      await step('attach');
      const { written, arrived } = await host.during(vms(), () => undefined);
      expect({ changes, arrived }).toEqual({ changes, arrived: { a: written.a, b: NOTHING } });
      expect({ changes, b: (await host.farEnds.arrived()).b }).toEqual({ changes, b: start.b });
      if (left.has('change')) {
        await step('change');
        const moved = await host.during(vms(), () => undefined);
        expect({ changes, arrived: moved.arrived }).toEqual({
          changes,
          arrived: { a: NOTHING, b: moved.written.b },
        });
      }
      if (left.has('release')) await step('release');
      else for (const name of names) host.retract(name);
      if (!left.has('release')) await agent.until('denial', areDenied, PATIENCE_MS);
      const closed = await host.farEnds.arrived();
      await step('end');
      expect({ changes, end: await host.farEnds.arrived() }).toEqual({ changes, end: closed });
      expect({ changes, leaked: await host.farEnds.leaked() }).toEqual({ changes, leaked: {} });
    }
    const { attach, change, release, end } = diedBefore;
    const dead = { attach: [...attach], change: [...change], leave: [...release, ...end] };
    if (STRIDE === 1)
      for (const step of ['attach', 'change', 'leave'] as const)
        expect({ step, dead: dead[step] }).toEqual({
          step,
          dead: expect.arrayContaining(MUST_DIE_BEFORE[step]),
        });
    expect(kills).toBeGreaterThan(30 / STRIDE);
  }, 900_000);
});
