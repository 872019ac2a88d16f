import { describe, expect, test } from '@jest/globals';
import type { AttachmentReport } from '../../../../src/agent/status/cluster/attachment-report.ts';
import { changeBetween, completeStatus } from '../../../../src/agent/status/cluster/attachment-write.ts';

const NOW = new Date('2026-01-31T12:00:00Z');
const QUIET = { counters: { allowed: 1, dropped: 0 }, lastViolations: [] };

const report = (lastHandshake?: string): AttachmentReport => ({
  observedGeneration: 1,
  conditions: [{ type: 'TunnelEstablished', status: 'True', reason: 'HandshakeSeen', message: '' }],
  ...(lastHandshake === undefined ? {} : { tunnel: { lastHandshake } }),
});

describe('the last handshake in a status', () => {
  const written = completeStatus(report('2026-01-31T11:59:58Z'), QUIET, undefined, NOW);

  test.each([
    ['the same, measured a second apart', '2026-01-31T11:59:59Z', 'none'],
    ['and in the other direction', '2026-01-31T11:59:56Z', 'none'],
    ['a new one', '2026-01-31T12:00:03Z', 'coarse'],
  ])('%s', (_, seenAt, change) => {
    const next = completeStatus(report(seenAt), QUIET, written, NOW);
    expect(changeBetween(written, next)).toBe(change);
    const told = change === 'none' ? '2026-01-31T11:59:58Z' : seenAt;
    expect(next.tunnel).toEqual({ lastHandshake: told });
  });

  test('gone, as with another endpoint: that is no reason to write at once either', () => {
    const next = completeStatus(report(), QUIET, written, NOW);
    expect([next.tunnel, changeBetween(written, next)]).toEqual([undefined, 'coarse']);
  });
});
