import { expect, test } from '@jest/globals';
import { answersIn } from '../../../../src/agent/guest/guest-wishes.ts';
import { delivered, failedBy } from '../../../../src/agent/guest/said.ts';
import { VmnError } from '../../../../src/lib/errors.ts';
import type { CounterLine } from '../../../../src/native/counters.ts';
import { CannotOpen } from '../../../../src/wireguard/sealed-key.ts';

const line = (more: Partial<CounterLine>): CounterLine => {
  return { direction: 'to-vm', reason: 0, audited: false, packets: 1n, bytes: 100n, ...more };
};
/** In native/include/vmn/reason.h: a draw that it escaped, and the first drop. */
const UNSAMPLED = 4;
const DROPPED = 16;

test('a guest is answered by what passed to it, and by nothing else', () => {
  expect(answersIn([line({ packets: 3n }), line({ packets: 2n })])).toBe(5n);
  const nothing = [line({ direction: 'from-vm' }), line({ audited: true })].concat(
    [UNSAMPLED, DROPPED].map((reason) => line({ reason })),
  );
  expect(answersIn(nothing)).toBe(0n);
});

test('a guest that was given its image is provisioned once it was answered, and not known to be before', () => {
  expect(delivered(false)).toMatchObject({ status: 'Unknown', reason: 'Delivered' });
  expect(delivered(true)).toMatchObject({ status: 'True', reason: 'Provisioned' });
});

test('what fails is told with what to do, and what may hold a key is not told at all', () => {
  const full = new VmnError('VMN_SEED_FILE', { attempted: 'write the seed image', on: '/run/x' });
  expect(failedBy(full)).toMatchObject({ status: 'False', reason: 'NotDelivered' });
  expect(failedBy(full).message).toContain(full.remedy);
  expect(failedBy(new CannotOpen())).toMatchObject({ status: 'False', reason: 'InvalidSecret' });
  expect(failedBy(new Error('c2VjcmV0')).message).not.toContain('c2VjcmV0');
});
