import { describe, expect, test } from '@jest/globals';
import { checkObject } from '../../../src/api/object.ts';
import { formatFieldPath } from '../../../src/api/field-path.ts';
import {
  cidrSchema,
  classObjections,
  builtInClass,
  effectiveLimits,
  vmNetworkClassSchema,
  vmNetworkSchema,
} from '../../../src/api/v1alpha1/index.ts';
import { networkWith } from '../../support/api-cases/network-cases.ts';

const classWith = (spec: unknown) => ({
  apiVersion: 'vmnetwork.io/v1alpha1',
  kind: 'VMNetworkClass',
  metadata: { name: 'c' },
  spec,
});
const specOf = (changes: Readonly<Record<string, unknown>>) =>
  vmNetworkSchema.parse(networkWith(changes)).spec;
const endpoint = (address: string, port = 51900) => ({ consumerEndpoint: { address, port } });

describe('what a class may say', () => {
  test.each([
    ['no mode at all', { allowedModes: [] }, 'spec.allowedModes'],
    ['a mode twice', { allowedModes: ['Filtered', 'Filtered'] }, 'spec.allowedModes'],
    ['an unknown mode', { allowedModes: ['Open'] }, 'spec.allowedModes[0]'],
    [
      'a network with host bits',
      { deniedDestinations: { networks: ['10.0.0.1/8'] } },
      'spec.deniedDestinations.networks[0]',
    ],
    ['port 0', { deniedPorts: [0] }, 'spec.deniedPorts[0]'],
    [
      'a default above the maximum',
      { limits: { default: { packetsPerSecond: 11 }, maximum: { packetsPerSecond: 10 } } },
      'spec.limits.default.packetsPerSecond',
    ],
    ['an unknown field', { allowDirect: true }, 'spec.allowDirect'],
  ])('%s is refused', (_, spec, field) => {
    const result = checkObject(classWith(spec));
    expect(result.ok ? [] : result.issues.map(({ path }) => formatFieldPath(path))).toEqual([field]);
  });

  test('the class that nobody declared allows no Direct, no Audit and nothing but WireGuard', () => {
    const { spec } = builtInClass();
    expect(spec.allowedModes).not.toContain('Direct');
    expect(spec).toMatchObject({
      allowAudit: false,
      allowNonStrict: false,
      maximumViolationAction: 'Terminate',
    });
    expect(spec.deniedDestinations.networks).toContain('169.254.0.0/16');
  });
});

describe('what a class objects to', () => {
  test.each([
    ['a mode', { mode: 'Direct' }, {}, 'spec.mode'],
    ['Audit', { enforcement: 'Audit' }, {}, 'spec.enforcement'],
    ['strict: false', { wireGuard: { strict: false } }, {}, 'spec.wireGuard.strict'],
    [
      'a severe action',
      { violation: { action: 'Terminate' } },
      { maximumViolationAction: 'Quarantine' },
      'spec.violation.action',
    ],
    [
      'an action by default',
      { mode: 'Sampled' },
      { maximumViolationAction: 'Drop' },
      'spec.violation.action',
    ],
    [
      'a private endpoint',
      endpoint('172.31.255.255'),
      { deniedDestinations: { privateRanges: true } },
      'spec.consumerEndpoint.address',
    ],
    [
      'a shared endpoint',
      endpoint('100.127.0.1'),
      { deniedDestinations: { sharedRange: true } },
      'spec.consumerEndpoint.address',
    ],
    [
      'a named network',
      {},
      { deniedDestinations: { networks: ['203.0.113.0/24'] } },
      'spec.consumerEndpoint.address',
    ],
    ['a port', endpoint('203.0.113.10', 53), { deniedPorts: [53] }, 'spec.consumerEndpoint.port'],
    [
      'a limit',
      { limits: { packetsPerSecond: 11 } },
      { limits: { maximum: { packetsPerSecond: 10 } } },
      'spec.limits.packetsPerSecond',
    ],
  ])('%s', (_, network, ofClass, field) => {
    const classSpec = vmNetworkClassSchema.parse(classWith(ofClass)).spec;
    const objections = classObjections(specOf(network), classSpec);
    expect(objections.map((objection) => objection.field)).toEqual([field]);
    expect(objections[0]?.remedy).not.toBe('');
  });

  test('the ranges of the cluster, unless the class says otherwise', () => {
    const ranges = [cidrSchema.parse('10.96.0.0/12')];
    const spec = specOf(endpoint('10.96.0.1'));
    expect(classObjections(spec, builtInClass().spec, ranges)).toHaveLength(1);
    const open = vmNetworkClassSchema.parse(classWith({ deniedDestinations: { clusterRanges: false } })).spec;
    expect(classObjections(spec, open, ranges)).toEqual([]);
  });

  test('nothing, when all is within bounds', () => {
    expect(classObjections(specOf({}), builtInClass().spec)).toEqual([]);
    const all = { allowedModes: ['Direct'], allowAudit: true, allowNonStrict: true };
    const generous = vmNetworkClassSchema.parse(classWith(all)).spec;
    expect(classObjections(specOf({ mode: 'Direct', wireGuard: { strict: false } }), generous)).toEqual([]);
  });

  test('a maximum also bounds those who ask for nothing', () => {
    const limit = (packetsPerSecond: number) => ({ egressBitsPerSecond: 0, packetsPerSecond });
    expect(effectiveLimits(limit(5), limit(3), limit(10)).packetsPerSecond).toBe(5);
    expect(effectiveLimits(limit(0), limit(3), limit(10)).packetsPerSecond).toBe(3);
    expect(effectiveLimits(limit(0), limit(0), limit(10)).packetsPerSecond).toBe(10);
  });
});
