import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Paced } from '../../../src/agent/host/paced.ts';

let calls: number;
let paced: Paced;
beforeEach(() => {
  jest.useFakeTimers();
  calls = 0;
  paced = new Paced(500, () => (calls += 1));
});
afterEach(() => {
  jest.useRealTimers();
});

test('the first call is passed on at once, and alone when no other comes', () => {
  paced.call();
  expect(calls).toBe(1);
  jest.advanceTimersByTime(5000);
  expect(calls).toBe(1);
  expect(jest.getTimerCount()).toBe(0);
  paced.call();
  expect(calls).toBe(2);
});

test('a flood becomes one call each pace, and its last is not lost', () => {
  for (let ms = 0; ms < 2000; ms += 10) {
    paced.call();
    jest.advanceTimersByTime(10);
  }
  expect(calls).toBe(5);
  jest.advanceTimersByTime(5000);
  expect(calls).toBe(5);
});

test('a call within the pace of another is passed on when the pace is over', () => {
  paced.call();
  jest.advanceTimersByTime(100);
  paced.call();
  jest.advanceTimersByTime(399);
  expect(calls).toBe(1);
  jest.advanceTimersByTime(1);
  expect(calls).toBe(2);
});

test('after close nothing is called, and no timer keeps the process alive', () => {
  paced.call();
  paced.call();
  paced.close();
  paced.close();
  expect(jest.getTimerCount()).toBe(0);
  paced.call();
  jest.advanceTimersByTime(5000);
  expect(calls).toBe(1);
});
