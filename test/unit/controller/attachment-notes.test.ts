import { describe, expect, test } from '@jest/globals';
import { HOST_SINCE } from '../../../src/controller/kinds.ts';
import type { Attachment, Network } from '../../../src/controller/kinds.ts';
import { planNetwork, planOrphans } from '../../../src/controller/vmnetwork/plan.ts';
import { ROTATE_KEY, rotationAsked } from '../../../src/controller/vmnetwork/plan/rotation-asked.ts';
import { network } from './support/objects.ts';
import { inputOf, standing } from './support/plan-input.ts';

describe('a network that asks for another key', () => {
  const asking = (value?: string): Network => ({
    ...network('one'),
    metadata: {
      ...network('one').metadata,
      ...(value === undefined ? {} : { annotations: { [ROTATE_KEY]: value } }),
    },
  });
  const notesOf = (value: string): object => ({ [ROTATE_KEY]: rotationAsked({ [ROTATE_KEY]: value }) });

  test('has it noted on its attachments, from the start', () => {
    expect(planNetwork(inputOf({ network: asking('1') })).create[0]).toMatchObject({ notes: notesOf('1') });
    expect(planNetwork(inputOf({ network: asking() })).create[0]).toMatchObject({ notes: {} });
  });

  test('has it noted without a change of their policy, once for each value', () => {
    const noted = standing({}, { annotations: { ...notesOf('1'), kept: 'as it is' } });
    const updates = (value?: string) =>
      planNetwork(inputOf({ network: asking(value), over: { attachments: [noted] } })).update;
    expect(updates('1')).toEqual([]);
    expect(updates()).toEqual([]);
    expect(updates('2')).toMatchObject([{ policy: null, notes: notesOf('2') }]);
  });
});

describe('an attachment tells of the VMNetworkNode that its host had', () => {
  const [EARLIER, LATER] = ['2026-01-30T12:00:00Z', '2026-01-31T12:00:00Z'];
  const told = (since: string, metadata: object = {}) =>
    standing({}, { annotations: { [HOST_SINCE]: since, kept: 'as it is' }, ...metadata });
  const updatesOf = (since: string | undefined, attachment: Attachment) =>
    planNetwork(
      inputOf({ ...(since === undefined ? {} : { since }), over: { attachments: [attachment] } }),
    ).update.map(({ policy, notes }) => ({ policy, notes }));
  const leaving = { deletionTimestamp: '2026-01-31T11:00:00Z' };

  test('from the start', () => {
    expect(planNetwork(inputOf({ since: EARLIER })).create[0]).toMatchObject({
      notes: { [HOST_SINCE]: EARLIER },
    });
  });

  test.each<[string, string | undefined, object, boolean]>([
    ['and is left alone while that stands', EARLIER, {}, false],
    ['and is told of another one', LATER, {}, true],
    ['and of none of a host that is missing', undefined, {}, false],
    ['also while it is being deleted', LATER, leaving, true],
    ['but not when nothing holds it any more', LATER, { ...leaving, finalizers: [] }, false],
  ])('%s', (_, since, metadata, changes) => {
    const expected = changes ? [{ policy: null, notes: { [HOST_SINCE]: since } }] : [];
    expect(updatesOf(since, told(EARLIER, metadata))).toEqual(expected);
  });

  test('also when it is nobody’s', () => {
    const { hosts } = inputOf({ since: LATER });
    expect(planOrphans([told(EARLIER, leaving)], hosts)).toMatchObject({
      remove: [],
      update: [{ policy: null, notes: { [HOST_SINCE]: LATER } }],
    });
    expect(planOrphans([told(EARLIER)], hosts)).toMatchObject({ remove: [expect.anything()], update: [] });
  });
});
