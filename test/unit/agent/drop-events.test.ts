import { describe, expect, test } from '@jest/globals';
import { DropEventFeed, toDropEvent } from '../../../src/agent/status/drop-events.ts';
import type { AgentStatus, AttachmentStatus } from '../../../src/agent/status/status.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
const MACS = '02766d6e0001 02760d94763c';

describe('drop events', () => {
  const event = {
    timeNs: 5_000_000_000n,
    generation: 1n,
    ifindex: 7,
    frameBytes: 98,
    direction: 'from-vm' as const,
    reason: 29,
    kind: 'drop' as const,
    audited: false,
    head: hex(`${MACS} 86dd 00`),
  };
  const clock = new FakeClock({ nowMs: Date.parse('2026-01-31T12:00:10Z'), monotonicMs: 7000 });

  test('are told with the VM, its network, the reason and the wall-clock time', () => {
    const attachment = { vm: 'vm-a', network: 't/one', ifindex: 7 } as AttachmentStatus;
    const status = { attachments: [attachment] } as unknown as AgentStatus;
    expect(toDropEvent(event, status, clock)).toEqual({
      time: '2026-01-31T12:00:08.000Z',
      vm: 'vm-a',
      network: 't/one',
      direction: 'from-vm',
      reason: 'Ipv6',
      summary: expect.stringContaining('IPv6'),
      frameBytes: 98,
      kind: 'drop',
      audited: false,
    });
    expect(toDropEvent({ ...event, ifindex: 8 }, status, clock)).toMatchObject({ vm: '', network: null });
    expect(toDropEvent(event, null, clock)).toMatchObject({ vm: '' });
  });

  test('reach who listens, and nobody after', () => {
    const feed = new DropEventFeed();
    const seen: unknown[] = [];
    const end = feed.subscribe((item) => seen.push(item));
    const one = toDropEvent(event, null, clock);
    feed.publish(one);
    end();
    end();
    feed.publish(one);
    expect(seen).toEqual([one]);
  });
});
