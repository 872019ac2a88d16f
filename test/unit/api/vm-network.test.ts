import { describe, expect, test } from '@jest/globals';
import { checkObject } from '../../../src/api/object.ts';
import { formatFieldPath } from '../../../src/api/field-path.ts';
import {
  effectiveRatePerMillion,
  effectiveViolationAction,
  vmNetworkSchema,
} from '../../../src/api/v1alpha1/index.ts';
import type { Mode, Violation } from '../../../src/api/v1alpha1/index.ts';
import { BAD_SPECS, GOOD_SPECS, networkWith } from '../../support/api-cases/network-cases.ts';

function issuesOf(object: unknown) {
  const result = checkObject(object);
  return result.ok ? [] : result.issues.map((issue) => ({ ...issue, field: formatFieldPath(issue.path) }));
}

describe('a VMNetwork that is wrong', () => {
  test.each(BAD_SPECS)('$title is refused at $field', ({ spec, field, message, remedy }) => {
    const issues = issuesOf(networkWith(spec));
    expect(issues.map((issue) => issue.field)).toEqual([field]);
    expect(issues[0]?.message).toMatch(message);
    expect(issues[0]?.remedy).toMatch(remedy);
  });

  test('[NM-2] no mode but Direct goes without an endpoint, and none becomes Direct by that', () => {
    for (const mode of ['Filtered', 'Conntrack', 'Sampled', undefined]) {
      const object = networkWith({ mode, consumerEndpoint: undefined });
      expect(issuesOf(object)).toMatchObject([
        { field: 'spec.consumerEndpoint', message: 'is required in modes Filtered, Conntrack and Sampled' },
      ]);
      // Neither with the other spelling of "nothing".
      expect(checkObject(networkWith({ mode, consumerEndpoint: null })).ok).toBe(false);
    }
  });

  test('all problems are shown at once', () => {
    const object = networkWith({
      mode: 'Nope',
      consumerEndpoint: undefined,
      selector: { uuids: 5 },
      sampling: {},
      extra: 1,
    });
    expect(issuesOf(object).map(({ field }) => field)).toEqual([
      'spec.mode',
      'spec.selector.uuids',
      'spec.extra',
      'spec.consumerEndpoint',
      'spec.sampling',
      'spec.selector',
    ]);
  });

  test('what may be a secret is not shown', () => {
    const wireGuard = {
      privateKey: 'hunter2',
      presharedKey: 'hunter2',
      presharedKeySecretRef: 'hunter2',
      password: 'hunter2',
    };
    const issues = issuesOf(networkWith({ wireGuard }));
    expect(issues).toHaveLength(4);
    expect(JSON.stringify(issues)).not.toContain('hunter2');
    expect(issues.find(({ field }) => field.endsWith('privateKey'))?.remedy).toMatch(/never stand here/);
  });

  test.each([
    ['no metadata', { metadata: undefined }, 'metadata'],
    ['no name', { metadata: {} }, 'metadata.name'],
    ['a name in upper case', { metadata: { name: 'Rental' } }, 'metadata.name'],
    ['a namespace with a dot', { metadata: { name: 'a', namespace: 'a.b' } }, 'metadata.namespace'],
    [
      'a namespace of 64 characters',
      { metadata: { name: 'a', namespace: 'a'.repeat(64) } },
      'metadata.namespace',
    ],
    ['a name of 254 characters', { metadata: { name: 'a.'.repeat(126) + 'aa' } }, 'metadata.name'],
    ['an unknown metadata field', { metadata: { name: 'a', nmespace: 'b' } }, 'metadata.nmespace'],
    [
      'a timestamp that is none',
      { metadata: { name: 'a', creationTimestamp: 'yesterday' } },
      'metadata.creationTimestamp',
    ],
    ['another version', { apiVersion: 'vmnetwork.io/v1' }, 'apiVersion'],
    ['no version', { apiVersion: undefined }, 'apiVersion'],
    ['another kind', { kind: 'Secret' }, 'kind'],
    [
      'a hidden label',
      { metadata: { name: 'a', labels: JSON.parse('{"__proto__": "x"}') as unknown } },
      'metadata.labels.__proto__',
    ],
  ])('%s is refused', (_, changes, field) => {
    const object = Object.fromEntries(
      Object.entries({ ...networkWith({}), ...changes }).filter(([, value]) => value !== undefined),
    );
    expect(issuesOf(object).map((issue) => issue.field)).toEqual([field]);
  });

  test('a label named __proto__ does not silently widen a selector', () => {
    const matchLabels = JSON.parse('{"__proto__": "x"}') as unknown;
    expect(
      issuesOf(networkWith({ selector: { names: ['a'], matchLabels } })).map(({ field }) => field),
    ).toEqual(['spec.selector.matchLabels.__proto__']);
  });
});

describe('a VMNetwork that is right', () => {
  test.each(GOOD_SPECS)('$title is accepted', ({ spec }) => {
    expect(issuesOf(networkWith(spec))).toEqual([]);
  });

  test('defaults are those of the design', () => {
    const { spec, metadata } = vmNetworkSchema.parse({ ...networkWith({}), metadata: { name: 'a' } });
    expect(metadata.namespace).toBe('default');
    expect(spec).toEqual({
      className: 'default',
      mode: 'Filtered',
      consumerEndpoint: { address: '203.0.113.10', port: 51900 },
      endpointGraceSeconds: 0,
      selector: { names: ['rental-7f3a'], uuids: [], matchLabels: {}, nodeName: '' },
      violation: { threshold: 1, windowSeconds: 10 },
      enforcement: 'Enforce',
      desiredState: 'Active',
      limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
      wireGuard: {
        addresses: [],
        allowedIPs: ['0.0.0.0/0'],
        dns: [],
        persistentKeepaliveSeconds: 25,
        mtu: 1420,
        strict: true,
      },
      cloudInit: { delivery: 'VendorData' },
    });
  });

  test('defaults are not shared between objects', () => {
    const [a, b] = [vmNetworkSchema.parse(networkWith({})), vmNetworkSchema.parse(networkWith({}))];
    a.spec.wireGuard.dns.push(
      ...vmNetworkSchema.parse(networkWith({ wireGuard: { dns: ['1.1.1.1'] } })).spec.wireGuard.dns,
    );
    expect(b.spec.wireGuard.dns).toEqual([]);
    expect(vmNetworkSchema.parse(networkWith({})).spec.wireGuard.dns).toEqual([]);
  });

  test('what depends on the mode', () => {
    const actionOf = (mode: Mode, over: object = {}) =>
      effectiveViolationAction({
        mode,
        enforcement: 'Enforce',
        violation: { threshold: 1, windowSeconds: 10 },
        ...over,
      });
    expect(actionOf('Filtered')).toBe('Drop');
    expect(actionOf('Conntrack')).toBe('Drop');
    expect(actionOf('Sampled')).toBe('Quarantine');
    const terminate: Violation = { action: 'Terminate', threshold: 1, windowSeconds: 10 };
    expect(actionOf('Conntrack', { violation: terminate })).toBe('Terminate');
    expect(actionOf('Sampled', { enforcement: 'Audit' })).toBe('Drop');
    expect(actionOf('Filtered', { enforcement: 'Audit', violation: terminate })).toBe('Drop');
    expect(effectiveRatePerMillion({ mode: 'Sampled', sampling: undefined })).toBe(10_000);
    expect(effectiveRatePerMillion({ mode: 'Filtered', sampling: undefined })).toBe(1_000_000);
  });
});
