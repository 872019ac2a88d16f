import { describe, expect, test } from '@jest/globals';
import {
  type ExplainedPolicy,
  explainedPolicy,
  policyFor,
} from '../../../../src/cli/explain/policy/explained-policy.ts';
import type { PolicyOptions } from '../../../../src/cli/explain/policy/policy-options.ts';
import { ManifestError } from '../../../../src/cli/manifest/manifest-error.ts';
import { vmNetworkAttachmentSchema } from '../../../../src/api/v1alpha1/vm-network-attachment.ts';
import { encodePolicy } from '../../../../src/native/policy-abi.ts';
import { manifest } from '../manifest-text.ts';
import type { HostKnowledge } from '../../../../src/cli/explain/policy/guest.ts';
import { scratch } from '../scratch.ts';

const files = scratch();
const host: HostKnowledge = { recordedAddress: () => null, likelyAddress: () => '100.64.9.9' };
const SECRET = new Uint8Array(16);

const explained = (text: string, options: Partial<PolicyOptions> = {}, knowledge = host): ExplainedPolicy =>
  explainedPolicy({ policy: files.write('policy.yaml', text), ...options }, knowledge);
const policy = (text: string, options: Partial<PolicyOptions> = {}, startNs = 0n) =>
  policyFor(explained(text, options), { secret: SECRET, startNs, limits: true });

const attachment = (spec = '', name = 'rental-7f3a'): string => `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetworkAttachment
metadata:
  name: ${name}-0
  namespace: tenant-a
  uid: 6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11
  resourceVersion: "17"
  ownerReferences: [{apiVersion: vmnetwork.io/v1alpha1, kind: VMNetwork, name: rental, uid: 0b2f5c8e-8c40-4c11-9a5e-3a4f6b7d1c22, controller: true}]
spec:
  nodeName: node-3
  vm: {name: ${name}, uuid: 6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c12}
  interface: {mac: "02:76:1f:00:a2:4c"}
  policyGeneration: 7
  policy:
    consumerEndpoint: {address: 203.0.113.10, port: 51900}
    guestAddress: 100.64.0.5
${spec}status: {engine: tcx}
`;

