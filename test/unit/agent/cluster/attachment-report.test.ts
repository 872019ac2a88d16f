import { beforeEach, describe, expect, test } from '@jest/globals';
import type { PassResult } from '../../../../src/agent/attachment/pass.ts';
import { clusterWanted } from '../../../../src/agent/source/cluster/cluster-wanted.ts';
import { judgeAttachments } from '../../../../src/agent/source/cluster/judge.ts';
import type { JudgedAttachment } from '../../../../src/agent/source/cluster/judge.ts';
import type { AttachmentObject } from '../../../../src/agent/source/cluster/kinds.ts';
import {
  attachmentReport,
  unverifiedReport,
} from '../../../../src/agent/status/cluster/attachment-report.ts';
import type { AttachmentReport } from '../../../../src/agent/status/cluster/attachment-report.ts';
import { ConditionHistory } from '../../../../src/agent/status/condition-history.ts';
import { reportStatus } from '../../../../src/agent/status/report.ts';
import { nothingTold } from '../../../../src/agent/status/attachment-status.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import { ensureClosedTap } from '../../../../src/agent/wiring/closed-tap.ts';
import { vmNetworkAttachmentStatusSchema } from '../../../../src/api/v1alpha1/vm-network-attachment-status.ts';
import { wireGuardKeySchema } from '../../../../src/api/v1alpha1/wireguard-key.ts';
import { completeStatus } from '../../../../src/agent/status/cluster/attachment-write.ts';
import { VmnError } from '../../../../src/lib/errors.ts';
import { attachment, classes, networkClass, wished } from '../support/cluster-objects.ts';
import { type ModelEngine, putOnEngine } from '../support/model-engines.ts';
import { ModelHost, PATHS, violate } from '../support/model-host.ts';

const INFO = {
  version: '1',
  pid: 1,
  startedAt: '2026-01-31T12:00:00Z',
  manifests: null,
  bpffs: '/bpf',
  programTags: { fromVm: 'aaaaf', toVm: 'aaaat' },
};
const NOW = '2026-01-31T12:00:01.000Z';
const LAX = classes(networkClass({ allowAudit: true, allowNonStrict: true }));

