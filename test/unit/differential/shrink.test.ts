import { describe, expect, test } from '@jest/globals';
import { isDrop, REASONS } from '../../../src/filter/drop-reason.ts';
import { parseCase } from '../../support/corpus/case-file.ts';
import { loadCorpus, reasonNumbers } from '../../support/corpus/load-corpus.ts';
import { runCampaign } from '../../support/differential/campaign.ts';
import { compare } from '../../support/differential/compare.ts';
import type { Engine, Judged } from '../../support/differential/engine.ts';
import { referenceEngine } from '../../support/differential/host-engines.ts';
import { parseSequence } from '../../support/differential/sequence-file.ts';
import { shrink } from '../../support/differential/shrink.ts';
import { scenarioOfCase } from '../../support/frames-generator/corpus-scenario.ts';
import type { Scenario } from '../../support/frames-generator/scenario.ts';

// An engine that is broken on purpose has to be found, and what is kept of it has to be small and readable.

const SEED = 4711;

/** The reference with a fault: what it said of each step may be changed, by what came before. */
function faulty(fault: (step: Scenario, judged: Judged, seen: number[]) => Judged): Engine {
  return {
    name: 'faulty',
    begin(policies) {
      const run = referenceEngine.begin(policies);
      const seen: number[] = [];
      return {
        judge(step) {
          const judged = run.judge(step);
          seen.push(judged.reason);
          return fault(step, judged, seen);
        },
        end: () => run.end(),
      };
    },
    close: () => {},
  };
}

const numberOf = (name: string): number => REASONS.find((reason) => reason.name === name)?.number ?? 0;

/** It does not look at the time to live of what is sent under a strict policy. */
const blindToTtl = faulty(({ direction, policy }, judged) =>
  direction === 'from-vm' && policy.fields.strict === true && judged.reason === numberOf('IpTtl')
    ? { ...judged, reason: numberOf('Allowed'), audited: false, action: 'allow' }
    : judged,
);

/** It drops what should pass once three frames have passed as part of a flow. */
const tired = faulty((_, judged, seen) =>
  !isDrop(judged.reason) && seen.filter((reason) => reason === numberOf('AllowedFlow')).length > 3
    ? { ...judged, reason: numberOf('Protocol'), action: 'drop' }
    : judged,
);

const campaign = (engine: Engine) =>
  runCampaign({
    seed: SEED,
    venue: 'host',
    engines: [engine, referenceEngine],
    frames: 20_000,
    length: 400,
    corpus: loadCorpus().map(scenarioOfCase),
  });

describe('[EB-6] a difference between engines', () => {
  test('in one frame is shrunk to that frame, under a policy that says only what it takes, and kept as a case', () => {
    const { found } = campaign(blindToTtl);
    expect(found.length).toBeGreaterThan(0);
    const file = found[0]?.file;
    expect(file).toMatchObject({
      kind: 'case',
      name: expect.stringMatching(/^from-vm-.*ip-ttl-[0-9a-f]{6}\.case$/),
    });
    const kept = parseCase(file?.name ?? '', file?.text ?? '', reasonNumbers());
    expect(kept.policy).toMatchObject({ mode: 'Filtered', strict: true, audit: false, previous: 'none' });
    expect(kept.meta).toEqual({ vlan: false, answer: false, checksumAt: null, superFrame: null });
    expect(kept.expect).toMatchObject({ verdict: 'drop', reason: 'IpTtl' });
    expect(kept.frame.length).toBe(34);
    const again = compare([blindToTtl, referenceEngine], [scenarioOfCase(kept)]);
    expect(again?.said.map(({ judged }) => judged.reason)).toEqual([0, numberOf('IpTtl')]);
  });

  test('that takes a past is shrunk to the frames of that past, and kept as a sequence', () => {
    const { found } = campaign(tired);
    const file = found[0]?.file;
    expect(file).toMatchObject({ kind: 'sequence', name: expect.stringMatching(/\.json$/) });
    const steps = parseSequence(file?.text ?? '');
    expect(steps.length).toBeLessThan(10);
    expect(compare([tired, referenceEngine], steps)).toMatchObject({ index: steps.length - 1 });
    for (const index of steps.keys())
      expect(compare([tired, referenceEngine], steps.toSpliced(index, 1))).toBeNull();
  });

  test('is not made up: engines that are the same have none', () => {
    expect(campaign(faulty((_, judged) => judged)).found).toEqual([]);
  });

  test('is looked for no longer than allowed', () => {
    let asked = 0;
    const steps = loadCorpus().map(scenarioOfCase);
    const { tries } = shrink(steps, () => (asked += 1) < 0, 50);
    expect([tries, asked]).toEqual([50, 50]);
  });
});
