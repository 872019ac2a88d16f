import { describe, expect, test } from '@jest/globals';
import { ROTATE_KEY, rotationAsked } from '../../../src/controller/vmnetwork/plan/rotation-asked.ts';

describe('the annotation that asks for another key', () => {
  const asked = (value: string): string | undefined => rotationAsked({ [ROTATE_KEY]: value, other: 'x' });

  test('asks by each value, of whatever length, for one', () => {
    const values = ['1', '2', ' 1', '2026-11-24', 'x'.repeat(262_144)];
    const known = values.map(asked);
    expect(new Set(known).size).toBe(values.length);
    for (const one of known) expect(one).toMatch(/^[\w-]{43}$/);
    expect(values.map(asked)).toEqual(known);
  });

  test('without a value asks for nothing', () => {
    expect([rotationAsked(undefined), rotationAsked({}), rotationAsked({ other: 'x' }), asked('')]).toEqual(
      Array(4).fill(undefined),
    );
  });
});
