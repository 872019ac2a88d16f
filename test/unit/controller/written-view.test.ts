import { describe, expect, test } from '@jest/globals';
import { WrittenView } from '../../../src/controller/vmnetwork/written-view.ts';
import type { KubeObject } from '../../../src/kube/resource.ts';
import { IndexedStore } from '../../../src/kube/store/store.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function version(resourceVersion: string, uid = 'u'): KubeObject {
  return { apiVersion: 'v1', kind: 'Thing', metadata: { namespace: 'a', name: 'x', uid, resourceVersion } };
}

function trial(cached = version('5')) {
  const cache = new IndexedStore<KubeObject>();
  cache.set(cached);
  const clock = new FakeClock();
  const view = new WrittenView(cache, clock);
  return { cache, clock, view, seen: () => view.get('a/x')?.metadata.resourceVersion };
}

describe('what this process wrote', () => {
  test('is shown until the cache has it or something newer', () => {
    const { cache, view, seen } = trial();
    view.written(version('7'));
    expect(seen()).toBe('7');
    cache.set(version('6'));
    expect(view.isOwn(version('6'))).toBe(false);
    expect(seen()).toBe('7');
    cache.set(version('8'));
    expect(seen()).toBe('8');
  });

  test('is known when the cache shows it, and not kept any longer', () => {
    const { cache, view, seen } = trial();
    view.written(version('7'));
    cache.set(version('7'));
    expect(view.isOwn(version('7'))).toBe(true);
    // An API server that was restored: nothing is left to show against it.
    cache.set(version('5'));
    expect(seen()).toBe('5');
  });

  test('is not kept when the cache was quicker than the answer', () => {
    const { cache, view, seen } = trial(version('7'));
    view.written(version('7'));
    cache.set(version('5'));
    expect(seen()).toBe('5');
  });

  test('counts for nothing after a minute, a conflict, or in the place of another object', () => {
    const { cache, clock, view, seen } = trial();
    view.written(version('7'));
    clock.stall(61_000);
    expect(seen()).toBe('5');
    view.written(version('7'));
    view.forget('a/x');
    expect(seen()).toBe('5');
    view.written(version('7'));
    cache.set(version('6', 'another'));
    expect(seen()).toBe('6');
  });
});
