/**
 * The benchmark measures what it says: each frame meets its fate, and one that does not ends it. Figures are of no interest
 * here, so rounds are few and short.
 */
import { expect } from '@jest/globals';
import { FULL } from '../../bench/filter/full.ts';
import { measureJudgements, type Judgement, type Venue } from '../../bench/filter/judgement.ts';
import { LOOKUP } from '../../bench/filter/lookup.ts';
import { MODES } from '../../bench/filter/modes.ts';
import { policyBytes } from '../../bench/filter/policy.ts';
import { measureRejection } from '../../bench/filter/rejection.ts';
import { slotOf } from '../../bench/filter/subjects.ts';
import { isMeasured } from '../../bench/row.ts';
import { executable, kernel, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

const { describe, test } = requires(root, kernel(6, 6), executable('ip'), executable('nft'));

const EFFORT = { rounds: 2, frames: 400 };
const JUDGEMENTS = [...FULL, ...LOOKUP, ...MODES];

const measure = (venue: Venue, judgements: readonly Judgement[] = JUDGEMENTS) =>
  measureJudgements(venue, judgements, EFFORT, 'test');

describe('make bench-filter', () => {
  test('judges every frame as its row says, in both venues', async () => {
    const rows = [...(await measure('in place')), ...(await measure('test run'))];
    expect(rows.map(({ id }) => id).sort()).toEqual(JUDGEMENTS.map(({ id }) => id).sort());
    expect(rows.filter(isMeasured).every(({ n }) => n === EFFORT.rounds)).toBe(true);
  });

  test('brings every frame to the rule that ends it, and without one to the far side', async () => {
    const rows = await measureRejection(EFFORT, 'test');
    expect(rows.map(({ id }) => id)).toEqual(['P3-reject', 'P3-drop', 'mode-forward']);
  });

  test('fails when frames end otherwise than the row says', async () => {
    const [first] = FULL;
    const quarantined = policyBytes({ flags: { quarantined: true, strictWireGuard: true, audit: false } });
    const dropsAll = { ...first!, subject: { ...first!.subject, policy: quarantined } };
    await expect(measure('in place', [dropsAll])).rejects.toThrow('0 of 400 frames met their fate');

    // Counted as the row expects, but it does not come through.
    const slots = [slotOf('from-vm', 'Quarantined')];
    const counted = { ...dropsAll, subject: { ...dropsAll.subject, slots } };
    await expect(measure('in place', [counted])).rejects.toThrow('0 of 400 frames met their fate');
    await expect(measure('in place', [{ ...counted, passes: false }])).resolves.toHaveLength(1);
  });
});
