import { describe, expect, test } from '@jest/globals';
import { vmNetworkClassSpecSchema } from '../../../src/api/v1alpha1/vm-network-class-spec.ts';
import { vmNetworkSpecSchema } from '../../../src/api/v1alpha1/vm-network-spec.ts';
import { networkPolicy } from '../../../src/controller/vmnetwork/plan/network-policy.ts';
import type { PolicyInput } from '../../../src/controller/vmnetwork/plan/network-policy.ts';
import { policyHash } from '../../../src/controller/vmnetwork/plan/policy-hash.ts';
import { canonicalJson } from '../../../src/controller/vmnetwork/plan/canonical-json.ts';
import { ENDPOINT, NOW_MS } from './support/objects.ts';

const OLD = { address: '198.51.100.7', port: 51820 };
const at = (ms: number) => new Date(NOW_MS + ms).toISOString();

function resolve(spec: object, classSpec: object = {}, over: Partial<PolicyInput> = {}) {
  return networkPolicy({
    network: 'rental',
    spec: vmNetworkSpecSchema.parse({ consumerEndpoint: ENDPOINT, selector: { names: ['vm1'] }, ...spec }),
    classSpec: vmNetworkClassSpecSchema.parse(classSpec),
    clusterRanges: [],
    tunnel: true,
    nowMs: NOW_MS,
    ...over,
  });
}

const before = (previousEndpoint?: object) =>
  ({ ...resolve({ consumerEndpoint: OLD }), ...(previousEndpoint && { previousEndpoint }) }) as never;

describe('a resolved policy', () => {
  test.each([
    ['mode Direct is said', { mode: 'Direct' }, { mode: 'Direct' }],
    [
      'mode Sampled has its rate and quarantines',
      { mode: 'Sampled' },
      { sampling: { ratePerMillion: 10_000 }, violation: { action: 'Quarantine' } },
    ],
    [
      'Audit acts on nothing',
      { enforcement: 'Audit', violation: { action: 'Terminate' } },
      { enforcement: 'Audit', violation: { action: 'Drop' } },
    ],
    ['the kill switch', { desiredState: 'Quarantined' }, { desiredState: 'Quarantined' }],
    ['strictness', { wireGuard: { strict: false } }, { strictWireGuard: false }],
  ])('%s', (_, spec, expected) => {
    expect(resolve(spec)).toMatchObject(expected);
  });

  test('mode Direct has no endpoint', () => {
    expect(resolve({ mode: 'Direct' })).not.toHaveProperty('consumerEndpoint');
  });

  test('limits come from the class where the network says nothing', () => {
    const limits = { default: { packetsPerSecond: 100 }, maximum: { egressBitsPerSecond: 8000 } };
    expect(resolve({}, { limits }).limits).toEqual({ packetsPerSecond: 100, egressBitsPerSecond: 8000 });
  });

  test('without its pre-shared key the guest is not told of a tunnel', () => {
    expect(resolve({}, {}, { tunnel: false }).wireGuard).toBeUndefined();
    expect(resolve({}).wireGuard).not.toHaveProperty('presharedKeySecretRef');
    expect(resolve({}).wireGuard).not.toHaveProperty('strict');
  });
});

describe('a change of endpoint', () => {
  const grace = { endpointGraceSeconds: 30 };

  test.each([
    ['keeps the old one for the grace', grace, {}, before(), { ...OLD, until: at(30_000) }],
    ['keeps nothing with grace 0', {}, {}, before(), undefined],
    [
      'keeps nothing that the class denies by network',
      grace,
      { deniedDestinations: { networks: ['198.51.100.0/24'] } },
      before(),
      undefined,
    ],
    ['keeps nothing that the class denies by port', grace, { deniedPorts: [51820] }, before(), undefined],
    ['keeps nothing for a new attachment', grace, {}, undefined, undefined],
    ['keeps nothing once it is Direct', { ...grace, mode: 'Direct' }, {}, before(), undefined],
  ])('%s', (_, spec, classSpec, from, expected) => {
    expect(resolve(spec, classSpec, { before: from }).previousEndpoint).toEqual(expected);
  });

  const within = (until: string | undefined) =>
    ({ ...resolve({}), previousEndpoint: { ...OLD, until } }) as never;

  test.each([
    ['stays until its time', grace, {}, at(10_000), { ...OLD, until: at(10_000) }],
    ['goes at its time', grace, {}, at(0), undefined],
    ['goes when the grace is taken away', {}, {}, at(10_000), undefined],
    ['goes when the class comes to deny it', grace, { deniedPorts: [51820] }, at(10_000), undefined],
    [
      'ends sooner when the grace is shortened',
      { endpointGraceSeconds: 5 },
      {},
      at(10_000),
      { ...OLD, until: at(5_000) },
    ],
    ['ends sooner when the clock was set back', grace, {}, at(3_600_000), { ...OLD, until: at(30_000) }],
    ['goes when its time cannot be read', grace, {}, 'soon', undefined],
    ['goes when it has no time', grace, {}, undefined, undefined],
  ])('the old one %s', (_, spec, classSpec, until, expected) => {
    expect(resolve(spec, classSpec, { before: within(until) }).previousEndpoint).toEqual(expected);
  });

  test('in ranges of the cluster the old one is not kept either', () => {
    const clusterRanges = ['198.51.100.0/24'] as never;
    expect(resolve(grace, {}, { before: before(), clusterRanges }).previousEndpoint).toBeUndefined();
  });

  test('back to the old one: the new one is the previous now', () => {
    const from = within(at(10_000));
    const policy = resolve({ ...grace, consumerEndpoint: OLD }, {}, { before: from });
    expect(policy).toMatchObject({
      consumerEndpoint: OLD,
      previousEndpoint: { ...ENDPOINT, until: at(30_000) },
    });
  });
});

describe('the hash of a policy', () => {
  test('is the same for the same JSON, however it is ordered', () => {
    const policy = resolve({});
    const turned = Object.fromEntries(Object.entries(policy).reverse()) as typeof policy;
    expect(policyHash(turned, undefined)).toBe(policyHash(policy, undefined));
    expect(policyHash(policy, undefined)).toMatch(/^[0-9a-f]{64}$/);
  });

  test('moves with the policy and with the sealed key', () => {
    const sealed = { recipient: 'r', secretUid: 'u', secretResourceVersion: '1', ciphertext: 'c' } as never;
    const hashes = [
      policyHash(resolve({}), undefined),
      policyHash(resolve({ desiredState: 'Quarantined' }), undefined),
      policyHash(resolve({}), sealed),
      policyHash(resolve({}), { ...(sealed as object), ciphertext: 'd' } as never),
    ];
    expect(new Set(hashes).size).toBe(4);
  });

  test.each([
    [{ b: 1, a: [{ d: undefined, c: null }] }, '{"a":[{"c":null}],"b":1}'],
    ['"\u2028', '"\\"\u2028"'],
    [[undefined, 1], '[null,1]'],
  ])('canonical JSON of %p', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });
});
