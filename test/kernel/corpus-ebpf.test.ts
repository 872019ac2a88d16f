import { afterAll, beforeAll, describe, expect, test as always } from '@jest/globals';
import { type CorpusCase, loadCorpus } from '../support/corpus/load-corpus.ts';
import { compare, toldDifference } from '../support/differential/compare.ts';
import { ebpfEngine } from '../support/differential/ebpf-engine.ts';
import type { Engine, Judged } from '../support/differential/engine.ts';
import { cEngine, referenceEngine } from '../support/differential/host-engines.ts';
import { foundSequences } from '../support/differential/sequence-file.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { scenarioOfCase } from '../support/frames-generator/corpus-scenario.ts';
import { Dice } from '../support/frames-generator/dice.ts';
import { notToldToTheKernel } from '../support/frames-generator/kernel-limits.ts';
import { inForce } from '../support/frames-generator/policy.ts';
import type { Scenario } from '../support/frames-generator/scenario.ts';
import { root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

// Every case of the corpus through the programs in this kernel (BPF_PROG_TEST_RUN). What they cannot be told that way is
// named, and judged by the other two engines.

const FLOW = 3; // AllowedFlow

interface Tried {
  item: CorpusCase;
  cannot: string | null;
}

const tried: Tried[] = loadCorpus().map((item) => ({
  item,
  cannot: notToldToTheKernel(scenarioOfCase(item)),
}));
const told = tried.filter(({ cannot }) => cannot === null);
const untold = tried.filter(({ cannot }) => cannot !== null);

const { test, describe: describeAsRoot } = requires(root);

let ebpf: Engine;
beforeAll(() => {
  ebpf = ebpfEngine();
});
afterAll(() => ebpf.close());

/** A secret of its own: flows of one case are none of another's, though both are judged by one filter. */
function apart(scenario: Scenario, seed: number): Scenario {
  const { policy } = scenario;
  if (typeof policy.inForce === 'string' || policy.inForce.mode !== 'Conntrack') return scenario;
  const fields = { ...policy.fields, secret: new Dice(seed).bytes(16) };
  return { ...scenario, policy: { fields, bytes: policyBytes(fields), inForce: inForce(fields) } };
}

describeAsRoot('the corpus through the eBPF program', () => {
  /** By file; each case twice, those of one policy one after the other, since putting a policy in force takes longest. */
  const judged = new Map<string, [Judged, Judged]>();

  beforeAll(() => {
    const policies = new Map<string, Scenario['policy']>();
    const words = ({ item }: Tried): string => JSON.stringify(item.policy);
    const run = ebpf.begin([]);
    for (const [index, its] of told.toSorted((a, b) => words(a).localeCompare(words(b))).entries()) {
      const scenario = apart(scenarioOfCase(its.item), index);
      const isTracked = its.item.policy?.mode === 'Conntrack';
      const policy = isTracked ? scenario.policy : (policies.get(words(its)) ?? scenario.policy);
      policies.set(words(its), policy);
      const step = { ...scenario, policy };
      judged.set(its.item.file, [run.judge(step), run.judge(step)]);
    }
    run.end();
  }, 120_000);

  always.each(told.map(({ item }) => [item.title, item.file, item] as const))(
    '%s (%s)',
    (_title, file, item) => {
      const { reasonCode: reason, audited, verdict: action } = item.expect;
      const [first, second] = judged.get(file) ?? [];
      expect(first).toMatchObject({ reason, audited, action });
      const remembered = item.policy?.mode === 'Conntrack' && item.expect.reason === 'Allowed';
      expect(second).toMatchObject({ reason: remembered ? FLOW : reason, audited, action });
    },
  );
});

describe(`[EB-6] ${untold.length} of ${tried.length} cases of the corpus cannot be told to the kernel by BPF_PROG_TEST_RUN`, () => {
  always.each(untold.map(({ item, cannot }) => [item.file, cannot ?? '', item] as const))(
    '%s: %s; the C filter and the reference judge it as expected',
    (_file, _cannot, item) => {
      for (const engine of [cEngine, referenceEngine])
        expect(engine.begin([]).judge(scenarioOfCase(item))).toMatchObject({
          reason: item.expect.reasonCode,
          audited: item.expect.audited,
        });
    },
  );
});

const sequences = foundSequences().filter(({ steps }) =>
  steps.every((step) => notToldToTheKernel(step) === null),
);
test(`[EB-6] ${sequences.length} sequences of frames that once made engines differ: all three agree`, () => {
  for (const { file, steps } of sequences) {
    const difference = compare([ebpf, cEngine, referenceEngine], steps);
    expect([file, difference === null ? 'agree' : toldDifference(difference)]).toEqual([file, 'agree']);
  }
});
