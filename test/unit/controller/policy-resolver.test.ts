import { expect, test } from '@jest/globals';
import { vmNetworkClassSpecSchema } from '../../../src/api/v1alpha1/vm-network-class-spec.ts';
import { vmNetworkSpecSchema } from '../../../src/api/v1alpha1/vm-network-spec.ts';
import type { Attachment } from '../../../src/controller/kinds.ts';
import { policyHash } from '../../../src/controller/vmnetwork/plan/policy-hash.ts';
import { PolicyResolver } from '../../../src/controller/vmnetwork/policy-resolver.ts';
import { network, networkClass, NOW_MS } from './support/objects.ts';

const resolver = new PolicyResolver({
  network: 'one',
  spec: vmNetworkSpecSchema.parse(network('one').spec),
  classSpec: vmNetworkClassSpecSchema.parse(networkClass().spec),
  clusterRanges: [],
  nowMs: NOW_MS,
});
const policy = resolver.resolve(undefined, true);

/** An attachment with that policy, and the hash that the policy of today has. */
function stored(changed: object): Attachment {
  const spec = { policy: { ...policy, ...changed }, hash: policyHash(policy, undefined) };
  return { spec } as unknown as Attachment;
}

test('a policy is current as it was written, asked once or twice', () => {
  const attachment = stored({});
  expect([resolver.isCurrent(attachment, true), resolver.isCurrent(attachment, true)]).toEqual([true, true]);
});

test('one that an older schema stored without a default of today is current too', () => {
  expect(resolver.isCurrent(stored({ gatewayMac: undefined }), true)).toBe(true);
});

test('one that differs is not, whatever its hash says, and one that breaks the schema neither', () => {
  expect(resolver.isCurrent(stored({ mode: 'Conntrack' }), true)).toBe(false);
  expect(resolver.isCurrent(stored({ mode: 'Nonsense' }), true)).toBe(false);
  expect(resolver.isCurrent(stored({}), false)).toBe(false);
});
