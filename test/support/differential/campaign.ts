/** Many frames through the engines. What differs is shrunk, and handed over as it is to be kept. */
import { reasonName } from '../../../src/filter/drop-reason.ts';
import { sequences } from '../frames-generator/sequence.ts';
import type { Scenario } from '../frames-generator/scenario.ts';
import { compare } from './compare.ts';
import type { Engine } from './engine.ts';
import { type Found, found } from './found.ts';

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

export interface CampaignReport {
  frames: number;
  /** Those that were told apart; the campaign ends after a few. */
  found: Found[];
  /** `from-vm Allowed`, `to-vm Protocol audited`, …: how many frames. */
  reasons: Map<string, number>;
}

const MOST_DIFFERENCES = 5;

export function runCampaign(campaign: Campaign): CampaignReport {
  const report: CampaignReport = { frames: 0, found: [], reasons: new Map() };
  const source = sequences(campaign);
  let differences = 0;
  for (let number = 0; report.frames < campaign.frames && differences < MOST_DIFFERENCES; number += 1) {
    const { steps } = source.next().value;
    const wanted = steps.slice(0, campaign.frames - report.frames);
    const { engines } = campaign;
    const difference = compare(engines, wanted, ({ direction }, { reason, audited }) => {
      const key = `${direction} ${reasonName(reason)}${audited ? ' audited' : ''}`;
      report.reasons.set(key, (report.reasons.get(key) ?? 0) + 1);
    });
    if (difference === null) report.frames += wanted.length;
    else {
      differences += 1;
      report.frames += difference.index + 1;
      const where = `Seed ${campaign.seed}, ${campaign.venue} sequence ${number}.`;
      const its = found(engines, wanted.slice(0, difference.index + 1), difference, where);
      if (report.found.every(({ essence }) => essence !== its.essence)) report.found.push(its);
    }
    campaign.onProgress?.(report.frames);
  }
  return report;
}
