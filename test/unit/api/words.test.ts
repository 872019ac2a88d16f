import { describe, expect, test } from '@jest/globals';
import { formatFieldPath } from '../../../src/api/field-path.ts';
import { describeValue, printable } from '../../../src/api/printable.ts';
import { suggest } from '../../../src/api/suggestion.ts';
import { CONDITION_REASONS, CONDITION_TYPES, conditionSchema } from '../../../src/api/v1alpha1/conditions.ts';

test.each([
  ['plain text', 'plain text'],
  ['ünïcode 東京', 'ünïcode 東京'],
  ['\u001b[31mred', '\\u{1b}[31mred'],
  ['a\nb\tc\rd', 'a\\nb\\tc\\u{d}d'],
  ['\u202eabc\u2066', '\\u{202e}abc\\u{2066}'],
  ['zero\u200bwidth\ufeff', 'zero\\u{200b}width\\u{feff}'],
  ['\u009b31m', '\\u{9b}31m'],
  ['\ud800', '\\u{d800}'],
  ['line\u2028break', 'line\\u{2028}break'],
])('%j is printed as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('long text is cut', () => {
  expect(printable('x'.repeat(1000), 10)).toBe(`${'x'.repeat(10)}…`);
  expect(printable('\u0000'.repeat(1000), 10)).toHaveLength(11);
  expect(printable('x'.repeat(10), 10)).toBe('x'.repeat(10));
});

test.each<[unknown, string]>([
  ['a"b', '"a"b"'],
  [51900.5, '51900.5'],
  [Number.NaN, 'NaN'],
  [null, 'null'],
  [undefined, 'undefined'],
  [true, 'true'],
  [[1, 2], 'a list of 2'],
  [{}, 'an empty mapping'],
  [{ a: 1, '\u001b': 2 }, 'a mapping of a, \\u{1b}'],
])('%p is described as %j', (value, words) => {
  expect(describeValue(value)).toBe(words);
});

test('what cannot become text is described all the same', () => {
  const cycle: unknown[] = [];
  cycle.push(cycle, Object.create(null));
  expect(describeValue(cycle)).toBe('a list of 2');
  expect(describeValue(Object.assign(Object.create(null) as object, { a: cycle }))).toBe('a mapping of a');
  expect(describeValue(Symbol('s'))).toBe('symbol');
  expect(describeValue(() => 1)).toBe('function');
});

describe('suggestions', () => {
  const fields = ['mode', 'consumerEndpoint', 'selector', 'wireGuard', 'presharedKeySecretRef'];
  test.each([
    ['modes', 'mode'],
    ['Mode', 'mode'],
    ['mdoe', 'mode'],
    ['consumerendpoint', 'consumerEndpoint'],
    ['consumerEndpiont', 'consumerEndpoint'],
    ['presharedKey', 'presharedKeySecretRef'],
    ['wireguard', 'wireGuard'],
    ['gateway', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ])('%s: %s', (name, suggestion) => {
    expect(suggest(name, fields)).toBe(suggestion);
  });
});

test('field paths', () => {
  expect(formatFieldPath(['spec', 'selector', 'names', 0])).toBe('spec.selector.names[0]');
  expect(formatFieldPath(['metadata', 'labels', 'a.b/c'])).toBe('metadata.labels["a.b/c"]');
  expect(formatFieldPath(['\u001b[2J'])).toBe('["\\u{1b}[2J"]');
});

test('every condition constant is one that the API accepts', () => {
  for (const type of CONDITION_TYPES) {
    for (const reason of Object.keys(CONDITION_REASONS)) {
      const condition = {
        type,
        reason,
        status: 'True',
        message: '',
        lastTransitionTime: '2026-01-31T12:00:00Z',
      };
      expect(conditionSchema.safeParse(condition).success).toBe(true);
    }
  }
});
