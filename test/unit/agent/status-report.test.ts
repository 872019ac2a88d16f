import { beforeEach, describe, expect, test } from '@jest/globals';
import { announceChanges } from '../../../src/agent/status/announce.ts';
import { ConditionHistory } from '../../../src/agent/status/condition-history.ts';
import { reportStatus, unverifiedStatus } from '../../../src/agent/status/report.ts';
import type { AgentStatus, NetworkStatus } from '../../../src/agent/status/status.ts';
import { nothingTold } from '../../../src/agent/status/attachment-status.ts';
import type { ManifestSet } from '../../../src/agent/source/manifest-set.ts';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { GENEROUS, manifests, ModelHost, violate } from './support/model-host.ts';
import type { SpecInput } from './support/model-host.ts';

const INFO = {
  version: '1',
  pid: 1,
  startedAt: '2026-01-31T12:00:00Z',
  manifests: '/m',
  bpffs: '/bpf',
  programTags: { fromVm: 'aaaaf', toVm: 'aaaat' },
};

/** More than the filter can count. */
const TOO_MUCH = { limits: { packetsPerSecond: 2_000_000_000 } };

describe('the status', () => {
  let host: ModelHost;
  let history: ConditionHistory;
  const told = nothingTold();
  beforeEach(() => {
    host = new ModelHost();
    history = new ConditionHistory(host.ports().clock);
  });

  async function statusOf(set: ManifestSet): Promise<AgentStatus> {
    const result = await host.pass(set);
    return reportStatus(INFO, result, history, told, '2026-01-31T12:00:01Z');
  }
  const conditions = (network: NetworkStatus | undefined): Record<string, string> =>
    Object.fromEntries(
      (network?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]),
    );

  test('of an enforced VM shows what the kernel holds', async () => {
    const status = await statusOf(manifests({ 'vm-a': {} }));
    const { ifindex } = host.kernel.byName(identityOf('vm-a').tap) ?? { ifindex: 0 };
    const { from, to } = host.kernel.attached(ifindex);
    expect(status.attachments).toEqual([
      {
        vm: 'vm-a',
        pins: identityOf('vm-a').tap,
        network: 't/vm-a',
        tap: identityOf('vm-a').tap,
        ifindex,
        mac: identityOf('vm-a').guestMac,
        guestAddress: expect.stringMatching(/^100\.64\.0\./),
        gatewayAddress: '169.254.1.1',
        gatewayMac: '02:76:6d:6e:00:01',
        state: 'Enforced',
        inUse: false,
        engine: 'tcx',
        enforced: {
          policyHash: expect.stringMatching(/^[0-9a-f]{64}$/),
          programTag: { fromVm: 'aaaaf', toVm: 'aaaat' },
          linkId: { fromVm: from?.id, toVm: to?.id },
          generation: 1,
          verifiedAt: '2026-01-31T12:00:01Z',
        },
        violations: { crossings: 0, quarantinedAt: null, last: [] },
        tunnel: expect.objectContaining({ status: 'Unknown', reason: 'Pending' }),
        message: 'only 203.0.113.10:51900 passes',
      },
    ]);
    expect(status.problems).toEqual([]);
    expect(status.networks[0]).toMatchObject({
      namespace: 't',
      name: 'vm-a',
      file: 'vm-a.yaml',
      generation: 1,
    });
    expect(conditions(status.networks[0])).toEqual({
      Accepted: 'True Accepted',
      Bound: 'True Bound',
      Programmed: 'True Programmed',
      Enforced: 'True Verified',
      TunnelEstablished: 'Unknown Pending',
      Ready: 'True Ready',
    });
    expect(JSON.parse(JSON.stringify(status))).toEqual(status);
  });

  test('nothing but a read-back makes a VM Enforced', async () => {
    const readBack = host.kernel.readBack.bind(host.kernel);
    host.kernel.readBack = (pinDir) => ({
      ...readBack(pinDir),
      policyHash: 'something else',
    });
    const status = await statusOf(manifests({ 'vm-a': {} }));
    expect(status.attachments[0]).toMatchObject({ state: 'Error', enforced: null });
    expect(conditions(status.networks[0])['Enforced']).toBe('False ReadBackMismatch');
  });

  test('of a refused network: its VM denied, all conditions False, the reason in the message', async () => {
    const status = await statusOf(manifests({ 'vm-a': TOO_MUCH }));
    expect(status.attachments[0]).toMatchObject({ state: 'Denied', enforced: null, network: 't/vm-a' });
    expect(status.attachments[0]?.message).toContain('spec.limits.packetsPerSecond (2000000000)');
    expect(conditions(status.networks[0])).toEqual({
      Accepted: 'False Unsupported',
      Bound: 'True Bound',
      Programmed: 'False Denied',
      Enforced: 'False Denied',
      TunnelEstablished: 'False Denied',
      Ready: 'False NotReady',
    });
  });

  test('of a VM in error: the problem with its remedy, and what still passes', async () => {
    await statusOf(manifests({ 'vm-a': {} }));
    host.kernel.writePolicy = () => {
      throw new VmnError('VMN_BPF_MAP', { attempted: 'write the policy' });
    };
    const set = manifests({ 'vm-a': { consumerEndpoint: { address: '203.0.113.11', port: 1 } } });
    const status = await statusOf(set);
    expect(status.attachments[0]).toMatchObject({ state: 'Error', enforced: null });
    expect(status.attachments[0]?.message).toMatch(
      /previous policy is in force: only 203\.0\.113\.10:51900 passes/,
    );
    expect(status.problems).toEqual([expect.objectContaining({ file: 'VM vm-a', code: 'VMN_BPF_MAP' })]);
    expect(conditions(status.networks[0])['Programmed']).toBe('False ProgrammingFailed');
  });

  test('of a VM that nobody wants but that runs: denied, waiting, no network', async () => {
    await statusOf(manifests({ 'vm-a': {} }));
    const link = host.kernel.byName(identityOf('vm-a').tap);
    if (link !== undefined) link.heldByQemu = true;
    const status = await statusOf(manifests({}));
    expect(status.attachments[0]).toMatchObject({ vm: 'vm-a', network: null, state: 'Denied', inUse: true });
    expect(status.attachments[0]?.message).toContain('removed once the VM lets go of it');
    if (link !== undefined) link.heldByQemu = false;
    expect((await statusOf(manifests({}))).attachments).toEqual([]);
  });

  test('an endpoint without a route is said', async () => {
    host.kernel.routeTo = () => null;
    const status = await statusOf(manifests({ 'vm-a': {} }));
    expect(status.attachments[0]).toMatchObject({ state: 'Enforced' });
    expect(status.attachments[0]?.message).toContain('no route');
  });

  test('the kill switch is Enforced, with its own reason', async () => {
    const status = await statusOf(manifests({ 'vm-a': { desiredState: 'Quarantined' } }));
    expect(status.attachments[0]).toMatchObject({
      state: 'Enforced',
      message: 'quarantined: nothing passes',
    });
    expect(conditions(status.networks[0])).toMatchObject({
      Enforced: 'True Quarantined',
      Ready: 'True Ready',
    });
  });

  test.each<[string, SpecInput, string, string, RegExp]>([
    ['Conntrack', { mode: 'Conntrack' }, 'Enforced', 'True Verified', /^only 203/],
    [
      'Sampled',
      { mode: 'Sampled', sampling: { ratePerMillion: 50_000 } },
      'Programmed',
      'False SampledInPart',
      /^5 % of the frames are held to 203\.0\.113\.10:51900, the rest pass/,
    ],
    [
      'Sampled at every frame',
      { mode: 'Sampled', sampling: { ratePerMillion: 1_000_000 } },
      'Enforced',
      'True Verified',
      /^only 203/,
    ],
    ['Audit', { enforcement: 'Audit' }, 'Programmed', 'False AuditOnly', /is counted, and passes$/],
    [
      'Sampled and Audit',
      { mode: 'Sampled', enforcement: 'Audit' },
      'Programmed',
      'False AuditOnly',
      /is counted, and passes$/,
    ],
    [
      'Audit behind the kill switch',
      { enforcement: 'Audit', desiredState: 'Quarantined' },
      'Enforced',
      'True Quarantined',
      /^quarantined: nothing passes$/,
    ],
    [
      'Direct behind the kill switch',
      { mode: 'Direct', desiredState: 'Quarantined' },
      'Enforced',
      'True Quarantined',
      /^quarantined: nothing passes$/,
    ],
  ])('of %s says how much is enforced, and is Ready, for it is what was asked for', async (...row) => {
    const [, spec, state, enforced, message] = row;
    const status = await statusOf(manifests({ 'vm-a': spec }, { classes: [GENEROUS] }));
    expect(status.attachments[0]).toMatchObject({ state, message: expect.stringMatching(message) });
    expect(status.attachments[0]?.enforced).not.toBeNull();
    expect(conditions(status.networks[0])).toMatchObject({
      Programmed: 'True Programmed',
      Enforced: enforced,
      Ready: 'True Ready',
    });
  });

  test('of Sampled states the time to detection', async () => {
    const status = await statusOf(manifests({ 'vm-a': { mode: 'Sampled' } }));
    const enforced = status.networks[0]?.conditions.find(({ type }) => type === 'Enforced');
    expect(enforced?.message).toBe(
      '1 of 1 attachments read back and found equal; 1 % of the frames are judged; ' +
        'one that breaks a rule is found after 100 of its kind on average, with 95 % certainty after 299',
    );
  });

  test('of a VM that was quarantined for its violations: nothing passes, not Ready, and how to release it', async () => {
    const set = manifests({ 'vm-a': { violation: { action: 'Quarantine' } } });
    await statusOf(set);
    violate(host, 'vm-a');
    host.advance(1000);
    const status = await statusOf(set);
    const { quarantinedAt, crossings } = status.attachments[0]?.violations ?? {};
    expect([crossings, quarantinedAt]).toEqual([1, '1970-01-01T00:16:41.000Z']);
    expect(status.attachments[0]).toMatchObject({
      state: 'Enforced',
      message: 'quarantined since 1970-01-01T00:16:41.000Z for its violations: nothing passes',
    });
    expect(conditions(status.networks[0])).toMatchObject({
      Enforced: 'True Quarantined',
      Ready: 'False NotReady',
    });
    const ready = status.networks[0]?.conditions.find(({ type }) => type === 'Ready');
    expect(ready?.message).toContain('VM vm-a since 1970');
    expect(ready?.message).toContain('set desiredState: Quarantined, then Active');
  });

  test('a condition keeps its time until it changes, and speaks of its generation', async () => {
    const enforced = async (set: ManifestSet) => {
      const status = await statusOf(set);
      return status.networks[0]?.conditions.find(({ type }) => type === 'Enforced');
    };
    const first = await enforced(manifests({ 'vm-a': {} }));
    host.advance(5000);
    const edited = await enforced(manifests({ 'vm-a': { endpointGraceSeconds: 9 } }));
    expect(edited).toEqual({ ...first, observedGeneration: 2 });
    host.advance(5000);
    const refused = await enforced(manifests({ 'vm-a': TOO_MUCH }));
    expect(refused?.lastTransitionTime).not.toBe(first?.lastTransitionTime);
    expect(refused?.observedGeneration).toBe(3);
  });

  test('after a pass that failed as a whole nothing is said to be enforced', async () => {
    const status = await statusOf(manifests({ 'vm-a': {} }));
    const problem = { file: 'host', message: 'no netlink', remedy: 'r', code: 'VMN_NETLINK' as const };
    const now = unverifiedStatus(unverifiedStatus(status, problem), problem);
    expect(now.attachments[0]).toMatchObject({ vm: 'vm-a', state: 'Error', enforced: null });
    expect(conditions(now.networks[0])).toMatchObject({
      Accepted: 'True Accepted',
      Enforced: 'Unknown Pending',
    });
    expect(now.problems).toEqual([problem]);
  });

  describe('in the log', () => {
    function logged(before: AgentStatus | null, after: AgentStatus): Record<string, unknown>[] {
      const lines: string[] = [];
      const log = createLogger({ destination: { write: (line) => void lines.push(line) } });
      announceChanges(before, after, log);
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    }

    test('a threshold that was reached, with the latest violation', async () => {
      const before = await statusOf(manifests({ 'vm-a': {} }));
      violate(host, 'vm-a');
      const time = '2026-01-31T12:00:00.000Z';
      const place = { vm: 'vm-a', network: 't/vm-a', direction: 'from-vm' as const, frameBytes: 60 };
      told.violations.note(identityOf('vm-a').tap, {
        ...place,
        time,
        reason: 'DestinationPort',
        summary: 'UDP',
      });
      const after = await statusOf(manifests({ 'vm-a': {} }));
      expect(logged(before, after)).toEqual([
        expect.objectContaining({
          vm: 'vm-a',
          crossings: 1,
          last: { time, reason: 'DestinationPort', summary: 'UDP', audited: false },
        }),
      ]);
      // A restart is not a violation.
      expect(logged(null, after).map(({ msg }) => msg)).toEqual(['attachment']);
    });

    test('one line a change, and none without', async () => {
      const first = await statusOf(manifests({ 'vm-a': {}, 'vm-b': {} }));
      expect(logged(null, first).map(({ vm, state }) => [vm, state])).toEqual([
        ['vm-a', 'Enforced'],
        ['vm-b', 'Enforced'],
      ]);
      const same = await statusOf(manifests({ 'vm-a': {}, 'vm-b': {} }));
      expect(logged(first, same)).toEqual([]);
      const problem = {
        file: 'x.yaml',
        message: 'is empty',
        remedy: 'r',
        code: 'VMN_MANIFEST_SYNTAX' as const,
      };
      const less = await statusOf(manifests({ 'vm-a': {} }, { problems: [problem] }));
      expect(logged(same, less).map(({ msg }) => msg)).toEqual(['problem', 'attachment gone']);
      expect(logged(less, await statusOf(manifests({ 'vm-a': {} }))).map(({ msg }) => msg)).toEqual([
        'problem solved',
      ]);
    });
  });
});
