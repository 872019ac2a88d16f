import { expect, test } from '@jest/globals';
import { hasWireGuardShape } from '../../../src/filter/wireguard-shape.ts';
import { wireGuardShape } from '../../support/frames/wireguard.ts';

test.each([
  ['initiation', 1, [148]],
  ['response', 2, [92]],
  ['cookie reply', 3, [64]],
])('[SB-8] %s: one length and no other', (_, type, lengths) => {
  const fitting = Array.from({ length: 1600 }, (_unused, bytes) => bytes).filter((bytes) =>
    hasWireGuardShape(wireGuardShape(type, bytes)),
  );
  expect(fitting).toEqual(lengths);
});

test('[SB-8] data: multiples of 16 from 32 on, and any length of a full packet of a tunnel', () => {
  const fits = (bytes: number): boolean => hasWireGuardShape(wireGuardShape(4, bytes));
  expect([0, 4, 16, 31, 33, 47, 600, 607].filter(fits)).toEqual([]);
  // 608: a tunnel with an MTU of 576. 1452: the usual one, with 1420, which is no multiple of 16.
  const right = [32, 48, 592, 608, 609, 1452, 1453, 65_507];
  expect(right.filter(fits)).toEqual(right);
});

test('[SB-8] reserved bytes are zero, and no other types are', () => {
  for (const reserved of [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 0x80],
  ])
    expect(hasWireGuardShape(wireGuardShape(4, 32, reserved))).toBe(false);
  for (const type of [0, 5, 0x40, 0xff]) {
    for (const bytes of [32, 64, 92, 148, 1452])
      expect(hasWireGuardShape(wireGuardShape(type, bytes))).toBe(false);
  }
});
