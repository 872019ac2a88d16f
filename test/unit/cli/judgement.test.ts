import { describe, expect, test } from '@jest/globals';
import { directionOf, type Judge, judgeFrame, JUDGED_BYTES } from '../../../src/cli/explain/judgement.ts';
import { arp, ethernet, GATEWAY_MAC, GUEST_MAC, handshake } from './frame-builder.ts';

const sides = { guestMac: GUEST_MAC, gatewayMac: GATEWAY_MAC };
const reasons = {
  name: (reason: number) => (reason === 0 ? 'Allowed' : 'SourceMac'),
  rule: (reason: number) => `rule ${reason}`,
  isDrop: (reason: number) => reason >= 16,
};
const POLICY = new Uint8Array(128);

test('the side of the tap follows from the MACs; a stranger is taken for the VM', () => {
  const other = '02:00:00:00:00:09';
  expect(directionOf(handshake(), sides)).toBe('from-vm');
  expect(directionOf(arp(), sides)).toBe('from-vm');
  expect(directionOf(ethernet([], { source: GATEWAY_MAC, destination: GUEST_MAC }), sides)).toBe('to-vm');
  expect(directionOf(ethernet([], { source: GATEWAY_MAC, destination: other }), sides)).toBe('to-vm');
  expect(directionOf(ethernet([], { source: other, destination: GUEST_MAC }), sides)).toBe('to-vm');
  expect(directionOf(ethernet([], { source: other, destination: other }), sides)).toBe('from-vm');
  expect(directionOf(ethernet([], { source: GUEST_MAC, destination: GUEST_MAC }), sides)).toBe('from-vm');
  expect(directionOf(Uint8Array.of(1), sides)).toBe('from-vm');
});

describe('judgeFrame', () => {
  const captured = (bytes: Uint8Array, frameBytes = bytes.length) => ({
    number: 1,
    timeNs: null,
    bytes,
    frameBytes,
  });

  test.each([
    [0, 'allow', 'Allowed'],
    [20, 'drop', 'SourceMac'],
  ])('reason %i is %s', (reason, verdict, name) => {
    const judge: Judge = (direction, policy, frame) => {
      expect([direction, policy, frame]).toEqual(['from-vm', POLICY, handshake()]);
      return reason;
    };
    expect(judgeFrame(captured(handshake()), 'from-vm', POLICY, judge, reasons)).toMatchObject({
      verdict,
      reason: name,
      rule: `rule ${reason}`,
      sourceMac: GUEST_MAC,
      destinationMac: GATEWAY_MAC,
    });
  });

  test('a capture that holds all the filter reads is judged at its full length', () => {
    const whole = handshake();
    const lengths: number[] = [];
    const judge: Judge = (_, __, frame) => lengths.push(frame.length) * 0;
    const judged = judgeFrame(
      captured(whole.subarray(0, JUDGED_BYTES), whole.length),
      'from-vm',
      POLICY,
      judge,
      reasons,
    );
    expect(judged).toMatchObject({ verdict: 'allow', capturedBytes: JUDGED_BYTES, frameBytes: whole.length });
    expect(lengths).toEqual([whole.length]);
  });

  test('with one byte less nothing is claimed', () => {
    const judge: Judge = () => {
      throw new Error('must not be asked');
    };
    const head = captured(handshake().subarray(0, JUDGED_BYTES - 1), handshake().length);
    expect(judgeFrame(head, 'from-vm', POLICY, judge, reasons)).toMatchObject({
      verdict: 'unknown',
      reason: 'CaptureTruncated',
      rule: 'only 45 of 190 bytes were captured, 46 are needed',
    });
  });
});
