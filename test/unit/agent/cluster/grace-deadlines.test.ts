import { describe, expect, test } from '@jest/globals';
import { GraceDeadlines, LONGEST_GRACE_MS } from '../../../../src/agent/source/cluster/grace-deadlines.ts';
import { vmNetworkSpecSchema } from '../../../../src/api/v1alpha1/vm-network-spec.ts';
import { portSchema } from '../../../../src/api/v1alpha1/port.ts';
import { consumerEndpointSchema } from '../../../../src/api/v1alpha1/consumer-endpoint.ts';

const NOON = Date.parse('2026-01-31T12:00:00Z');
const { address, port } = consumerEndpointSchema.parse({ address: '198.51.100.7', port: 1 });
const before = { address, port, until: '2026-01-31T12:00:30Z' };
const seconds = (count: number): bigint => BigInt(count) * 1_000_000_000n;
const at = (second: number, wallMs: number, seenMs = 0) => ({
  nowNs: seconds(second),
  nowMs: wallMs,
  seenMs,
});

describe('the end of a grace', () => {
  test('is converted once: a wall clock that steps moves it nowhere', () => {
    const deadlines = new GraceDeadlines();
    expect(deadlines.of('u', before, at(100, NOON))).toBe(seconds(130));
    for (const step of [-3_600_000, 3_600_000]) {
      expect(deadlines.of('u', before, at(110, NOON + step))).toBe(seconds(130));
    }
  });

  test('is another one for another endpoint, another time, another attachment', () => {
    const deadlines = new GraceDeadlines();
    deadlines.of('u', before, at(100, NOON));
    expect(deadlines.of('u', { ...before, until: '2026-01-31T12:00:40Z' }, at(100, NOON))).toBe(seconds(140));
    expect(deadlines.of('u', { ...before, port: portSchema.parse(2) }, at(110, NOON))).toBe(seconds(140));
    expect(deadlines.of('v', before, at(120, NOON))).toBe(seconds(150));
  });

  test.each([
    ['that is over', '2026-01-31T11:59:59Z', 0],
    ['of no time at all', 'soon', 0],
    ['by a clock that is a day behind', '2026-02-01T12:00:00Z', LONGEST_GRACE_MS / 1000],
  ])('%s', (_what, until, left) => {
    expect(new GraceDeadlines().of('u', { ...before, until }, at(100, NOON))).toBe(seconds(100 + left));
  });

  test('a wall clock that is behind what it was seen to be is taken for what it was', () => {
    expect(new GraceDeadlines().of('u', before, at(100, 0, NOON + 20_000))).toBe(seconds(110));
  });

  test('is forgotten with its attachment', () => {
    const deadlines = new GraceDeadlines();
    deadlines.of('u', before, at(100, NOON));
    deadlines.keepOnly(new Set());
    expect(deadlines.of('u', before, at(100, NOON + 10_000))).toBe(seconds(120));
  });

  test('the longest is the longest that the API takes', () => {
    const grace = (endpointGraceSeconds: number): boolean =>
      vmNetworkSpecSchema.safeParse({
        selector: { names: ['vm'] },
        consumerEndpoint: { address: '203.0.113.10', port: 1 },
        endpointGraceSeconds,
      }).success;
    expect([grace(LONGEST_GRACE_MS / 1000), grace(LONGEST_GRACE_MS / 1000 + 1)]).toEqual([true, false]);
  });
});
