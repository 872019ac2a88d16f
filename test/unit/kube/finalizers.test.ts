import { expect, test } from '@jest/globals';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { addFinalizer, hasFinalizer, isDeleting, removeFinalizer } from '../../../src/kube/finalizers.ts';
import type { KubeObject, ResourceType } from '../../../src/kube/resource.ts';

const TYPE: ResourceType = { group: 'g', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
const OURS = 'vmnetwork.io/closed';

function thing(finalizers?: string[]): KubeObject {
  const metadata = { namespace: 'ns', name: 'n', uid: 'u', resourceVersion: '5' };
  return { apiVersion: 'g/v1', kind: 'Thing', metadata: finalizers ? { ...metadata, finalizers } : metadata };
}

/** Writes down patches; fails when given an error. */
function client(error?: Error) {
  const patches: object[] = [];
  const patch = async <T>(_type: unknown, ref: object, body: object, options?: object) => {
    patches.push({ ref, body, options });
    if (error !== undefined) throw error;
    return body as T;
  };
  return { patches, client: { patch } as unknown as KubeClient };
}

test('a finalizer is added to those that are there, on the version that was read', async () => {
  const { client: api, patches } = client();
  await addFinalizer(api, TYPE, thing(['other']), OURS, { fieldManager: 'me' });
  expect(patches).toEqual([
    {
      ref: { namespace: 'ns', name: 'n' },
      body: { metadata: { uid: 'u', resourceVersion: '5', finalizers: ['other', OURS] } },
      options: { type: 'merge', fieldManager: 'me' },
    },
  ]);
});

test('only ours is removed', async () => {
  const { client: api, patches } = client();
  await removeFinalizer(api, TYPE, thing(['a', OURS, 'b']), OURS);
  expect(patches).toMatchObject([{ body: { metadata: { finalizers: ['a', 'b'] } } }]);
});

test('nothing is written when nothing changes', async () => {
  const { client: api, patches } = client();
  expect(await addFinalizer(api, TYPE, thing([OURS]), OURS)).toEqual(thing([OURS]));
  expect(await removeFinalizer(api, TYPE, thing(), OURS)).toEqual(thing());
  expect(patches).toEqual([]);
});

test('an object that is gone needs no removal; a newer one is the matter of the caller', async () => {
  const gone = new ApiError('gone', { status: 404, reason: 'NotFound' });
  expect(await removeFinalizer(client(gone).client, TYPE, thing([OURS]), OURS)).toBeNull();
  await expect(addFinalizer(client(gone).client, TYPE, thing(), OURS)).rejects.toBe(gone);
  const newer = new ApiError('newer', { status: 409, reason: 'Conflict' });
  await expect(removeFinalizer(client(newer).client, TYPE, thing([OURS]), OURS)).rejects.toBe(newer);
});

test('what is being deleted, and by whom it is held', () => {
  const object = thing([OURS]);
  expect([isDeleting(object), hasFinalizer(object, OURS), hasFinalizer(thing(), OURS)]).toEqual([
    false,
    true,
    false,
  ]);
  object.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  expect(isDeleting(object)).toBe(true);
});
