import { expect, test } from '@jest/globals';
import { addon } from '../../../src/native/addon.ts';
import { EVENTS_LOST_SLOT, EVENTS_SUPPRESSED_SLOT, REASON_SLOTS } from '../../../src/native/counters.ts';
import { headerReasons } from '../../support/frames/reasons.ts';

test('the slots of the counters are those of the header', () => {
  expect(addon().abiLayout()).toMatchObject({
    VMN_REASON_SLOTS: REASON_SLOTS,
    VMN_COUNTER_SLOTS: 4 * REASON_SLOTS,
    VMN_COUNTER_EVENTS_SUPPRESSED: EVENTS_SUPPRESSED_SLOT,
    VMN_COUNTER_EVENTS_LOST: EVENTS_LOST_SLOT,
    vmn_counter: 16,
  });
});

test('no reason has a slot in which something else is counted', () => {
  for (const { number, name } of headerReasons) {
    expect({ name, number }).toEqual({ name, number: Math.min(number, EVENTS_SUPPRESSED_SLOT - 1) });
  }
});
