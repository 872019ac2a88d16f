import { expect, test } from '@jest/globals';
import { withoutFormer } from '../../../src/agent/attachment/former-filters.ts';
import type { ObservedAttachment } from '../../../src/agent/attachment/observed.ts';
import type { Plan } from '../../../src/agent/attachment/plan.ts';

const CLOSES: Plan = { actions: [{ kind: 'write-policy', policy: null }], blocked: null, policy: null };
const NOTHING: Plan = { ...CLOSES, actions: [] };
const NOBODY = { former: [], ours: [], foreign: [] };
const seen = (over: object): ObservedAttachment =>
  ({ link: { ifindex: 7 }, fault: null, beside: NOBODY, ...over }) as unknown as ObservedAttachment;

test('former filters go one by one, after whatever closes', () => {
  const beside = { ...NOBODY, former: ['if-0-7', 'if-1-7'] };
  expect(withoutFormer(CLOSES, seen({ beside }))).toEqual({
    ...CLOSES,
    actions: [
      ...CLOSES.actions,
      { kind: 'retire-pins', ifindex: 7, pins: 'if-0-7' },
      { kind: 'retire-pins', ifindex: 7, pins: 'if-1-7' },
    ],
  });
});

test.each([
  ['the interface is not here', CLOSES, { link: null }],
  ['its own filter is not in its place', CLOSES, { fault: 'another program runs before it' }],
  ['the interface is about to be removed', { ...CLOSES, actions: [{ kind: 'tear-down' }] }, {}],
] as const)('none goes while %s', (_why, plan, over) => {
  expect(withoutFormer(plan, seen({ beside: { ...NOBODY, former: ['if-0-7'] }, ...over }))).toBe(plan);
});

test('one that is not to go keeps everything from counting as enforced', () => {
  const { actions, blocked } = withoutFormer(NOTHING, seen({ beside: { ...NOBODY, ours: ['vmn-a'] } }));
  expect(actions).toEqual([]);
  expect(blocked).toMatchObject({ code: 'VMN_READ_BACK', message: expect.stringContaining('vmn-a') });
});

test('programs of others change nothing', () => {
  expect(withoutFormer(NOTHING, seen({ beside: { ...NOBODY, foreign: ['theirs (9)'] } }))).toEqual(NOTHING);
});
