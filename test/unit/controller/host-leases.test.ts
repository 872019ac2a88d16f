import { describe, expect, test } from '@jest/globals';
import type { Lease } from '../../../src/controller/kinds.ts';
import { HostLeases, hostOf, leaseName } from '../../../src/controller/vmnetwork/host-leases.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

/** A server with Leases, and what is told of the hosts. */
class Scene {
  readonly clock = new FakeClock();
  readonly told: string[] = [];
  readonly server = new Map<string, Lease>();
  asked = 0;
  away = false;
  readonly leases = new HostLeases({
    clock: this.clock,
    ask: async (node) => {
      this.asked += 1;
      if (this.away) throw new Error('no connection');
      return this.server.get(node) ?? null;
    },
    onChange: (node, health) => this.told.push(`${node} ${health}`),
  });

  renew(node: string, options: { heard?: boolean; agoMs?: number } = {}): void {
    const renewTime = new Date(this.clock.nowMs() - (options.agoMs ?? 0)).toISOString();
    const metadata = { name: leaseName(node), namespace: 'vmnetwork-system' };
    const lease = { apiVersion: '', kind: 'Lease', metadata, spec: { renewTime, leaseDurationSeconds: 40 } };
    this.server.set(node, lease);
    if (options.heard !== false) this.leases.observe(lease);
  }
}

describe('the Leases of hosts', () => {
  test('one that is renewed in time is fresh, told once, and never asked for', async () => {
    const scene = new Scene();
    for (let beat = 0; beat < 100; beat += 1) {
      scene.renew('n1');
      await scene.clock.advance(10_000);
    }
    expect(scene.told).toEqual(['n1 fresh']);
    expect(scene.asked).toBe(0);
    expect(scene.clock.pending).toBe(1);
  });

  test('one that is not renewed is in doubt, then stale, after two questions', async () => {
    const scene = new Scene();
    scene.renew('n1');
    await scene.clock.advance(39_999);
    expect(scene.leases.healthOf('n1')).toBe('fresh');
    await scene.clock.advance(2);
    expect(scene.leases.healthOf('n1')).toBe('doubt');
    await scene.clock.advance(15_001);
    expect(scene.leases.healthOf('n1')).toBe('stale');
    expect(scene.told).toEqual(['n1 fresh', 'n1 stale']);
    expect(scene.asked).toBe(2);
    await scene.clock.advance(3_600_000);
    expect(scene.asked).toBe(2);
    scene.renew('n1');
    expect(scene.told.at(-1)).toBe('n1 fresh');
  });

  test('while the server is away nobody becomes stale; when it is back the hosts have time to renew', async () => {
    const scene = new Scene();
    for (const node of ['n1', 'n2', 'n3']) scene.renew(node);
    scene.away = true;
    await scene.clock.advance(600_000);
    expect(scene.leases.healthOf('n1')).toBe('doubt');
    scene.away = false;
    await scene.clock.advance(10_001);
    scene.renew('n1');
    scene.renew('n2');
    await scene.clock.advance(20_000);
    expect(scene.told.filter((word) => word.endsWith('stale'))).toEqual(['n3 stale']);
  });

  test('a renewal that the watch lost is found by asking', async () => {
    const scene = new Scene();
    scene.renew('n1');
    await scene.clock.advance(30_000);
    scene.renew('n1', { heard: false });
    await scene.clock.advance(20_000);
    expect(scene.leases.healthOf('n1')).toBe('fresh');
    expect(scene.told).toEqual(['n1 fresh', 'n1 fresh']);
  });

  test.each([
    ['late when we came: in doubt first', 3_600_000, 'doubt'],
    ['renewed a moment ago', 5_000, 'fresh'],
    ['from the future, by a clock that is fast', -3_600_000, 'fresh'],
  ])('one that is %s', async (_, agoMs, health) => {
    const scene = new Scene();
    scene.renew('n1', { agoMs });
    expect(scene.leases.healthOf('n1')).toBe(health);
    await scene.clock.advance(60_000);
    expect(scene.leases.healthOf('n1')).toBe('stale');
  });

  test('a host whose clock is an hour slow is fresh from its first renewal that we see', () => {
    const scene = new Scene();
    scene.renew('n1', { agoMs: 3_600_000 });
    scene.clock.stall(10_000);
    scene.renew('n1', { agoMs: 3_600_000 });
    expect(scene.leases.healthOf('n1')).toBe('fresh');
  });

  test('a step of our wall clock changes nothing', async () => {
    const scene = new Scene();
    scene.renew('n1');
    scene.clock.stepWall(86_400_000);
    await scene.clock.advance(30_000);
    expect(scene.leases.healthOf('n1')).toBe('fresh');
  });

  test('no Lease, a deleted one, one without a time, and the leader’s', async () => {
    const scene = new Scene();
    expect(scene.leases.healthOf('n1')).toBe('stale');
    scene.renew('n1');
    scene.leases.removed(scene.server.get('n1') as Lease);
    expect(scene.told).toEqual(['n1 fresh', 'n1 stale']);
    scene.leases.observe({ apiVersion: '', kind: 'Lease', metadata: { name: 'node.n2' } });
    expect(scene.leases.healthOf('n2')).toBe('doubt');
    expect(hostOf({ apiVersion: '', kind: 'Lease', metadata: { name: 'vmnetwork-controller' } })).toBeNull();
    scene.leases.close();
    await settle();
    expect(scene.clock.pending).toBe(0);
  });
});
