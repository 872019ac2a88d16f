import { expect, test } from '@jest/globals';
import { vmNetworkClassSpecSchema } from '../../../src/api/v1alpha1/vm-network-class-spec.ts';
import { vmNetworkSpecSchema } from '../../../src/api/v1alpha1/vm-network-spec.ts';
import type { Attachment } from '../../../src/controller/kinds.ts';
import { policyHash } from '../../../src/controller/vmnetwork/plan/policy-hash.ts';
import { PolicyResolver } from '../../../src/controller/vmnetwork/policy-resolver.ts';
import { network, networkClass, NOW_MS } from './support/objects.ts';

const resolverOf = (spec: object) =>
  new PolicyResolver({
    network: 'one',
    spec: vmNetworkSpecSchema.parse({ ...network('one').spec, ...spec }),
    classSpec: vmNetworkClassSpecSchema.parse(networkClass().spec),
    clusterRanges: [],
    nowMs: NOW_MS,
  });
const resolver = resolverOf({});
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

test('one with a sealed key is, if its hash is that of both', () => {
  const sealed = { recipient: 'r', secretUid: 'u', secretResourceVersion: '1', ciphertext: 'c' };
  const of = (hash: string) =>
    ({ spec: { policy, sealedPresharedKey: sealed, hash } }) as unknown as Attachment;
  expect(resolver.isCurrent(of(policyHash(policy, sealed as never)), true)).toBe(true);
  expect(resolver.isCurrent(of(policyHash(policy, undefined)), true)).toBe(false);
});

test('what stood before is told apart by all that decides', () => {
  const graceful = resolverOf({ endpointGraceSeconds: 60 });
  const before = (port: number, until?: string) => ({
    ...policy,
    consumerEndpoint: { ...policy.consumerEndpoint, port },
    ...(until === undefined ? {} : { previousEndpoint: { address: '203.0.113.11', port: 1, until } }),
  });
  const later = new Date(NOW_MS + 20_000).toISOString();
  const ports = [51000, 51001].map(
    (port) => graceful.resolve(before(port) as never, true).previousEndpoint?.port,
  );
  const untils = [later, new Date(NOW_MS + 10_000).toISOString()].map(
    (until) => graceful.resolve(before(51900, until) as never, true).previousEndpoint?.until,
  );
  expect(ports).toEqual([51000, 51001]);
  expect(untils).toEqual([later, new Date(NOW_MS + 10_000).toISOString()]);
});

test('one that differs is not, whatever its hash says, and one that breaks the schema neither', () => {
  expect(resolver.isCurrent(stored({ mode: 'Conntrack' }), true)).toBe(false);
  expect(resolver.isCurrent(stored({ mode: 'Nonsense' }), true)).toBe(false);
  expect(resolver.isCurrent(stored({}), false)).toBe(false);
});
