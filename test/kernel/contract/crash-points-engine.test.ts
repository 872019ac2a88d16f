/**
 * As crash-points.test.ts, of a VM on the userspace engine: the agent is killed by SIGKILL before each change that it makes, while
 * the guest sends to everybody.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus } from '../../../src/agent/status/status.ts';
import { enginePlaceOf } from '../../../src/agent/userspace/engine-place.ts';
import { allocateAddress } from '../../../src/agent/wiring/address-pool.ts';
import { DEFAULT_POOL, identityOf } from '../../../src/agent/wiring/identity.ts';
import { ContractHost } from '../../support/contract/contract-host.ts';
import { CrashPoints } from '../../support/contract/crash-points.ts';
import { CAST, fromGuest, type Cast } from '../../support/frames/cast.ts';
import { poll } from '../../support/lab/index.ts';
import { GuestEnd } from '../../support/nat/guest-end.ts';
import { attachmentOf, enforces, type AgentProcess } from '../../support/stage/agent-process.ts';
import type { Arrivals } from '../../support/stage/arrivals.ts';
import { forbidden, idleQemu, runOnEngine } from '../../support/stage/engine-vm.ts';
import { GATEWAY } from '../../support/stage/found-vm.ts';
import { describe } from '../../support/stage/needs.ts';
import { RentalLab } from '../../support/stage/rental-lab.ts';

const PATIENCE_MS = 45_000;
/** Every so many-th change; VMN_CRASH_STRIDE=1, as `make test-kills` has it, is all. */
const STRIDE = Number(process.env['VMN_CRASH_STRIDE'] ?? 3);
/** More changes than any step takes. */
const MOST_CHANGES = 40;
/** How often the guest sends all that it has, ms. */
const PACE_MS = 5;
const { a, b } = RentalLab;

type Step = 'attach' | 'change' | 'release' | 'end';
const MUST_DIE_BEFORE = ['engine setPolicy', 'engine deny', 'rename', 'remove'];

describe('kill -9 at every action boundary, with an engine', () => {
  let host: ContractHost;
  let points: CrashPoints;
  let agent: AgentProcess;
  let far: { a: Arrivals; b: Arrivals; x: Arrivals };
  let idle: string;
  let run: ChildProcess | null = null;
  let sending: { end(): void } | null = null;

  beforeAll(async () => {
    host = await ContractHost.open('crasheng');
    far = await host.rental.arrivals();
    idle = idleQemu(host.rental);
    points = new CrashPoints(host);
    agent = points.start();
    await agent.until('the first pass', () => true, PATIENCE_MS);
  }, 150_000);
  afterAll(async () => {
    sending?.end();
    run?.kill('SIGTERM');
    await agent?.end('SIGKILL');
    await host?.close();
  }, 60_000);

  const arrived = async () => {
    const all = async (end: Arrivals): Promise<number> => (await end.seen()).get('all') ?? 0;
    return { a: await all(far.a), b: await all(far.b), x: await all(far.x) };
  };
  /** The guest sends to everybody, from when there is an engine until this is ended. */
  const guestOf = (name: string): { end(): void } => {
    const { guestMac } = identityOf(name);
    const guestAddress = allocateAddress(name, DEFAULT_POOL, new Set());
    const cast: Cast = { ...CAST, guestMac, guestAddress, ...GATEWAY, endpoint: a };
    const frames = [fromGuest(cast), ...forbidden(cast)];
    let end: GuestEnd | null = null;
    let isConnecting = false;
    const timer = setInterval(() => {
      if (end !== null && !end.socket.destroyed) return end.send(...frames);
      if (isConnecting) return;
      isConnecting = true;
      void GuestEnd.connect(enginePlaceOf(host.rental.home, identityOf(name).tap).guest)
        .then(
          (connected) => (end = connected),
          () => null,
        )
        .finally(() => (isConnecting = false));
    }, PACE_MS);
    return {
      end: () => {
        clearInterval(timer);
        end?.close();
      },
    };
  };

  const isServed = (status: AgentStatus, name: string, endpoint: typeof a): boolean =>
    enforces(status, name, name, endpoint) && attachmentOf(status, name)?.engine === 'userspace';
  const untilItDies = (what: string, is: (status: AgentStatus) => boolean): Promise<unknown> => {
    const isSo = async (): Promise<boolean> => {
      const status = await agent.status();
      return status !== null && is(status);
    };
    const detail = (): string => agent.log;
    const isOver = async (): Promise<boolean> => !agent.running || (await isSo());
    return poll(`${what}, or an end`, isOver, { deadlineMs: PATIENCE_MS, everyMs: 5, detail });
  };

  const STEPS: Record<
    Step,
    { begin: (name: string) => void; is: (status: AgentStatus, name: string) => boolean }
  > = {
    attach: {
      begin: (name) => {
        host.declare(name, 'a');
        run = runOnEngine(host.rental, name, [idle]);
        sending = guestOf(name);
      },
      is: (status, name) => isServed(status, name, a),
    },
    change: {
      begin: (name) => host.declare(name, 'b'),
      is: (status, name) => isServed(status, name, b),
    },
    release: {
      begin: (name) => host.retract(name),
      is: (status, name) => attachmentOf(status, name)?.state === 'Denied',
    },
    end: {
      begin: () => {
        // Somebody at the guest's end is a VM that lives.
        sending?.end();
        run?.kill('SIGTERM');
      },
      is: (status, name) => attachmentOf(status, name) === undefined,
    },
  };

  /** Takes one step with an agent that dies after so many changes. Whether it died; if so the next one took it to its end. */
  async function dies(step: Step, name: string, changes: number): Promise<boolean> {
    const { begin, is } = STEPS[step];
    points.after(changes);
    begin(name);
    await untilItDies(step, (status) => is(status, name));
    points.never();
    const died = !agent.running;
    if (died) agent = points.start();
    await agent.until(`${step} after ${changes} changes`, (status) => is(status, name), PATIENCE_MS);
    return died;
  }

  test('[contract 1] [contract 2] [contract 10] zero leaked frames, and the next agent ends what was begun', async () => {
    const left = new Set<Step>(['attach', 'change', 'release', 'end']);
    for (let changes = 0; left.size > 0; changes += STRIDE) {
      expect(changes).toBeLessThan(MOST_CHANGES);
      const name = `engine${changes}`;
      const step = async (one: Step): Promise<void> => {
        if (!(await dies(one, name, left.has(one) ? changes : MOST_CHANGES))) left.delete(one);
      };
      const start = await arrived();
      await step('attach');
      await poll('datagrams at A', async () => (await arrived()).a > start.a);
      expect({ changes, ...(await arrived()) }).toMatchObject({ changes, b: start.b, x: start.x });
      await step('change');
      const moved = await arrived();
      await poll('datagrams at B', async () => (await arrived()).b > moved.b);
      expect({ changes, ...(await arrived()) }).toMatchObject({ changes, a: moved.a, x: start.x });
      await step('release');
      const closed = await arrived();
      // Many rounds of all that the guest has.
      await new Promise((resolve) => setTimeout(resolve, 20 * PACE_MS));
      await step('end');
      expect({ changes, ...(await arrived()) }).toEqual({ changes, ...closed });
      expect(existsSync(enginePlaceOf(host.rental.home, identityOf(name).tap).dir)).toBe(false);
    }
    expect(points.before.length).toBeGreaterThan(9 / STRIDE);
    if (STRIDE === 1) expect(points.before).toEqual(expect.arrayContaining(MUST_DIE_BEFORE));
  }, 600_000);
});
