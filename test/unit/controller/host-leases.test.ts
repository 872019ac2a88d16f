import { describe, expect, test } from '@jest/globals';
import type { Lease } from '../../../src/controller/kinds.ts';
import { HostLeases, hostOf, LEASE_SECONDS } from '../../../src/controller/vmnetwork/host-leases.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

interface Renewal {
  /** Whether the watch shows it. */
  readonly heard?: boolean;
  /** By how much the clock of the host is slow. */
  readonly agoMs?: number;
  readonly seconds?: number;
}

/** A server with Leases, and what is told of the hosts. */
class Scene {
  readonly clock = new FakeClock();
  readonly told: string[] = [];
  readonly server = new Map<string, Lease>();
  asked = 0;
  away = false;
  /** What an answer waits for; it tells what was there when it was asked for. */
  answering: Promise<void> = Promise.resolve();
  readonly leases = new HostLeases({
    clock: this.clock,
    list: async () => {
      this.asked += 1;
      if (this.away) throw new Error('no connection');
      const items = [...this.server.values()];
      await this.answering;
      return items;
    },
    onChange: (node, health) => this.told.push(`${node} ${health}`),
  });

  renew(node: string, { heard = true, agoMs = 0, seconds = 40 }: Renewal = {}): void {
    const renewTime = new Date(this.clock.nowMs() - agoMs).toISOString();
    const metadata = { name: `node.${node}`, namespace: 'vmnetwork-system' };
    const spec = { renewTime, leaseDurationSeconds: seconds };
    const lease = { apiVersion: '', kind: 'Lease', metadata, spec };
    this.server.set(node, lease);
    if (heard) this.leases.observe(lease);
  }

  /** Renews every ten seconds. */
  async beat(node: string, times: number): Promise<void> {
    for (let beat = 0; beat < times; beat += 1) {
      this.renew(node);
      await this.clock.advance(10_000);
    }
  }

