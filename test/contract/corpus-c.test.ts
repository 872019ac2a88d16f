import { describe, expect, test } from '@jest/globals';
import { loadCorpus } from '../support/corpus/load-corpus.ts';
import { compare, toldDifference } from '../support/differential/compare.ts';
import { cEngine, referenceEngine } from '../support/differential/host-engines.ts';
import { foundSequences } from '../support/differential/sequence-file.ts';
import { scenarioOfCase } from '../support/frames-generator/corpus-scenario.ts';

// Every case of the corpus through the C filter as the host compiles it; reference-corpus.test.ts does the same with the
// reference, test/kernel/corpus-ebpf.test.ts with the programs in the kernel.

const FLOW = 3; // AllowedFlow

describe('the corpus through the C filter', () => {
  test.each(loadCorpus().map((item) => [item.title, item.file, item] as const))(
    '%s (%s)',
    (_title, _file, item) => {
      const run = cEngine.begin([]);
      const scenario = scenarioOfCase(item);
      const { reasonCode: reason, audited } = item.expect;
      expect(run.judge(scenario)).toMatchObject({ reason, audited });
      const remembered = item.policy?.mode === 'Conntrack' && item.expect.reason === 'Allowed';
      expect(run.judge(scenario)).toMatchObject({ reason: remembered ? FLOW : reason, audited });
    },
  );
});

describe('[EB-6] sequences of frames that once made engines differ', () => {
  const found = foundSequences();
  test(`${found.length} so far: the C filter and the reference agree on all`, () => {
    for (const { file, steps } of found) {
      const difference = compare([cEngine, referenceEngine], steps);
      expect([file, difference === null ? 'agree' : toldDifference(difference)]).toEqual([file, 'agree']);
    }
  });
});