/* Passes over a model of a host, and what is said of them to the cluster. */
describe('what an agent says of an attachment', () => {
  let host: ModelHost;
  beforeEach(() => {
    host = new ModelHost();
    // As `vmnetctl run` makes it: in a cluster the agent makes no taps.
    ensureClosedTap('vm-a', PATHS, host.ports());
    const link = host.kernel.byName(identityOf('vm-a').tap);
    if (link !== undefined) link.heldByQemu = true;
  });

  async function pass(objects: readonly AttachmentObject[], known = LAX) {
    let judged: JudgedAttachment[] = [];
    const result = await host.passFor((view) => {
      const attachments = objects.map(wished);
      judged = judgeAttachments({ attachments, classes: known, host: view, vms: [], untilNs: () => 0n });
      return clusterWanted(judged, true, [], () => ({ kind: 'none' }));
    });
    return { judged, result };
  }

  function reportOf(judged: JudgedAttachment, result: PassResult, sealedFault: string | null = null) {
    const history = new ConditionHistory(host.ports().clock);
    const status = reportStatus(INFO, result, history, nothingTold(), NOW);
    const { tap } = identityOf('vm-a');
    const found = {
      result: result.attachments.find((one) => one.tap === tap),
      seen: status.attachments.find((one) => one.tap === tap),
    };
    const outcome =
      judged.place.at === 'tap' && found.result && found.seen
        ? { result: found.result, seen: found.seen }
        : null;
    return attachmentReport(judged, outcome, sealedFault);
  }

  async function reportAfter(object: AttachmentObject, known = LAX): Promise<AttachmentReport> {
    const { judged, result } = await pass([object], known);
    const report = reportOf(judged[0]!, result);
    const status = completeStatus(report, { counters: null, lastViolations: [] }, undefined, new Date(NOW));
    // What the API server would refuse is no status.
    expect(vmNetworkAttachmentStatusSchema.safeParse(status).error).toBeUndefined();
    return report;
  }

  /** But for what is said of the tunnel, which the kernel of these tests does not look at. */
  const said = ({ conditions }: AttachmentReport): Record<string, string> =>
    Object.fromEntries(
      conditions
        .filter(({ type }) => type !== 'TunnelEstablished')
        .map(({ type, status, reason }) => [type, `${status} ${reason}`]),
    );

  test('enforced: what was read back in this pass, with the hash of the spec', async () => {
    const object = attachment({ generation: 4, policyGeneration: 7 });
    const report = await reportAfter(object);
    const { ifindex } = host.kernel.byName(identityOf('vm-a').tap)!;
    expect(report).toEqual({
      observedGeneration: 4,
      conditions: [
        {
          type: 'Programmed',
          status: 'True',
          reason: 'Programmed',
          message: 'only 203.0.113.10:51900 passes',
        },
        { type: 'Enforced', status: 'True', reason: 'Verified', message: 'only 203.0.113.10:51900 passes' },
        expect.objectContaining({ type: 'TunnelEstablished', status: 'Unknown', reason: 'Pending' }),
      ],
      engine: 'tcx',
      interface: { name: identityOf('vm-a').tap, ifindex },
      exposureMilliseconds: 0,
      enforced: {
        policyHash: (object.spec as { hash: string }).hash,
        policyGeneration: 7,
        programTag: 'aaaaf',
        linkId: host.kernel.attached(ifindex).from?.id,
        verifiedAt: NOW,
      },
    });
  });

  test('the tunnel: what the filter saw, and when, in whole seconds', async () => {
    await reportAfter(attachment());
    const unanswered = { vm: null, consumer: null };
    const signs = { address: '203.0.113.10', port: 51900, handshakeAgoMs: 41_600, unanswered };
    for (const pins of host.kernel.pins.values()) pins.tunnel = signs;
    const { conditions, tunnel } = await reportAfter(attachment());
    expect(conditions).toContainEqual(
      expect.objectContaining({ type: 'TunnelEstablished', status: 'True', reason: 'HandshakeSeen' }),
    );
    const seenAt = `${new Date(Date.parse(NOW) - 41_600).toISOString().slice(0, 19)}Z`;
    expect(tunnel).toEqual({ lastHandshake: seenAt });
  });

  test("the guest's public key, if it was given one", async () => {
    const guest = { publicKey: wireGuardKeySchema.parse('xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=') };
    const { records } = host.ports();
    const found = records.read(identityOf('vm-a').tap);
    if (found.state === 'ok') records.write({ ...found.record, guest });
    expect((await reportAfter(attachment())).guest).toEqual(guest);
  });

  test.each([
    ['Conntrack', { mode: 'Conntrack' }, 'True Verified'],
    ['Sampled', { mode: 'Sampled', sampling: { ratePerMillion: 10_000 } }, 'False SampledInPart'],
    ['Sampled at every frame', { mode: 'Sampled', sampling: { ratePerMillion: 1_000_000 } }, 'True Verified'],
    ['Audit', { enforcement: 'Audit' }, 'False AuditOnly'],
    ['the kill switch', { desiredState: 'Quarantined' }, 'True Quarantined'],
    [
      'Audit behind the kill switch',
      { enforcement: 'Audit', desiredState: 'Quarantined' },
      'True Quarantined',
    ],
  ])('%s: how much is enforced (ADR 12)', async (_what, policy, enforced) => {
    const report = await reportAfter(attachment({ policy }));
    expect(said(report)).toEqual({ Programmed: 'True Programmed', Enforced: enforced });
    expect(report.enforced).toBeDefined();
  });

  test('quarantined for its violations: True, and the way out', async () => {
    const object = attachment({ policy: { violation: { action: 'Quarantine' } } });
    await reportAfter(object);
    violate(host, 'vm-a');
    const report = await reportAfter(object);
    expect(said(report)).toEqual({ Programmed: 'True Programmed', Enforced: 'True Quarantined' });
    expect(report.conditions[1]?.message).toMatch(
      /since .* for its violations.* set desiredState: Quarantined, then Active$/,
    );
  });

  test('refused by the class: denied, and nothing is enforced', async () => {
    const report = await reportAfter(
      attachment({ policy: { enforcement: 'Audit' } }),
      classes(networkClass()),
    );
    expect(said(report)).toEqual({ Programmed: 'False DeniedByClass', Enforced: 'False Denied' });
    expect(report.enforced).toBeUndefined();
  });

  test('refused by the host (an endpoint that is its own address): denied, with the reason', async () => {
    const policy = { consumerEndpoint: { address: '192.0.2.99', port: 1 } };
    const report = await reportAfter(attachment({ policy }));
    expect(said(report)).toEqual({ Programmed: 'False Denied', Enforced: 'False Denied' });
    expect(report.conditions[0]?.message).toContain('192.0.2.99');
  });

  test('a previous endpoint that is an address of this host is none that a guest may reach', async () => {
    const previousEndpoint = { address: '192.0.2.99', port: 1, until: '2026-01-31T12:00:30Z' };
    const report = await reportAfter(attachment({ policy: { previousEndpoint } }));
    expect(report.conditions[0]).toMatchObject({
      reason: 'Denied',
      message: expect.stringContaining('192.0.2.99'),
    });
  });

  test('nothing but a read-back of this pass is Enforced', async () => {
    const readBack = host.kernel.readBack.bind(host.kernel);
    host.kernel.readBack = (pinDir) => ({
      ...readBack(pinDir),
      policyHash: 'something else',
    });
    const report = await reportAfter(attachment());
    expect(said(report)).toEqual({
      Programmed: 'False ProgrammingFailed',
      Enforced: 'False ReadBackMismatch',
    });
    expect(report.enforced).toBeUndefined();
  });

  test('a policy that another attachment asked for proves nothing for this one', async () => {
    const { judged, result } = await pass([attachment()]);
    const other = judgeAttachments({
      attachments: [wished(attachment())],
      classes: LAX,
      host: {
        nodeName: 'n',
        holders: new Map(),
        cards: new Map(),
        closedSites: new Map(),
        heldTaps: new Set(),
        taps: new Map([
          [
            identityOf('vm-a').tap,
            { vm: 'vm-a', mac: identityOf('vm-a').guestMac, guestAddress: '100.64.0.2' },
          ],
        ]),
        complete: true,
        nowNs: 0n,
        nowMs: 0,
      },
      vms: [],
      untilNs: () => 0n,
    })[0]!;
    expect(said(reportOf(judged[0]!, result))['Enforced']).toBe('True Verified');
    expect(said(reportOf(other, result))['Enforced']).toBe('False Pending');
  });

  test('the programs are gone: Detached, until they are back', async () => {
    await reportAfter(attachment());
    const replaceFilter = host.kernel.replaceFilter.bind(host.kernel);
    const attachFilter = host.kernel.attachFilter.bind(host.kernel);
    const refuse = (): never => {
      throw new VmnError('VMN_BPF_ATTACH', { attempted: 'attach' });
    };
    host.kernel.replaceFilter = host.kernel.attachFilter = refuse;
    host.kernel.rob(identityOf('vm-a').tap, 'from');
    expect(said(await reportAfter(attachment()))['Enforced']).toBe('False Detached');
    Object.assign(host.kernel, { replaceFilter, attachFilter });
    host.advance(60_000);
    expect(said(await reportAfter(attachment()))['Enforced']).toBe('True Verified');
  });

  describe('of a VM on a userspace engine', () => {
    let engine: ModelEngine;
    beforeEach(() => {
      host = new ModelHost();
      engine = putOnEngine(host, 'vm-a', { pid: 7, startTicks: 'run' });
    });

    test('enforced: which engine, no interface and no program', async () => {
      const report = await reportAfter(attachment());
      expect(said(report)).toEqual({ Programmed: 'True Programmed', Enforced: 'True Verified' });
      expect(report).toMatchObject({ engine: 'userspace', exposureMilliseconds: 0 });
      expect(report.interface).toBeUndefined();
      expect(Object.keys(report.enforced ?? {}).sort()).toEqual([
        'policyGeneration',
        'policyHash',
        'verifiedAt',
      ]);
    });

    test('the engine has ended: EngineLost', async () => {
      await reportAfter(attachment());
      engine.state = 'ended';
      const report = await reportAfter(attachment());
      expect(said(report)).toEqual({ Programmed: 'False EngineLost', Enforced: 'False EngineLost' });
      expect(report.enforced).toBeUndefined();
    });

    test('being deleted it is Released once deny-all was read back, and not before', async () => {
      await reportAfter(attachment());
      expect(engine.policy).not.toBeNull();
      host.engines.control = () => {
        throw new VmnError('VMN_NAT_UNREACHABLE', { attempted: 'speak' });
      };
      const end = host.engines.end.bind(host.engines);
      host.engines.end = () => Promise.reject(new VmnError('VMN_NAT_UNREACHABLE', { attempted: 'end' }));
      expect(said(await reportAfter(attachment({ deleting: true })))['Released']).toBe('False Pending');
      engine.state = 'silent';
      expect(said(await reportAfter(attachment({ deleting: true })))['Released']).toBe('False Pending');
      host.engines.end = end;
      expect(said(await reportAfter(attachment({ deleting: true })))['Released']).toBe('True Denied');
    });
  });

  describe('that is being deleted', () => {
    test('is Released once deny-all was read back', async () => {
      await reportAfter(attachment());
      const report = await reportAfter(attachment({ deleting: true, generation: 2 }));
      expect(said(report)).toEqual({
        Programmed: 'False Denied',
        Enforced: 'False Denied',
        Released: 'True Denied',
      });
      expect(report.observedGeneration).toBe(2);
    });

    test('is not Released while the policy cannot be taken away', async () => {
      await reportAfter(attachment());
      host.kernel.writePolicy = () => {
        throw new VmnError('VMN_BPF_MAP', { attempted: 'empty the policy' });
      };
      host.kernel.setLink = () => {
        throw new VmnError('VMN_NETLINK', { attempted: 'set link' });
      };
      expect(said(await reportAfter(attachment({ deleting: true })))['Released']).toBe('False Pending');
    });

    test('is Released when its card is not here', async () => {
      const report = await reportAfter(attachment({ vm: 'vm-z', deleting: true }));
      expect(said(report)['Released']).toBe('True Gone');
    });

    test('is not Released while it is not known whether its card is here', async () => {
      host.damageRecord('vm-a');
      expect(said(await reportAfter(attachment({ deleting: true })))['Released']).toBe('False Pending');
    });
  });

  test('of a card that is not here: pending, and says which', async () => {
    const report = await reportAfter(attachment({ vm: 'vm-z' }));
    expect(said(report)).toEqual({ Programmed: 'False Pending', Enforced: 'False Pending' });
    expect(report.conditions[0]?.message).toContain('vm-z');
    expect(report.interface).toBeUndefined();
  });

  test('of a backend that cannot be filtered: both conditions say so', async () => {
    const { judged, result } = await pass([attachment()]);
    const place = { at: 'found', unsupported: 'slirp', guestAddress: null } as const;
    expect(reportOf({ ...judged[0]!, place }, result).conditions).toEqual([
      { type: 'Programmed', status: 'False', reason: 'UnsupportedBackend', message: 'slirp' },
      { type: 'Enforced', status: 'False', reason: 'UnsupportedBackend', message: 'slirp' },
      expect.objectContaining({ type: 'TunnelEstablished', status: 'Unknown' }),
    ]);
  });

  test('a key that does not open is said; one that does is not, for no guest gets it', async () => {
    const { judged, result } = await pass([attachment()]);
    expect(said(reportOf(judged[0]!, result, 'does not open'))['GuestProvisioned']).toBe(
      'False InvalidSecret',
    );
    expect(said(reportOf(judged[0]!, result))['GuestProvisioned']).toBeUndefined();
  });

  test('after a pass that failed as a whole nothing is known to be enforced', async () => {
    const report = unverifiedReport(await reportAfter(attachment()), 'no netlink');
    expect(said(report)).toEqual({ Programmed: 'True Programmed', Enforced: 'Unknown Pending' });
    expect(report.enforced).toBeUndefined();
  });
});