  /** Not renewed for so long that it is stale, if it was fresh. */
  async silence(): Promise<void> {
    await this.clock.advance(60_000);
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
    // It was never anything else for whoever looked.
    expect(scene.told).toEqual(['n1 fresh']);
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

describe('how long a Lease is believed', () => {
  test.each([
    ['a second', 1, LEASE_SECONDS.least],
    ['for ever', 1e9, LEASE_SECONDS.most],
    ['within bounds', 30, 30],
  ])('is bounded: %s', async (_, seconds, believed) => {
    const scene = new Scene();
    scene.renew('n1', { seconds });
    await scene.clock.advance(believed * 1000 - 1);
    expect(scene.leases.healthOf('n1')).toBe('fresh');
    await scene.clock.advance(believed * 1000 * 0.4 + 2);
    expect(scene.leases.healthOf('n1')).toBe('stale');
  });

  test('is as agents promise where it does not say', async () => {
    const scene = new Scene();
    const renewTime = scene.clock.now().toISOString();
    scene.leases.observe({
      apiVersion: '',
      kind: 'Lease',
      metadata: { name: 'node.n1' },
      spec: { renewTime },
    });
    await scene.clock.advance(39_999);
    expect(scene.leases.healthOf('n1')).toBe('fresh');
    await scene.clock.advance(2);
    expect(scene.leases.healthOf('n1')).toBe('doubt');
  });
});

describe('a Lease whose time goes back', () => {
  test('is no renewal; what is newer than that is', async () => {
    const scene = new Scene();
    await scene.beat('n1', 1);
    await scene.silence();
    expect(scene.leases.healthOf('n1')).toBe('stale');
    await scene.clock.advance(3_600_000);
    // A restored etcd, in several steps.
    for (const agoMs of [7_200_000, 86_400_000]) scene.renew('n1', { agoMs });
    expect(scene.leases.healthOf('n1')).toBe('stale');
    // The clock of the host was set back for good.
    scene.renew('n1', { agoMs: 86_390_000 });
    expect(scene.leases.healthOf('n1')).toBe('fresh');
  });

  test('does not make a fresh host stale before its time, nor keep it fresh', async () => {
    const scene = new Scene();
    scene.renew('n1');
    await scene.clock.advance(30_000);
    scene.renew('n1', { agoMs: 3_600_000 });
    expect(scene.leases.healthOf('n1')).toBe('fresh');
    await scene.clock.advance(10_001);
    expect(scene.leases.healthOf('n1')).toBe('doubt');
    await scene.clock.advance(15_001);
    expect(scene.leases.healthOf('n1')).toBe('stale');
  });

  test('in an answer that was given before the cache showed more is not news', async () => {
    const scene = new Scene();
    scene.renew('n1');
    let answer = (): void => undefined;
    scene.answering = new Promise((resolve) => (answer = resolve));
    await scene.clock.advance(40_001);
    expect(scene.asked).toBe(1);
    scene.renew('n1');
    answer();
    await scene.clock.advance(39_000);
    expect(scene.leases.healthOf('n1')).toBe('fresh');
    await scene.clock.advance(16_002);
    // By the time that it was renewed, and not by when that was told again.
    expect(scene.leases.healthOf('n1')).toBe('stale');
  });
});

describe('doubt', () => {
  const HOSTS = Array.from({ length: 1000 }, (_, index) => `n${String(index)}`);

  /** A thousand hosts, renewed one after another within ten seconds. */
  async function thousand(): Promise<Scene> {
    const scene = new Scene();
    for (const node of HOSTS) {
      scene.renew(node);
      await scene.clock.advance(10);
    }
    return scene;
  }

  test('of all hosts after an outage is settled by few lists, and none was stale', async () => {
    const scene = await thousand();
    scene.away = true;
    await scene.clock.advance(600_000);
    // One that fails each ten seconds for all of them.
    expect(scene.asked).toBeLessThanOrEqual(60);
    for (const node of HOSTS) scene.renew(node, { heard: false });
    scene.away = false;
    scene.asked = 0;
    await scene.clock.advance(11_000);
    // One answers for all, whether it was their turn or not.
    expect(scene.asked).toBe(1);
    expect(HOSTS.every((node) => scene.leases.healthOf(node) === 'fresh')).toBe(true);
    expect(scene.told).toEqual(HOSTS.map((node) => `${node} fresh`));
  });

  test('of hosts that are late one by one, for the watch says nothing, costs a list a minute', async () => {
    const scene = await thousand();
    for (let beat = 0; beat < 60; beat += 1) {
      for (const node of HOSTS) scene.renew(node, { heard: false });
      await scene.clock.advance(10_000);
    }
    expect(scene.asked).toBeLessThan(25);
    expect(scene.told.filter((word) => word.endsWith('stale'))).toEqual([]);
  });

  test('is asked about one question at a time, and what comes meanwhile is for the next', async () => {
    const scene = new Scene();
    scene.renew('n1');
    await scene.clock.advance(5_000);
    scene.renew('n2');
    let answer = (): void => undefined;
    scene.answering = new Promise((resolve) => (answer = resolve));
    await scene.clock.advance(50_000);
    // The question about the first hangs; the second was late after it was asked.
    expect(scene.asked).toBe(1);
    expect([scene.leases.healthOf('n1'), scene.leases.healthOf('n2')]).toEqual(['doubt', 'doubt']);
    answer();
    await scene.clock.advance(999);
    expect(scene.asked).toBe(1);
    await scene.clock.advance(1);
    expect(scene.asked).toBe(2);
    await scene.clock.advance(15_002);
    expect(scene.told.filter((word) => word.endsWith('stale'))).toEqual(['n1 stale', 'n2 stale']);
  });

  test('that ended before its turn came costs no question, and no freshness', async () => {
    const scene = new Scene();
    scene.renew('n1');
    await scene.clock.advance(500);
    scene.renew('n2');
    // The first is asked for; half a second later, in the pause after that, the second is late, and then heard.
    await scene.clock.advance(40_100);
    expect(scene.asked).toBe(1);
    expect(scene.leases.healthOf('n2')).toBe('doubt');
    scene.renew('n2');
    await scene.clock.advance(39_000);
    expect(scene.leases.healthOf('n2')).toBe('fresh');
    expect(scene.asked).toBe(2);
  });

  test('that somebody saw is told of when it ends', async () => {
    const scene = new Scene();
    scene.renew('n1');
    scene.renew('n2');
    await scene.clock.advance(45_000);
    expect(scene.leases.healthOf('n1')).toBe('doubt');
    scene.renew('n1');
    scene.renew('n2');
    expect(scene.told).toEqual(['n1 fresh', 'n2 fresh', 'n1 fresh']);
  });
});

describe('a host that flaps', () => {
  test('by one renewal a minute is told to be fresh once', async () => {
    const scene = new Scene();
    for (let minute = 0; minute < 120; minute += 1) {
      scene.renew('n1');
      await scene.silence();
    }
    expect(scene.told).toEqual(['n1 fresh', 'n1 stale']);
  });

  test('is fresh again by two renewals, then after a longer time each time', async () => {
    const scene = new Scene();
    const beats: number[] = [];
    for (let flap = 0; flap < 9; flap += 1) {
      let needed = 0;
      while (scene.leases.healthOf('n1') !== 'fresh') {
        scene.renew('n1');
        needed += 1;
        if (scene.leases.healthOf('n1') !== 'fresh') await scene.clock.advance(10_000);
      }
      beats.push(needed);
      await scene.silence();
      expect(scene.leases.healthOf('n1')).toBe('stale');
    }
    expect(beats).toEqual([1, 2, 2, 3, 5, 9, 17, 31, 31]);
  });

  test('is not heard without a gap if it pauses on the way', async () => {
    const scene = new Scene();
    await scene.beat('n1', 1);
    await scene.silence();
    scene.renew('n1');
    await scene.clock.advance(41_000);
    scene.renew('n1');
    expect(scene.leases.healthOf('n1')).toBe('stale');
    await scene.clock.advance(10_000);
    scene.renew('n1');
    expect(scene.leases.healthOf('n1')).toBe('fresh');
  });

  test.each<[string, (scene: Scene) => Promise<void>]>([
    [
      'fresh',
      async (scene) => {
        await scene.beat('n1', 65);
        await scene.silence();
      },
    ],
    [
      'stale',
      async (scene) => {
        await scene.beat('n1', 2);
        await scene.silence();
        await scene.clock.advance(600_000);
      },
    ],
  ])('has a clean slate after ten minutes of being %s', async (_, calm) => {
    const scene = new Scene();
    for (let flap = 0; flap < 3; flap += 1) {
      await scene.beat('n1', 3);
      await scene.silence();
    }
    await calm(scene);
    expect(scene.leases.healthOf('n1')).toBe('stale');
    scene.renew('n1');
    expect(scene.leases.healthOf('n1')).toBe('fresh');
  });
});
