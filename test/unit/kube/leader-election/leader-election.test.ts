import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../../src/kube/api-error.ts';
import type { Lease } from '../../../../src/kube/leader-election/lease.ts';
import {
  leaderElection,
  type LeaderElectionOptions,
  LeadershipLost,
} from '../../../../src/kube/leader-election/leader-election.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { Metrics } from '../../../../src/lib/metrics.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { type Carry, leaseClient, LeaseServer } from './lease-server.ts';

const log = createLogger({ level: 'silent' });
const SECOND = 1000;

class World {
  readonly clock = new FakeClock();
  readonly server = new LeaseServer();
  /** How requests fare; swapped by tests. */
  carry: Carry = async (act) => act();

  constructor(lease: 'unheld' | 'absent' = 'unheld') {
    if (lease === 'absent') return;
    this.server.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'ns', name: 'lease' },
    });
    this.server.requests.length = 0;
  }

  candidate(identity: string, options: Partial<LeaderElectionOptions> = {}) {
    return new Runner(this, identity, options);
  }
}

class Runner {
  readonly end = new AbortController();
  readonly election;
  readonly run: Promise<unknown>;
  readonly reasons: unknown[] = [];
  terms = 0;
  working = 0;
  /** What is left to do once a term is to end. */
  windDown: () => Promise<void> = async () => undefined;
  finish: () => void = () => undefined;
  ended: unknown = 'no';

  constructor(world: World, identity: string, options: Partial<LeaderElectionOptions>) {
    const client = leaseClient(world.server, (act) => world.carry(act));
    const where = { namespace: 'ns', name: 'lease' };
    const { clock } = world;
    this.election = leaderElection({ client, ...where, identity, clock, random: () => 0.5, log, ...options });
    this.run = this.election
      .run(this.end.signal, async (lost) => {
        this.terms += 1;
        this.working += 1;
        await new Promise<void>((resolve) => {
          lost.addEventListener('abort', () => resolve());
          this.finish = resolve;
        });
        if (lost.aborted) this.reasons.push(lost.reason);
        await this.windDown();
        this.working -= 1;
      })
      .then(
        () => (this.ended = 'yes'),
        (error: unknown) => (this.ended = error),
      );
  }

  get leads(): boolean {
    return this.election.isLeading();
  }
}

describe('the Lease', () => {
  test('without a holder is taken at once, and says by whom, for how long and how often it changed', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    await settle();
    expect([one.leads, one.terms]).toEqual([true, 1]);
    expect(one.election.identity).toMatch(/^pod-1_[0-9a-f-]{36}$/);
    expect(world.server.lease?.spec).toEqual({
      holderIdentity: one.election.identity,
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:00.000000Z',
      leaseTransitions: 1,
    });
    await world.clock.advance(7 * SECOND);
    expect(world.server.lease?.spec).toMatchObject({
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:06.000000Z',
      leaseTransitions: 1,
    });
    // One read, then one write each two seconds.
    expect(world.server.requests).toEqual([
      'get',
      ...Array<string>(4).fill(`update ${one.election.identity}`),
    ]);
  });

  test('that is missing is created, but led from only when no leader before can still lead', async () => {
    const world = new World('absent');
    const one = world.candidate('pod-1');
    const two = world.candidate('pod-2');
    await world.clock.advance(14.9 * SECOND);
    expect([one.leads, two.leads]).toEqual([false, false]);
    expect(world.server.lease?.spec?.holderIdentity).toBe(one.election.identity);
    await world.clock.advance(3 * SECOND);
    expect([one.leads, two.leads]).toEqual([true, false]);
  });

  test('that is missing, and whose creation is not answered, is not led from any earlier', async () => {
    const world = new World('absent');
    const good = world.carry;
    world.carry = async (act) => {
      const answer = act();
      if (world.server.requests.at(-1) !== 'get') throw new TypeError('connection reset');
      return answer;
    };
    const one = world.candidate('pod-1');
    await settle();
    expect(world.server.lease?.spec?.holderIdentity).toBe(one.election.identity);
    world.carry = good;
    // It finds the Lease with its own name on it 3.2 s later, and cannot know since when nobody else leads.
    await world.clock.advance(18 * SECOND);
    expect(one.leads).toBe(false);
    await world.clock.advance(0.3 * SECOND);
    expect(one.leads).toBe(true);
  });

  test('that was created but not yet led from is not given back as if it were free', async () => {
    const world = new World('absent');
    const one = world.candidate('pod-1');
    await world.clock.advance(5 * SECOND);
    one.end.abort();
    await settle();
    expect(one.ended).toBe('yes');
    expect(world.server.lease?.spec?.holderIdentity).toBe(one.election.identity);
  });

  test('that is deleted under its leader costs the term, and nobody leads for a lease duration', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    const two = world.candidate('pod-2');
    await world.clock.advance(3 * SECOND);
    world.server.lease = null;
    await world.clock.advance(2.1 * SECOND);
    expect([one.leads, two.leads, one.working]).toEqual([false, false, 0]);
    await world.clock.advance(12 * SECOND);
    expect([one.leads, two.leads]).toEqual([false, false]);
    await world.clock.advance(8 * SECOND);
    expect([one.leads, two.leads].filter(Boolean)).toHaveLength(1);
  });

  test('of another is left alone until it stood unchanged for its own duration, whatever its times say', async () => {
    const world = new World();
    const held: Lease = {
      ...world.server.lease!,
      spec: {
        holderIdentity: 'gone',
        leaseDurationSeconds: 40,
        // A holder whose clock is years behind.
        renewTime: '2020-01-01T00:00:00.000000Z',
        leaseTransitions: 7,
      },
    };
    world.server.update(held);
    const one = world.candidate('pod-1');
    await world.clock.advance(30 * SECOND);
    world.server.annotate();
    await world.clock.advance(40 * SECOND);
    expect(one.leads).toBe(false);
    await world.clock.advance(3 * SECOND);
    expect(one.leads).toBe(true);
    expect(world.server.lease?.spec?.leaseTransitions).toBe(8);
  });
});