describe('a VMNetworkAttachment', () => {
  test('says everything, so no option is needed', () => {
    const found = explained(attachment());
    expect(found).toMatchObject({ object: 'tenant-a/rental-7f3a-0', vm: 'rental-7f3a', denied: '' });
    expect(found.guest).toEqual({
      guestMac: '02:76:1f:00:a2:4c',
      guestAddress: '100.64.0.5',
      guestAddressFrom: 'attachment',
      gatewayMac: '02:76:6d:6e:00:01',
      gatewayAddress: '169.254.1.1',
    });
    expect(policy(attachment())).toMatchObject({
      flags: { quarantined: false, strictWireGuard: true, audit: false },
      generation: 7n,
      mode: 'Filtered',
      endpoint: { address: '203.0.113.10', port: 51900 },
      previous: null,
      samplePerMillion: 0,
      maxPacketBytes: 1500,
    });
  });

  test('everything that a policy can say', () => {
    const spec = [
      'network: rental',
      'mode: Sampled',
      'sampling: {ratePerMillion: 50000}',
      'enforcement: Audit',
      'desiredState: Quarantined',
      'strictWireGuard: false',
      'limits: {egressBitsPerSecond: 1000000, packetsPerSecond: 200}',
      'previousEndpoint: {address: 198.51.100.7, port: 51820, until: "2026-01-31T13:00:30+01:00"}',
      'gatewayAddress: 169.254.7.7',
      'gatewayMac: "02:00:00:00:00:07"',
    ];
    const found = policy(attachment(spec.map((line) => `    ${line}\n`).join('')));
    expect(found).toMatchObject({
      flags: { quarantined: true, strictWireGuard: false, audit: true },
      mode: 'Sampled',
      samplePerMillion: 50_000,
      limits: { egressBitsPerSecond: 1_000_000, packetsPerSecond: 200 },
      previous: { address: '198.51.100.7', port: 51820, untilNs: 1_769_860_830_000_000_000n },
      gatewayMac: '02:00:00:00:00:07',
      gatewayAddress: '169.254.7.7',
    });
    expect(encodePolicy(found as NonNullable<typeof found>)).toHaveLength(4232);
  });

  test('options go before what it says', () => {
    const options = { guestMac: '02-76-00-00-00-0A', guestAddress: '100.64.0.9' };
    expect(explained(attachment(), options).guest).toMatchObject({
      guestMac: '02:76:00:00:00:0a',
      guestAddress: '100.64.0.9',
      guestAddressFrom: 'option',
    });
  });

  test('without an address the host is asked', () => {
    const text = attachment().replace('    guestAddress: 100.64.0.5\n', '');
    const knows = { ...host, recordedAddress: () => '100.64.0.77' };
    expect(explained(text, {}, knows).guest.guestAddressFrom).toBe('record');
    expect(explained(text).guest).toMatchObject({ guestAddress: '100.64.9.9', guestAddressFrom: 'assumed' });
  });

  test('of several, --vm chooses; beside a VMNetwork, the attachment counts', () => {
    const both = `${manifest()}---\n${attachment()}---\n${attachment('', 'other')}`;
    expect(explained(both, { vm: 'other' }).object).toBe('tenant-a/other-0');
    expect(() => explained(both)).toThrow('several VMNetworkAttachments');
    expect(() => explained(both, { vm: 'x' })).toThrow('--vm x');
    expect(() => explained(both, { network: 'rental-7f3a' })).toThrow('names a VMNetwork');
  });

  test.each([
    ['a field too many', attachment('    mod: Filtered\n'), 'spec.policy.mod', 17],
    ['a bad value', attachment('    mode: Open\n'), 'spec.policy.mode', 17],
    ['the old name of a field', attachment().replace('policyG', 'g'), 'spec.generation', 13],
    ['a bad MAC', attachment().replace('02:76:1f:00:a2:4c', '03:76:1f:00:a2:4c'), 'spec.interface.mac', 12],
    ['a field given twice', attachment('    guestAddress: 100.64.0.6\n'), 'spec.policy.guestAddress', 17],
  ])('%s is refused, by file, line and field', (_, text, field, line) => {
    let thrown: unknown = null;
    try {
      explained(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ManifestError);
    expect((thrown as ManifestError).problems[0]).toMatchObject({ field, line });
  });

  test('one out of a cluster says which VM and network it is of, one written by hand need not', () => {
    const full = attachment('    network: rental\n').replace(
      'vm: {',
      `hash: ${'ab'.repeat(32)}\n  vm: {id: 6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c12, `,
    );
    expect(explained(full).intent).toMatchObject({ network: 'tenant-a/rental' });
    expect(explained(attachment()).intent).toMatchObject({ network: 'tenant-a/rental-7f3a-0' });
  });

  test('mode Direct is refused: what is denied stands in the class', () => {
    expect(() => explained(attachment('    mode: Direct\n'))).toThrow(
      /mode Direct: what its host denies stands in the class/,
    );
  });

  test('limits that the filter cannot count are refused', () => {
    const text = attachment('    limits: {packetsPerSecond: 1000000001}\n');
    expect(() => explained(text)).toThrow('more than the filter can count');
  });

  test('its schema says what each field is for', () => {
    expect(vmNetworkAttachmentSchema.meta()?.description).toContain('VMNetworkAttachment');
  });
});

describe('a VMNetwork', () => {
  test('the class in the same file counts: it gives the limits', () => {
    const limited =
      '---\napiVersion: vmnetwork.io/v1alpha1\nkind: VMNetworkClass\nmetadata: {name: default}\n' +
      'spec: {limits: {default: {packetsPerSecond: 500}}}\n';
    expect(policy(manifest() + limited)?.limits.packetsPerSecond).toBe(500);
  });

  test('a guest that is told by MAC and address needs no name', () => {
    const text = manifest().replace('[rental-7f3a]', '[a, b]');
    const told = { guestMac: '02:76:00:00:00:0a', guestAddress: '100.64.0.5' };
    expect(explained(text, told).intent).not.toBeNull();
    expect(() => explained(text, { guestMac: told.guestMac })).toThrow('names several VMs');
    expect(explained(text, { vm: 'b' }).vm).toBe('b');
  });

  test('the previous endpoint and its grace count from the first frame', () => {
    const text = manifest({ more: '  endpointGraceSeconds: 30\n' });
    const options = { previousEndpoint: '198.51.100.7:51820' };
    expect(policy(text, options, 5_000_000_000n)?.previous).toEqual({
      address: '198.51.100.7',
      port: 51820,
      untilNs: 35_000_000_000n,
    });
    expect(policy(text)?.previous).toBeNull();
  });

  test('limits are left out where there is no clock', () => {
    const found = explained(manifest({ more: '  limits: {packetsPerSecond: 5}\n' }));
    const terms = { secret: SECRET, startNs: 0n };
    expect(policyFor(found, { ...terms, limits: false })?.limits.packetsPerSecond).toBe(0);
    expect(policyFor(found, { ...terms, limits: true })?.limits.packetsPerSecond).toBe(5);
  });
});
