import { beforeEach, describe, expect, test } from '@jest/globals';
import { Heartbeat } from '../../../../src/agent/status/cluster/heartbeat.ts';
import { NODE_LEASE } from '../../../../src/api/v1alpha1/node-lease.ts';
import { hostOf } from '../../../../src/controller/vmnetwork/host-leases.ts';
import { LEASE } from '../../../../src/kube/leader-election/lease.ts';
import type { Lease } from '../../../../src/kube/leader-election/lease.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { FakeApi, refused } from '../support/fake-api.ts';

describe('the sign of life', () => {
  let api: FakeApi;
  let clock: FakeClock;
  let heartbeat: Heartbeat;
  let ailment: string | null;
  const key = 'system/node.node-1';
  const lease = (): Lease | undefined => api.find<Lease>(LEASE, key);

  beforeEach(() => {
    api = new FakeApi();
    clock = new FakeClock();
    ailment = null;
    heartbeat = new Heartbeat({
      client: api.client(),
      namespace: 'system',
      nodeName: 'node-1',
      ailment: () => ailment,
      clock,
      log: createLogger({ level: 'silent' }),
      random: () => 0,
    });
    void heartbeat.run(new AbortController().signal);
  });

  test('is a Lease of the name that the controller looks for, renewed every ten seconds, read once', async () => {
    await clock.advance(0);
    expect(hostOf(lease() as Parameters<typeof hostOf>[0])).toBe('node-1');
    expect(lease()?.spec).toMatchObject({
      leaseDurationSeconds: NODE_LEASE.seconds,
      renewTime: '2026-01-01T00:00:00.000000Z',
      holderIdentity: expect.stringMatching(/-\d+$/),
    });
    await clock.advance(60_000);
    expect(api.requests).toEqual([
      `get leases ${key}`,
      `create leases ${key}`,
      ...Array.from({ length: 6 }, () => `update leases ${key}`),
    ]);
    expect(lease()?.spec?.renewTime).toBe('2026-01-01T00:01:00.000000Z');
  });

  test('stops while passes stand still, and returns at once when they go on', async () => {
    await clock.advance(0);
    ailment = 'passes stand still';
    await clock.advance(300_000);
    expect(api.writes.length).toBe(1);
    ailment = null;
    heartbeat.nudge();
    await clock.advance(0);
    expect(api.writes.length).toBe(2);
  });

  test('that was not taken is tried again before the Lease is over', async () => {
    await clock.advance(0);
    api.away = true;
    await clock.advance(25_000);
    expect(heartbeat.failures).toBeGreaterThan(2);
    api.away = false;
    await clock.advance(3_000);
    expect([heartbeat.failures, lease()?.spec?.renewTime]).toEqual([0, '2026-01-01T00:00:27.500000Z']);
  });

  test('survives that somebody else wrote the Lease, or deleted it', async () => {
    await clock.advance(0);
    api.put(LEASE, { ...lease()!, spec: { holderIdentity: 'other', leaseDurationSeconds: 1 } });
    await clock.advance(13_000);
    expect(lease()?.spec).toMatchObject({ leaseDurationSeconds: NODE_LEASE.seconds });
    api.remove(LEASE, key);
    await clock.advance(13_000);
    expect(lease()?.spec).toMatchObject({ leaseDurationSeconds: NODE_LEASE.seconds });
    api.refuseNext = refused(403, 'Forbidden');
    await clock.advance(10_000);
    expect(heartbeat.failures).toBe(1);
  });
});