describe('a leader', () => {
  test('gives the Lease back once its work has ended, and the next leads within a retry', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    one.windDown = () => world.clock.sleep(12 * SECOND);
    await settle();
    const two = world.candidate('pod-2');
    await world.clock.advance(SECOND);
    one.end.abort(new Error('SIGTERM'));
    await world.clock.advance(11 * SECOND);
    // It winds down, and keeps the Lease for it.
    expect([one.leads, two.leads, one.reasons]).toEqual([true, false, [new Error('SIGTERM')]]);
    await world.clock.advance(1.5 * SECOND);
    expect([one.ended, one.leads]).toEqual(['yes', false]);
    await world.clock.advance(3.2 * SECOND);
    expect(two.leads).toBe(true);
    two.end.abort();
    await settle();
    expect(world.server.lease?.spec).toMatchObject({
      holderIdentity: '',
      leaseDurationSeconds: 1,
      leaseTransitions: 2,
    });
    expect(world.clock.pending).toBe(0);
  });

  test('stops ten seconds after it SENT its last renewal, however late the answer, and without a timer', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    await settle();
    // Written at once, answered four seconds later.
    world.carry = async (act) => {
      const answer = act();
      await world.clock.sleep(4 * SECOND);
      return answer;
    };
    await world.clock.advance(6.5 * SECOND);
    expect(world.server.requests).toHaveLength(4);
    // The last that was answered was sent at 2 s; from here on the process is stopped.
    world.clock.stall(5.4 * SECOND);
    expect(one.leads).toBe(true);
    world.clock.stall(0.1 * SECOND);
    expect([one.leads, one.working]).toEqual([false, 1]);
    // What was due runs when it goes on: the term is over for good, though nobody took the Lease.
    await world.clock.advance(0.1);
    expect([one.leads, one.working, one.reasons[0]]).toEqual([false, 0, expect.any(LeadershipLost)]);
    await world.clock.advance(10 * SECOND);
    expect([one.leads, one.terms]).toEqual([true, 2]);
  });

  test('that was stopped past its lease finds another leads, and has not led meanwhile', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    await settle();
    const held = world.server.lease!;
    world.clock.stall(20 * SECOND);
    world.server.update({ ...held, spec: { ...held.spec, holderIdentity: 'pod-2' } });
    expect(one.leads).toBe(false);
    await world.clock.advance(5 * SECOND);
    expect([one.leads, one.working, one.reasons]).toEqual([false, 0, [expect.any(LeadershipLost)]]);
    expect(world.server.lease?.spec?.holderIdentity).toBe('pod-2');
  });

  test('loses its term when the API server is away for longer than the deadline, and wins a new one after', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    await settle();
    const good = world.carry;
    world.carry = () => Promise.reject(new TypeError('connection refused'));
    await world.clock.advance(9.9 * SECOND);
    expect(one.leads).toBe(true);
    await world.clock.advance(0.2 * SECOND);
    expect([one.leads, one.working]).toEqual([false, 0]);
    await world.clock.advance(300 * SECOND);
    world.carry = good;
    await world.clock.advance(5 * SECOND);
    expect([one.leads, one.terms]).toEqual([true, 2]);
  });

  test('survives requests without an answer, and one whose answer was lost', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    await settle();
    const good = world.carry;
    world.carry = () => new Promise(() => undefined);
    await world.clock.advance(3 * SECOND);
    world.carry = async (act) => {
      act();
      throw new ApiError('timeout', { status: 504, reason: 'Timeout' });
    };
    await world.clock.advance(5.9 * SECOND);
    world.carry = good;
    await world.clock.advance(3 * SECOND);
    expect([one.leads, one.terms]).toEqual([true, 1]);
  });

  test('does not campaign before what it did in a lost term has ended', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    one.windDown = () => world.clock.sleep(60 * SECOND);
    await settle();
    world.clock.stall(11 * SECOND);
    await world.clock.advance(50 * SECOND);
    expect([one.leads, one.terms, one.working]).toEqual([false, 1, 1]);
    await world.clock.advance(15 * SECOND);
    expect([one.leads, one.terms, one.working]).toEqual([true, 2, 1]);
  });

  test('whose work ends or fails of itself gives the Lease back, and so does run', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    await settle();
    one.finish();
    await settle();
    expect([one.ended, one.leads, world.server.lease?.spec?.holderIdentity]).toEqual(['yes', false, '']);

    const two = world.candidate('pod-2');
    two.windDown = () => Promise.reject(new Error('disk full'));
    await settle();
    two.finish();
    await settle();
    expect([two.ended, two.leads]).toEqual([new Error('disk full'), false]);
    expect(world.server.lease?.spec?.holderIdentity).toBe('');
  });

  test('that ends while a write of its is not answered finds out, and gives back what it may hold', async () => {
    const world = new World();
    const good = world.carry;
    world.carry = async (act) => {
      const answer = act();
      if (world.server.requests.at(-1) !== 'get') return new Promise(() => undefined);
      return answer;
    };
    const one = world.candidate('pod-1');
    await settle();
    world.carry = good;
    one.end.abort();
    await settle();
    expect([one.ended, one.terms, world.server.lease?.spec?.holderIdentity]).toEqual(['yes', 0, '']);
  });

  test('a step of the wall clock changes nothing', async () => {
    const world = new World();
    const one = world.candidate('pod-1');
    await settle();
    const two = world.candidate('pod-2');
    for (const step of [86_400_000, -2 * 86_400_000]) {
      world.clock.stepWall(step);
      await world.clock.advance(20 * SECOND);
      expect([one.leads, one.terms, two.leads]).toEqual([true, 1, false]);
    }
  });
});

