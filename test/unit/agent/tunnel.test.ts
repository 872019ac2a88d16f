import { describe, expect, test } from '@jest/globals';
import { tunnelSigns, type TunnelSigns } from '../../../src/agent/host/tunnel-signs.ts';
import { tunnelStatus } from '../../../src/agent/status/tunnel.ts';
import { decodePolicy, type Policy } from '../../../src/native/policy-abi.ts';
import { CAST, DIRECT, PINNED } from '../../support/frames/cast.ts';
import { policyBytes, type PolicyFields } from '../../support/frames/policy-bytes.ts';

const NOW = '2026-01-31T12:00:00.000Z';
const policyOf = (change: Partial<PolicyFields> = {}): Policy =>
  decodePolicy(policyBytes({ ...PINNED, ...change }));
const signs = (change: Partial<TunnelSigns> = {}): TunnelSigns => ({
  ...CAST.endpoint,
  handshakeAgoMs: null,
  unanswered: { vm: null, consumer: null },
  ...change,
});
const asking = (forMs: number, agoMs: number) => ({ vm: { forMs, agoMs }, consumer: null });

describe('whether a tunnel stands', () => {
  test.each<[string, TunnelSigns | null, string]>([
    ['a filter that does not look', null, 'Unknown Pending'],
    ['nobody asked', signs(), 'False NoHandshake'],
    ['asked for in vain', signs({ unanswered: asking(20_000, 1000) }), 'False NoHandshake'],
    ['a moment ago', signs({ handshakeAgoMs: 10 }), 'True HandshakeSeen'],
    ['its keys live', signs({ handshakeAgoMs: 179_999 }), 'True HandshakeSeen'],
    ['its keys are dead and nothing is sent', signs({ handshakeAgoMs: 180_000 }), 'Unknown Idle'],
    [
      'asked for a new one, whose answer may be on its way',
      signs({ handshakeAgoMs: 500_000, unanswered: asking(4_999, 4_999) }),
      'Unknown Idle',
    ],
    [
      'asked for a new one in vain',
      signs({ handshakeAgoMs: 500_000, unanswered: asking(5_000, 0) }),
      'False HandshakeStale',
    ],
    [
      'asked in vain, and has given up long ago',
      signs({ handshakeAgoMs: 900_000, unanswered: asking(400_000, 180_000) }),
      'Unknown Idle',
    ],
    ['with another endpoint', signs({ port: 1, handshakeAgoMs: 10 }), 'False NoHandshake'],
  ])('%s', (_, seen, expected) => {
    const { status, reason } = tunnelStatus(policyOf(), seen, NOW);
    expect(`${status} ${reason}`).toBe(expected);
  });

  test('nothing is told of what does not pass, or of a VM that has no endpoint', () => {
    const seen = signs({ handshakeAgoMs: 10 });
    const nobody = { ...DIRECT, endpoint: { address: '0.0.0.0', port: 0 } };
    expect(tunnelStatus(null, seen, NOW)).toMatchObject({ status: 'False', reason: 'Denied' });
    expect(tunnelStatus(policyOf({ quarantined: true }), seen, NOW)).toMatchObject({ reason: 'Denied' });
    expect(tunnelStatus(policyOf(nobody), seen, NOW)).toMatchObject({ reason: 'NotHostEnforced' });
  });

  test('the time of the last handshake, and who asks in vain', () => {
    const both = { vm: null, consumer: { forMs: 6_000, agoMs: 1_000 } };
    const told = tunnelStatus(policyOf(), signs({ handshakeAgoMs: 200_000, unanswered: both }), NOW);
    expect(told).toMatchObject({ lastHandshake: '2026-01-31T11:56:40.000Z' });
    expect(told.message).toContain('the VM does not answer');
  });

  test('signs are times before the moment of asking; a clock that is behind is now', () => {
    const none = { firstNs: 0n, lastNs: 0n, sender: 0 };
    const session = { timeNs: 7_000_000n, vmIndex: 1, consumerIndex: 2 };
    const seen = {
      ...{ ...CAST.endpoint, askedByVm: { firstNs: 1_000_000n, lastNs: 3_000_000n, sender: 1 } },
      ...{ askedByConsumer: none, offered: { ...session, timeNs: 0n }, session, handshakes: 1n },
      ...{ dataFromVmNs: 0n, dataToVmNs: 0n, used: null },
    };
    expect(tunnelSigns(seen, 5_000_000n)).toEqual({
      ...CAST.endpoint,
      handshakeAgoMs: 0,
      unanswered: { vm: { forMs: 4, agoMs: 2 }, consumer: null },
    });
  });
});
