import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { NetworkIndex } from '../../../src/controller/vmnetwork/network-index.ts';
import { settle } from '../../support/fake-clock.ts';
import { network, vm } from './support/objects.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('what places a network is kept, and no version of it', async () => {
  const index = new NetworkIndex();
  const set = (): WeakRef<object> => {
    const object = network('one');
    index.set(object, 'Namespace');
    return new WeakRef(object);
  };
  const version = set();
  // A WeakRef holds what it was made of until its turn ends.
  await settle();
  collect();
  expect(version.deref()).toBeUndefined();
  expect(index.of(vm('vm1', { namespace: 't' })).flat()).toMatchObject([{ key: 't/one' }]);
  index.delete('t/one');
  expect(index.of(vm('vm1', { namespace: 't' }))).toEqual([]);
});

test('the oldest that passes is found by its key', () => {
  const index = new NetworkIndex();
  const made = (day: number) => ({ creationTimestamp: `2026-01-0${day}T00:00:00Z` });
  for (const [name, day] of [
    ['young', 3],
    ['old', 1],
    ['middle', 2],
  ] as const)
    index.set(network(name, {}, made(day)), 'Any');
  expect(index.oldest(vm('vm1'), () => true)).toBe('t/old');
  expect(index.oldest(vm('vm1'), (key) => key !== 't/old')).toBe('t/middle');
  expect(index.oldest(vm('vm2'), () => true)).toBeNull();
});