test('one that only waits ends without touching the Lease', async () => {
  const world = new World();
  world.candidate('pod-1');
  await settle();
  const two = world.candidate('pod-2');
  await world.clock.advance(5 * SECOND);
  const before = world.server.requests.length;
  two.end.abort();
  await settle();
  expect([two.ended, world.server.requests.length]).toEqual(['yes', before]);
});

test('the metric is asked of the clock, not of the last event', async () => {
  const world = new World();
  const metrics = new Metrics();
  world.candidate('pod-1', { metrics });
  const line = async () => /leader_election_master_status{.*/.exec(await metrics.registry.metrics())?.[0];
  expect(await line()).toBe('leader_election_master_status{name="lease"} 0');
  await settle();
  expect(await line()).toBe('leader_election_master_status{name="lease"} 1');
  world.clock.stall(11 * SECOND);
  expect(await line()).toBe('leader_election_master_status{name="lease"} 0');
});

test.each([
  [{ leaseDurationMs: 1500 }, /leaseDurationMs is 1500; .*whole seconds/],
  [{ leaseDurationMs: 0 }, /leaseDurationMs is 0/],
  [{ renewDeadlineMs: 12_001 }, /renewDeadlineMs is 12001; give at most .* 12000/],
  [{ renewDeadlineMs: NaN }, /renewDeadlineMs is NaN/],
  [{ retryPeriodMs: 5_001 }, /retryPeriodMs is 5001; give at most .* 5000/],
  [{ retryPeriodMs: 0 }, /retryPeriodMs is 0/],
])('times that cannot be safe are refused: %j', (times, message) => {
  const { clock, server } = new World();
  const client = leaseClient(server, async (act) => act());
  const where = { namespace: 'ns', name: 'lease', identity: 'pod' };
  expect(() => leaderElection({ client, clock, log, ...where, ...times })).toThrow(message);
});
