import { expect, test } from '@jest/globals';
import { UndeclaredCards } from '../../../../src/agent/status/cluster/events-undeclared.ts';

type Card = Parameters<UndeclaredCards['passed']>[0][number];

const card = (more: Partial<Card> = {}): Card => ({
  ...{ vm: 'odd', tap: 'vnet0', pins: 'if-0-7', mac: '52:54:00:00:00:01', ifindex: 7 },
  ...{ state: 'Denied', network: null, inUse: true, ...more },
});

test('a card that nobody declared is told of once, when it has been there for 10 s', () => {
  const cards = new UndeclaredCards();
  expect(cards.passed([card()], 0)).toEqual([]);
  expect(cards.passed([card()], 9_999)).toEqual([]);
  expect(cards.passed([card()], 10_000)).toEqual([
    'vnet0: no VMNetwork names it (VM odd, network card 52:54:00:00:00:01); nothing passes',
  ]);
  expect(cards.passed([card()], 100_000)).toEqual([]);
});

test('one that is declared in time is not; one that comes in its place waits anew', () => {
  const cards = new UndeclaredCards();
  cards.passed([card()], 0);
  expect(cards.passed([card({ state: 'Enforced', network: 't/odd' })], 9_000)).toEqual([]);
  expect(cards.passed([card()], 20_000)).toEqual([]);
  expect(cards.passed([card({ ifindex: 8 })], 30_000)).toEqual([]);
  expect(cards.passed([card({ ifindex: 8 })], 40_000)).toHaveLength(1);
});

test('a card whose network denies it, that is not there, or that nobody has is no such card', () => {
  const cards = new UndeclaredCards();
  const others = [card({ network: 't/odd' }), card({ ifindex: 0 }), card({ inUse: false })];
  for (const nowMs of [0, 60_000]) expect(cards.passed(others, nowMs)).toEqual([]);
});

test('what no VM is known of is told of, too', () => {
  const cards = new UndeclaredCards();
  cards.passed([card({ vm: '' })], 0);
  expect(cards.passed([card({ vm: '' })], 10_000)).toEqual([
    'vnet0: no VMNetwork names it (of no VM that is known); nothing passes',
  ]);
});
