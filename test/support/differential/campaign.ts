/** Many frames through the engines. What differs is shrunk, and handed over as it is to be kept. */
import { reasonName } from '../../../src/filter/drop-reason.ts';
import { sequences } from '../frames-generator/sequence.ts';
import type { Scenario } from '../frames-generator/scenario.ts';
import { compare, type Difference, toldDifference } from './compare.ts';
import type { Engine } from './engine.ts';
import { type FoundCase, foundCase, nameOf } from './found-case.ts';
import { sequenceText } from './sequence-file.ts';
import { shrink } from './shrink.ts';

export interface Campaign {
  readonly seed: number;
  readonly venue: 'kernel' | 'host';
  /** The last is the one that is right in case of doubt. */
  readonly engines: readonly Engine[];
  readonly frames: number;
  /** Frames of a sequence. */
  readonly length: number;
  readonly corpus: readonly Scenario[];
  /** Called now and then with how many frames have been judged. */
  readonly onProgress?: (frames: number) => void;
}

export interface Found {
  /** One line: which engine said what. */
  readonly told: string;
  /** A case of the corpus, or the text of a sequence where a case cannot say it. */
  readonly file: FoundCase & { readonly kind: 'case' | 'sequence' };
}

export interface CampaignReport {
  frames: number;
  found: Found[];
  /** `from-vm Allowed`, `to-vm Protocol audited`, …: how many frames. */
  reasons: Map<string, number>;
}

const MOST_FOUND = 5;

export function runCampaign(campaign: Campaign): CampaignReport {
  const report: CampaignReport = { frames: 0, found: [], reasons: new Map() };
  const source = sequences(campaign);
  for (let number = 0; report.frames < campaign.frames && report.found.length < MOST_FOUND; number += 1) {
    const { steps } = source.next().value;
    const wanted = steps.slice(0, campaign.frames - report.frames);
    const { engines } = campaign;
    const difference = compare(engines, wanted, ({ direction }, { reason, audited }) => {
      const key = `${direction} ${reasonName(reason)}${audited ? ' audited' : ''}`;
      report.reasons.set(key, (report.reasons.get(key) ?? 0) + 1);
    });
    if (difference === null) report.frames += wanted.length;
    else {
      report.frames += difference.index + 1;
      const where = `Seed ${campaign.seed}, ${campaign.venue} sequence ${number}.`;
      report.found.push(found(engines, wanted.slice(0, difference.index + 1), difference, where));
    }
    campaign.onProgress?.(report.frames);
  }
  return report;
}

function found(
  engines: readonly Engine[],
  steps: readonly Scenario[],
  first: Difference,
  where: string,
): Found {
  const small = shrink(steps, (fewer) => compare(engines, fewer) !== null).steps;
  const again = compare(engines, small);
  // What an engine draws by itself may come out otherwise the second time.
  const [kept, difference, note] =
    again === null ? [steps, first, `${where} Only now and then.`] : [small, again, where];
  const told = toldDifference(difference);
  const asCase = foundCase(kept, difference, note);
  if (asCase !== null) return { told, file: { ...asCase, kind: 'case' } };
  const step = kept[difference.index];
  const reason = reasonName(difference.said.at(-1)?.judged.reason ?? 0);
  const name = `${step === undefined ? 'sequence' : nameOf(step, reason)}.json`;
  return { told, file: { name, text: sequenceText(kept, `${note} ${told}`), kind: 'sequence' } };
}
