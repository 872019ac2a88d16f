import { describe, expect, test } from '@jest/globals';
import { judge, type Direction } from '../../src/native/verdict.ts';
import { CAST, fromGuest, policyOf, toGuest } from '../support/frames/cast.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { wireGuardShape } from '../support/frames/wireguard.ts';

const strict = policyOf('strict', CAST, 0n);

function shape(direction: Direction, payload: Uint8Array): string {
  const frame =
    direction === 'from-vm' ? fromGuest(CAST, { udp: { payload } }) : toGuest(CAST, { udp: { payload } });
  return symbolOf(judge(direction, strict, frame, { nowNs: 0n }));
}

/**
 * Donenfeld, "WireGuard" (NDSS 2017), section 5.4: fixed lengths but for transport, whose content is padded to 16 bytes
 * where the MTU of the tunnel, 576 at least, leaves room for it.
 */
function fits(type: number, bytes: number): boolean {
  if (type === 1) return bytes === 148;
  if (type === 2) return bytes === 92;
  if (type === 3) return bytes === 64;
  return type === 4 && bytes >= 32 && (bytes % 16 === 0 || bytes >= 32 + 576);
}

describe.each(['from-vm', 'to-vm'] as Direction[])('strict WireGuard shape, %s', (direction) => {
  test.each([0, 1, 2, 3, 4, 5, 6, 8, 16, 127, 128, 129, 132, 254, 255])('type %i at every length', (type) => {
    const wrong: string[] = [];
    for (let bytes = 0; bytes <= 1472; bytes += 1) {
      const expected = fits(type, bytes) ? 'ALLOWED' : 'NOT_WIREGUARD';
      const symbol = shape(direction, wireGuardShape(type, bytes));
      if (symbol !== expected) wrong.push(`${String(bytes)} bytes: ${symbol}`);
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    [1, 148],
    [2, 92],
    [3, 64],
    [4, 32],
    [4, 1456],
  ])('type %i of %i bytes with a reserved byte set', (type, bytes) => {
    expect(shape(direction, wireGuardShape(type, bytes))).toBe('ALLOWED');
    for (const place of [0, 1, 2]) {
      for (const value of [1, 0x80, 0xff]) {
        const reserved = [0, 0, 0].with(place, value);
        expect(shape(direction, wireGuardShape(type, bytes, reserved))).toBe('NOT_WIREGUARD');
      }
    }
  });

  test('without strict any payload passes', () => {
    const payload = wireGuardShape(9, 31);
    const frame =
      direction === 'from-vm' ? fromGuest(CAST, { udp: { payload } }) : toGuest(CAST, { udp: { payload } });
    expect(symbolOf(judge(direction, policyOf('plain', CAST, 0n), frame, { nowNs: 0n }))).toBe('ALLOWED');
  });
});
