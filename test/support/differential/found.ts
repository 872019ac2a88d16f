import { reasonName } from '../../../src/filter/drop-reason.ts';
import type { Scenario } from '../frames-generator/scenario.ts';
import { compare, type Difference, toldDifference } from './compare.ts';
import type { Engine } from './engine.ts';
import { type FoundCase, foundCase, nameOf } from './found-case.ts';
import { sequenceText } from './sequence-file.ts';
import { shrink } from './shrink.ts';

/** A difference as it is kept. */
export interface Found {
  /** One line: which engine said what. */
  readonly told: string;
  /** A case of the corpus, or a sequence where a case cannot say it. */
  readonly file: FoundCase & { readonly kind: 'case' | 'sequence' };
  /** The same for two differences that come to the same frames. */
  readonly essence: string;
}

const TRIES = { host: 600, slow: 150 };

/** Shrinks a difference at the end of some steps. `where` says how to come by it again. */
export function found(
  engines: readonly Engine[],
  steps: readonly Scenario[],
  first: Difference,
  where: string,
): Found {
  const asked = enginesThatDiffer(engines, steps);
  const tries = asked.some(({ isSlow }) => isSlow === true) ? TRIES.slow : TRIES.host;
  const small = shrink(steps, (fewer) => compare(asked, fewer) !== null, tries).steps;
  const again = compare(engines, small);
  // What an engine draws by itself may come out otherwise the second time.
  if (again === null) return kept(steps, first, `${where} Only now and then.`);
  return kept(small.slice(0, again.index + 1), again, where);
}

/** Asking the kernel takes long: the others alone, when they differ too. */
function enginesThatDiffer(engines: readonly Engine[], steps: readonly Scenario[]): readonly Engine[] {
  const fast = engines.filter(({ isSlow }) => isSlow !== true);
  return fast.length > 1 && compare(fast, steps) !== null ? fast : engines;
}

function kept(steps: readonly Scenario[], difference: Difference, note: string): Found {
  const told = toldDifference(difference);
  const asCase = foundCase(steps, difference, note);
  if (asCase !== null) {
    const essence = asCase.text.replaceAll(/^#.*\n/gm, '');
    return { told, essence, file: { ...asCase, kind: 'case' } };
  }
  const step = steps[difference.index];
  const reason = reasonName(difference.said.at(-1)?.judged.reason ?? 0);
  const name = `${step === undefined ? 'sequence' : nameOf(step, reason)}.json`;
  const text = sequenceText(steps, `${note} ${told}`);
  return { told, essence: sequenceText(steps, ''), file: { name, text, kind: 'sequence' } };
}
