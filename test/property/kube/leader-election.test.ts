import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FakeClock } from '../../support/fake-clock.ts';
import { LeaseServer } from '../../unit/kube/leader-election/lease-server.ts';
import { CandidateProcess, type ProcessTraits, type World } from './candidate-process.ts';

/*
 * Several candidates over one Lease, with requests and answers that are late, lost or refused, clocks that disagree,
 * processes that are stopped and continued, and people who delete the Lease. Time is one, and who leads is asked after
 * each thing that happens in it, of stopped processes too: what they do next they do without looking at a clock.
 */

const CANDIDATES = 3;

type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'stop' | 'continue' | 'terminate' | 'kill' | 'cut' | 'join'; readonly who: number }
  | { readonly do: 'step-wall'; readonly who: number; readonly ms: number }
  | { readonly do: 'lease'; readonly how: 'delete' | 'annotate' };

const who = fc.integer({ min: 0, max: CANDIDATES - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 3_000, max: 30_000 })),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('stop', 'stop', 'continue', 'continue', 'terminate', 'kill', 'cut', 'join'),
      who,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('step-wall' as const),
      who,
      ms: fc.integer({ min: -100_000, max: 100_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('lease' as const), how: fc.constantFrom('delete', 'annotate') }),
  },
);

const traits: fc.Arbitrary<ProcessTraits> = fc.record({
  // A renewal deadline of 10 s against a lease of 15 s bears a ratio of 1.5.
  speed: fc.double({ min: 0.9, max: 1.2, noNaN: true }),
  bootedMs: fc.integer({ min: 0, max: 1_000_000_000 }),
  wallErrorMs: fc.integer({ min: -86_400_000, max: 86_400_000 }),
  networkFirst: fc.boolean(),
});

const story = fc.record({
  seed: fc.integer(),
  traits: fc.array(traits, { minLength: CANDIDATES, maxLength: CANDIDATES }),
  steps: fc.array(step, { minLength: 5, maxLength: 30 }),
});

test('[K8-4] two never lead at once, and in the end one does', async () => {
  let terms = 0;
  await fc.assert(
    fc.asyncProperty(story, async ({ seed, traits: all, steps }) => {
      const world: World = { clock: new FakeClock(), server: new LeaseServer(), random: generator(seed) };
      const processes = all.map((its) => new CandidateProcess(world, its));
      const everyone = [...processes];
      const check = () => expect(everyone.filter(({ isLeading }) => isLeading).length).toBeLessThan(2);
      for (const each of steps) {
        act(each, world, processes, all, everyone);
        await world.clock.advance(each.do === 'wait' ? each.ms : 0, check);
      }
      // Whoever is left, and one more, are given time, on a network that is no worse than before.
      for (const process of everyone) {
        process.cutOff = false;
        process.continue();
      }
      joined(world, all[0], everyone);
      let led = false;
      await world.clock.advance(120_000, () => {
        check();
        led ||= everyone.some(({ isLeading }) => isLeading);
      });
      expect(led).toBe(true);
      for (const process of everyone) terms += process.terms;
    }),
    { numRuns: Number(process.env['ELECTION_RUNS'] ?? 40) },
  );
  // Else nothing was shown.
  expect(terms).toBeGreaterThan(40);
});

function act(
  step: Step,
  world: World,
  processes: CandidateProcess[],
  traits: readonly ProcessTraits[],
  everyone: CandidateProcess[],
): void {
  if (step.do === 'wait') return;
  if (step.do === 'lease') {
    if (step.how === 'delete') world.server.lease = null;
    else world.server.annotate();
    return;
  }
  const process = processes[step.who]!;
  switch (step.do) {
    case 'stop':
      return process.stop();
    case 'continue':
      return process.continue();
    case 'terminate':
      return process.terminate();
    case 'cut':
      process.cutOff = !process.cutOff;
      return;
    case 'step-wall':
      return process.stepWall(step.ms);
    case 'kill':
      process.kill();
      processes[step.who] = joined(world, traits[step.who], everyone);
      return;
    case 'join':
      // The one before goes on: a pod of the same name elsewhere.
      processes[step.who] = joined(world, traits[step.who], everyone);
      return;
  }
}

function joined(
  world: World,
  traits: ProcessTraits | undefined,
  everyone: CandidateProcess[],
): CandidateProcess {
  const process = new CandidateProcess(world, traits!);
  everyone.push(process);
  return process;
}

/** mulberry32: small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
