import { describe, expect, test } from '@jest/globals';
import { vmNetworkClassSchema, vmNetworkSchema } from '../../../src/api/v1alpha1/index.ts';
import type { VmNetwork, VmNetworkClass, VmNetworkInput } from '../../../src/api/v1alpha1/index.ts';
import { keyOf, planVmNetworks } from '../../../src/controller/vmnetwork/plan.ts';
import type { PlanInput, PolicyIntent, VmNetworkPlan } from '../../../src/controller/vmnetwork/plan.ts';
import { HIGHEST_LIMITS } from '../../../src/controller/vmnetwork/unsupported.ts';
import { MAX_BITS_PER_SECOND, MAX_PACKETS_PER_SECOND } from '../../../src/native/policy-abi.ts';

const ENDPOINT = { address: '203.0.113.10', port: 51900 };

function network(name: string, spec: Partial<VmNetworkInput['spec']> = {}, created?: string): VmNetwork {
  return vmNetworkSchema.parse({
    apiVersion: 'vmnetwork.io/v1alpha1',
    kind: 'VMNetwork',
    metadata: { name, namespace: 't', ...(created === undefined ? {} : { creationTimestamp: created }) },
    spec: { consumerEndpoint: ENDPOINT, selector: { names: ['vm'] }, ...spec },
  });
}

function networkClass(name: string, spec: unknown): VmNetworkClass {
  return vmNetworkClassSchema.parse({
    apiVersion: 'vmnetwork.io/v1alpha1',
    kind: 'VMNetworkClass',
    metadata: { name },
    spec,
  });
}

function planOf(networks: readonly VmNetwork[], over: Partial<PlanInput> = {}): VmNetworkPlan {
  return planVmNetworks({ networks, classes: [], nodeName: 'node-1', classesInDoubt: false, ...over });
}

const conditionsOf = (plan: VmNetworkPlan, name: string): string[] => {
  const found = plan.networks.find((item) => item.name === name);
  return found === undefined
    ? []
    : [found.accepted, found.bound].map(({ type, status, reason }) => `${type}=${status} ${reason}`);
};

