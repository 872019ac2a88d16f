import { describe, expect, test } from '@jest/globals';
import { judge, type Direction } from '../../src/native/verdict.ts';
import { CAST, fromGuest, toGuest } from '../support/frames/cast.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { symbolOf } from '../support/frames/reasons.ts';
import { wireGuardShape } from '../support/frames/wireguard.ts';

const DEADLINE = 5_000_000_000_000n;
const { address, port } = CAST.previous;
const fromOld = fromGuest(CAST, { ip: { destination: address }, udp: { destinationPort: port } });
const toOld = toGuest(CAST, { ip: { source: address }, udp: { sourcePort: port } });

describe.each([
  ['from-vm', fromOld, fromGuest(CAST)],
  ['to-vm', toOld, toGuest(CAST)],
] as [Direction, Uint8Array, Uint8Array][])(
  'grace of the previous endpoint, %s',
  (direction, old, current) => {
    const policy = policyBytes({ ...CAST, previous: { ...CAST.previous, untilNs: DEADLINE } });
    const at = (nowNs: bigint, frame = old, bytes = policy): string =>
      symbolOf(judge(direction, bytes, frame, { nowNs }));

    test.each([
      [0n, 'ALLOWED_PREVIOUS'],
      [DEADLINE - 1n, 'ALLOWED_PREVIOUS'],
      [DEADLINE, 'PREVIOUS_EXPIRED'],
      [DEADLINE + 1n, 'PREVIOUS_EXPIRED'],
      [2n ** 63n, 'PREVIOUS_EXPIRED'],
      [2n ** 64n - 1n, 'PREVIOUS_EXPIRED'],
    ])('at %i ns: %s', (now, expected) => {
      expect(at(now)).toBe(expected);
      expect(at(now, current)).toBe('ALLOWED');
    });

    test('a deadline of 0 has always passed', () => {
      const over = policyBytes({ ...CAST, previous: { ...CAST.previous, untilNs: 0n } });
      expect(at(0n, old, over)).toBe('PREVIOUS_EXPIRED');
    });

    test('an endpoint that is also the previous one stays allowed after the deadline', () => {
      const same = policyBytes({
        ...CAST,
        endpoint: CAST.previous,
        previous: { ...CAST.previous, untilNs: 1n },
      });
      expect(at(2n, old, same)).toBe('ALLOWED');
    });

    test('the previous endpoint is held to the strict shape as well', () => {
      const strict = policyBytes({
        ...CAST,
        strict: true,
        previous: { ...CAST.previous, untilNs: DEADLINE },
      });
      const payload = wireGuardShape(4, 33);
      const frame =
        direction === 'from-vm'
          ? fromGuest(CAST, { ip: { destination: address }, udp: { destinationPort: port, payload } })
          : toGuest(CAST, { ip: { source: address }, udp: { sourcePort: port, payload } });
      expect(at(1n, old, strict)).toBe('ALLOWED_PREVIOUS');
      expect(at(1n, frame, strict)).toBe('NOT_WIREGUARD');
    });

    test('quarantine ends grace', () => {
      const closed = policyBytes({
        ...CAST,
        quarantined: true,
        previous: { ...CAST.previous, untilNs: DEADLINE },
      });
      expect(at(1n, old, closed)).toBe('QUARANTINED');
    });
  },
);