describe('planning VMNetworks', () => {
  test('one network, one VM: bound, with all that its host has to enforce', () => {
    const plan = planOf([network('one', { endpointGraceSeconds: 7 })]);
    expect(plan.attachments).toEqual([
      {
        vm: 'vm',
        network: 't/one',
        reason: '',
        intent: {
          network: 't/one',
          endpoint: ENDPOINT,
          graceSeconds: 7,
          quarantined: false,
          strictWireGuard: true,
          mode: 'Filtered',
          samplePerMillion: 0,
          audit: false,
          limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
          violation: { action: 'Drop', threshold: 1, windowSeconds: 10 },
        },
      },
    ]);
    expect(conditionsOf(plan, 'one')).toEqual(['Accepted=True Accepted', 'Bound=True Bound']);
    expect(plan.networks[0]?.vms).toEqual(['vm']);
  });

  test('the kill switch reaches the host', () => {
    const plan = planOf([network('one', { desiredState: 'Quarantined' })]);
    expect(plan.attachments[0]?.intent?.quarantined).toBe(true);
  });

  test.each<[string, Partial<VmNetworkInput['spec']>, Partial<PolicyIntent>]>([
    ['mode Conntrack', { mode: 'Conntrack' }, { mode: 'Conntrack', samplePerMillion: 0 }],
    [
      'mode Sampled, which takes 1 % and quarantines unless told otherwise',
      { mode: 'Sampled' },
      {
        mode: 'Sampled',
        samplePerMillion: 10_000,
        violation: { action: 'Quarantine', threshold: 1, windowSeconds: 10 },
      },
    ],
    [
      'a rate of its own',
      { mode: 'Sampled', sampling: { ratePerMillion: 100_000 }, violation: { action: 'Drop' } },
      { samplePerMillion: 100_000, violation: { action: 'Drop', threshold: 1, windowSeconds: 10 } },
    ],
    [
      'Audit, which acts on nothing',
      { mode: 'Sampled', enforcement: 'Audit', violation: { action: 'Terminate', threshold: 7 } },
      { audit: true, violation: { action: 'Drop', threshold: 7, windowSeconds: 10 } },
    ],
    [
      'the violations that are too many, and what then',
      { violation: { action: 'Terminate', threshold: 5, windowSeconds: 60 } },
      { violation: { action: 'Terminate', threshold: 5, windowSeconds: 60 } },
    ],
    [
      'limits',
      { limits: { egressBitsPerSecond: 100_000_000_000, packetsPerSecond: 1_000_000_000 } },
      { limits: { egressBitsPerSecond: 100_000_000_000, packetsPerSecond: 1_000_000_000 } },
    ],
  ])('reaches the host: %s', (_what, spec, intent) => {
    const generous = networkClass('default', { allowAudit: true });
    const plan = planOf([network('one', spec)], { classes: [generous] });
    expect(conditionsOf(plan, 'one')[0]).toBe('Accepted=True Accepted');
    expect(plan.attachments[0]?.intent).toMatchObject(intent);
  });

  test.each([
    ['the default of the class, where the network says nothing', {}, { default: 20, maximum: 50 }, 20],
    ['the maximum of the class, where nobody says anything else', {}, { default: 0, maximum: 50 }, 50],
    ["the network's own", { packetsPerSecond: 7 }, { default: 20, maximum: 50 }, 7],
  ])('the limit is %s', (_what, limits, ofClass, expected) => {
    const limited = networkClass('default', {
      limits: {
        default: { packetsPerSecond: ofClass.default },
        maximum: { packetsPerSecond: ofClass.maximum },
      },
    });
    const plan = planOf([network('one', { limits })], { classes: [limited] });
    expect(plan.attachments[0]?.intent?.limits).toEqual({
      egressBitsPerSecond: 0,
      packetsPerSecond: expected,
    });
  });

  test.each([
    ['the earlier creation time wins', ['2026-01-01T00:00:00Z', '2025-01-01T00:00:00Z'], 'b'],
    ['a creation time wins over none', [undefined, '2026-01-01T00:00:00Z'], 'b'],
    ['of equals the name decides', [undefined, undefined], 'a'],
  ])('two networks, one VM: %s', (_how, [first, second], winner) => {
    const loser = winner === 'a' ? 'b' : 'a';
    const plan = planOf([network('a', {}, first), network('b', {}, second)]);
    expect(plan.attachments.map((item) => item.network)).toEqual([`t/${winner}`]);
    expect(conditionsOf(plan, winner)[1]).toBe('Bound=True Bound');
    expect(conditionsOf(plan, loser)[1]).toBe('Bound=False Conflict');
    expect(plan.networks.find(({ name }) => name === loser)?.bound.message).toContain(`t/${winner}`);
    expect(plan.networks.find(({ name }) => name === loser)?.vms).toEqual([]);
  });

  test('an older network that is refused does not hand its VM to a younger one', () => {
    const plan = planOf([network('a', { mode: 'Direct' }), network('b')]);
    expect(plan.attachments).toEqual([expect.objectContaining({ vm: 'vm', network: 't/a', intent: null })]);
    expect(conditionsOf(plan, 'b')[1]).toBe('Bound=False Conflict');
  });

  test('a network that loses one of its VMs keeps the other', () => {
    const plan = planOf([network('a'), network('b', { selector: { names: ['vm', 'other'] } })]);
    expect(plan.networks.find(({ name }) => name === 'b')?.vms).toEqual(['other']);
    expect(plan.attachments.map(({ vm, network: bound }) => [vm, bound])).toEqual([
      ['other', 't/b'],
      ['vm', 't/a'],
    ]);
  });

  test('pinned to another host it binds nothing here, and takes nothing from others', () => {
    const elsewhere = network('a', { selector: { names: ['vm'], nodeName: 'node-2' } });
    const plan = planOf([elsewhere, network('b', { selector: { names: ['vm'], nodeName: 'node-1' } })]);
    expect(conditionsOf(plan, 'a')[1]).toBe('Bound=False NoMatch');
    expect(plan.attachments[0]?.network).toBe('t/b');
  });

  describe('of VMs that were found', () => {
    const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11';
    const vm = { id: UUID, name: 'vm', uuid: UUID, holder: null };
    const byUuid = network('u', { selector: { uuids: [UUID] } }, '2026-01-02T00:00:00Z');
    const byName = network('n', {}, '2026-01-01T00:00:00Z');
    const ownerOf = (plan: VmNetworkPlan): unknown[] =>
      plan.found.map(({ vmId, network: owner, byUuid: is, intent }) => [vmId, owner, is, intent?.network]);

    test('one is selected by its uuid, and no tap of ours is made for it', () => {
      const plan = planOf([byUuid], { found: [vm, { ...vm, id: 'other', uuid: null }] });
      expect(ownerOf(plan)).toEqual([[UUID, 't/u', true, 't/u']]);
      expect(plan.attachments).toEqual([]);
      expect(plan.networks[0]).toMatchObject({ vms: [UUID], bound: { status: 'True', reason: 'Bound' } });
      expect(conditionsOf(planOf([byUuid]), 'u')[1]).toBe('Bound=False NoMatch');
    });

    test('by its name it is selected beside the tap of ours that may be its', () => {
      const plan = planOf([byName], { found: [vm] });
      expect(ownerOf(plan)).toEqual([[UUID, 't/n', false, 't/n']]);
      expect(plan.networks[0]?.vms).toEqual([UUID, 'vm']);
    });

    test('all given parts must match', () => {
      const both = network('both', { selector: { names: ['vm'], uuids: [UUID] } });
      expect(ownerOf(planOf([both], { found: [vm] }))).toEqual([[UUID, 't/both', true, 't/both']]);
      for (const other of [
        { ...vm, name: 'else' },
        { ...vm, uuid: UUID.replace('6a', '6b') },
        { ...vm, uuid: null },
      ])
        expect(planOf([both], { found: [other] }).found).toEqual([]);
      const elsewhere = network('e', { selector: { uuids: [UUID], nodeName: 'node-2' } });
      expect(planOf([elsewhere], { found: [vm] }).found).toEqual([]);
    });

    test('of two networks the older has it, or the one that has it already; the other is told', () => {
      const plan = planOf([byUuid, byName], { found: [vm] });
      expect(ownerOf(plan)).toEqual([[UUID, 't/n', false, 't/n']]);
      expect(conditionsOf(plan, 'u')[1]).toBe('Bound=False Conflict');
      const held = planOf([byUuid, byName], { found: [{ ...vm, holder: 't/u' }] });
      expect(ownerOf(held)).toEqual([[UUID, 't/u', true, 't/u']]);
      expect(held.networks.find(({ name }) => name === 'n')?.bound.message).toContain(
        `VM ${UUID} belongs to t/u`,
      );
    });

    test('a refused network keeps it, denied', () => {
      const refused = network('n', { limits: { packetsPerSecond: 1_000_000_001 } }, '2026-01-01T00:00:00Z');
      expect(ownerOf(planOf([refused, byUuid], { found: [vm] }))).toEqual([[UUID, 't/n', false, undefined]]);
    });
  });

  test.each<[string, Partial<VmNetworkInput['spec']>]>([
    ['spec.limits.packetsPerSecond', { limits: { packetsPerSecond: 1_000_000_001 } }],
    ['spec.limits.egressBitsPerSecond', { limits: { egressBitsPerSecond: 100_000_000_001 } }],
    ['spec.selector.matchLabels', { selector: { matchLabels: { a: 'b' } } }],
    ['spec.selector.matchLabels', { selector: { names: ['vm'], matchLabels: { a: 'b' } } }],
  ])('what this version lacks is refused by its name: %s', (field, spec) => {
    const plan = planOf([network('one', spec)]);
    expect(conditionsOf(plan, 'one')[0]).toBe('Accepted=False Unsupported');
    // Field, value, what is wrong, and what to do.
    expect(plan.networks[0]?.accepted.message).toMatch(/^spec\.[\w.]+ \(.+\) is .+\. (Use|Set|Name) .+\.$/);
    expect(plan.networks[0]?.accepted.message).toContain(`${field} (`);
    expect(plan.attachments.every(({ intent }) => intent === null)).toBe(true);
  });

  test('[NM-1] Direct denies what its class denies, and what no class can allow; whose endpoint is named does not matter', () => {
    const deniedDestinations = { networks: ['203.0.113.0/24', '203.0.112.0/24'], privateRanges: true };
    const classes = [networkClass('default', { allowedModes: ['Direct'], deniedDestinations })];
    const spec = { mode: 'Direct', consumerEndpoint: undefined, endpointGraceSeconds: 30 } as const;
    const plan = planOf([network('one', spec)], { classes });
    expect(conditionsOf(plan, 'one')[0]).toBe('Accepted=True Accepted');
    expect(plan.attachments[0]?.intent).toMatchObject({
      ...{ mode: 'Direct', endpoint: null, graceSeconds: 0, strictWireGuard: false, audit: false },
      denied: [
        { first: '0.0.0.0', last: '0.255.255.255' },
        { first: '10.0.0.0', last: '10.255.255.255' },
        { first: '127.0.0.0', last: '127.255.255.255' },
        { first: '169.254.0.0', last: '169.254.255.255' },
        { first: '172.16.0.0', last: '172.31.255.255' },
        { first: '192.168.0.0', last: '192.168.255.255' },
        { first: '203.0.112.0', last: '203.0.113.255' },
        { first: '224.0.0.0', last: '255.255.255.255' },
      ],
    });
  });

  test.each<[string, Partial<VmNetworkInput['spec']>, unknown]>([
    ['spec.mode', { mode: 'Direct' }, {}],
    ['spec.mode', { mode: 'Sampled' }, { allowedModes: ['Filtered'] }],
    ['spec.enforcement', { enforcement: 'Audit' }, {}],
    [
      'spec.violation.action',
      { violation: { action: 'Terminate' } },
      { maximumViolationAction: 'Quarantine' },
    ],
    ['spec.violation.action', { mode: 'Sampled' }, { maximumViolationAction: 'Drop' }],
    [
      'spec.limits.packetsPerSecond',
      { limits: { packetsPerSecond: 11 } },
      { limits: { maximum: { packetsPerSecond: 10 } } },
    ],
  ])('what the class does not allow is refused by its name: %s', (field, spec, ofClass) => {
    const plan = planOf([network('one', spec)], { classes: [networkClass('default', ofClass)] });
    expect(conditionsOf(plan, 'one')[0]).toBe('Accepted=False DeniedByClass');
    expect(plan.networks[0]?.accepted.message).toContain(`${field} (`);
    expect(plan.attachments[0]?.intent).toBeNull();
  });

  test('a limit that comes from the class counts, too', () => {
    const limited = networkClass('default', { limits: { default: { packetsPerSecond: 2_000_000_000 } } });
    const plan = planOf([network('one')], { classes: [limited] });
    expect(plan.networks[0]?.accepted.message).toContain('spec.limits.packetsPerSecond (2000000000)');
  });

  test('the highest limits are those of the filter', () => {
    expect(HIGHEST_LIMITS).toEqual({
      egressBitsPerSecond: MAX_BITS_PER_SECOND,
      packetsPerSecond: MAX_PACKETS_PER_SECOND,
    });
  });

  test('the class forbids: refused before anything else', () => {
    const strict = networkClass('default', { deniedPorts: [51900] });
    const plan = planOf([network('one')], { classes: [strict] });
    expect(conditionsOf(plan, 'one')[0]).toBe('Accepted=False DeniedByClass');
    expect(plan.networks[0]?.accepted.message).toContain('spec.consumerEndpoint.port (51900)');
    expect(plan.attachments[0]?.intent).toBeNull();
  });

  test('a class that nobody declared is not guessed', () => {
    const plan = planOf([network('one', { className: 'gold' })]);
    expect(conditionsOf(plan, 'one')[0]).toBe('Accepted=False ClassNotFound');
    expect(plan.attachments[0]?.intent).toBeNull();
  });

  test('while a class cannot be read, the built-in one does not stand in for it', () => {
    const plan = planOf([network('one')], { classesInDoubt: true });
    expect(conditionsOf(plan, 'one')[0]).toBe('Accepted=False ClassNotFound');
    const declared = planOf([network('one')], {
      classesInDoubt: true,
      classes: [networkClass('default', {})],
    });
    expect(conditionsOf(declared, 'one')[0]).toBe('Accepted=True Accepted');
  });

  test('the order of the input does not matter', () => {
    const all = [network('a'), network('b'), network('c', { selector: { names: ['x', 'vm'] } })];
    expect(planOf([...all].reverse())).toEqual(planOf(all));
    expect(all.map(keyOf)).toEqual(['t/a', 't/b', 't/c']);
  });
});
