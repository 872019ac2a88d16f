import { MOST_DENIED } from '../../../../src/controller/vmnetwork/plan/policy-intent.ts';
import { MAX_DENIED } from '../../../../src/native/policy-abi.ts';
import { describe, expect, test } from '@jest/globals';
import { clusterWanted } from '../../../../src/agent/source/cluster/cluster-wanted.ts';
import { judgeAttachments } from '../../../../src/agent/source/cluster/judge.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import {
  attachment,
  classes,
  ENDPOINT,
  host,
  judge,
  networkClass,
  wished,
} from '../support/cluster-objects.ts';

const { tap, guestMac } = identityOf('vm-a');
const only = (...args: Parameters<typeof judge>) => judge(...args)[0];

const NO_KEYS = () => ({ kind: 'none' }) as const;

describe('an attachment as its host judges it', () => {
  test('of a card that is here: what is to be enforced', () => {
    expect(only([attachment()])).toMatchObject({
      place: { at: 'tap', tap, guestAddress: '100.64.0.2' },
      network: 't/net',
      refusal: null,
      intent: {
        network: 't/net',
        endpoint: ENDPOINT,
        graceSeconds: 0,
        previous: null,
        quarantined: false,
        strictWireGuard: true,
        mode: 'Filtered',
        samplePerMillion: 0,
        audit: false,
        limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 },
        violation: { action: 'Drop', threshold: 1, windowSeconds: 10 },
      },
    });
  });

  test('every field that the filter judges by is taken from the policy', () => {
    const policy = {
      mode: 'Sampled',
      sampling: { ratePerMillion: 50_000 },
      enforcement: 'Audit',
      desiredState: 'Quarantined',
      strictWireGuard: false,
      limits: { packetsPerSecond: 7, egressBitsPerSecond: 9 },
      violation: { action: 'Terminate', threshold: 3, windowSeconds: 4 },
    };
    const lax = classes(networkClass({ allowAudit: true, allowNonStrict: true }));
    expect(only([attachment({ policy })], host(), lax)?.intent).toMatchObject({
      mode: 'Sampled',
      samplePerMillion: 50_000,
      audit: true,
      quarantined: true,
      strictWireGuard: false,
      limits: { packetsPerSecond: 7, egressBitsPerSecond: 9 },
      // Audit acts on nothing.
      violation: { action: 'Drop', threshold: 3, windowSeconds: 4 },
    });
  });

  test.each([
    ['that is being deleted', attachment({ deleting: true }), 'Denied', /being deleted/],
    ['whose hash is another', attachment({ hash: '0'.repeat(64) }), 'Invalid', /hash/],
    [
      'of a newer version',
      { ...attachment(), spec: { ...(attachment().spec as object), novelty: 1 } },
      'Invalid',
      /novelty/,
    ],
    ['without a class', attachment({ policy: { className: 'gone' } }), 'ClassNotFound', /"gone"/],
    [
      'in mode Direct',
      attachment({ policy: { mode: 'Direct', consumerEndpoint: undefined } }),
      'DeniedByClass',
      /spec\.mode \(Direct\)/,
    ],
    ['that audits', attachment({ policy: { enforcement: 'Audit' } }), 'DeniedByClass', /Audit/],
    ['without strictness', attachment({ policy: { strictWireGuard: false } }), 'DeniedByClass', /strict/],
    [
      'with an endpoint in the cluster',
      attachment({ policy: { consumerEndpoint: { address: '10.97.0.1', port: 1 } } }),
      'DeniedByClass',
      /10\.96\.0\.0\/12/,
    ],
    [
      'with another gateway',
      attachment({ policy: { gatewayAddress: '169.254.1.2' } }),
      'Unsupported',
      /gatewayAddress/,
    ],
    [
      'with a guest address that is not its',
      attachment({ policy: { guestAddress: '100.64.0.9' } }),
      'Unsupported',
      /100\.64\.0\.9/,
    ],
    [
      'with more than the filter can count',
      attachment({ policy: { limits: { packetsPerSecond: 2_000_000_000 } } }),
      'Unsupported',
      /packetsPerSecond/,
    ],
  ])('one %s is denied, with the reason', (_what, object, reason, message) => {
    expect(only([object])).toMatchObject({
      intent: null,
      refusal: { reason, message: expect.stringMatching(message) },
    });
  });

  test('[NM-1] Direct denies what its class and this cluster do, asked again here; with more than the filter holds, all', () => {
    const object = attachment({ policy: { mode: 'Direct', consumerEndpoint: undefined } });
    const direct = (ranges: readonly string[] | null) => {
      const known = classes(networkClass({ allowedModes: ['Direct'] }));
      const changed = [...known].map(
        ([name, found]) => [name, { ...found, clusterRanges: ranges as never }] as const,
      );
      return only([object], host(), new Map(changed));
    };
    expect(direct(['198.51.100.7/32'])?.intent).toMatchObject({
      ...{ mode: 'Direct', endpoint: null, previous: null },
      denied: expect.arrayContaining([{ first: '198.51.100.7', last: '198.51.100.7' }]),
    });
    const scattered = (count: number): string[] =>
      Array.from({ length: count }, (_, at) => `20.${at >> 7}.${(at & 127) * 2}.1/32`);
    const others = direct([])?.intent?.denied?.length ?? 0;
    expect(direct(scattered(MOST_DENIED - others))?.intent?.denied).toHaveLength(MOST_DENIED);
    expect(direct(scattered(MOST_DENIED - others + 1))?.refusal).toMatchObject({ reason: 'Unsupported' });
    expect(direct(null)?.refusal?.reason).toBe('Pending');
    const closed = only([object], host(), classes(networkClass({ allowedModes: ['Filtered'] })));
    expect(closed?.refusal?.reason).toBe('DeniedByClass');
    expect(MOST_DENIED).toBe(MAX_DENIED - 1);
  });

  test.each([
    ['does not tell the ranges of the cluster yet', networkClass({}, { status: null }), 'Pending'],
    ['tells ranges that are none', networkClass({}, { status: { clusterRanges: ['x'] } }), 'ClassNotFound'],
    ['has a spec of a newer version', networkClass({ novelty: true }), 'ClassNotFound'],
  ])('a class that %s allows nothing', (_what, object, reason) => {
    expect(only([attachment()], host(), classes(object))?.refusal?.reason).toBe(reason);
  });

  test('a limit that a controller left out is that of the class', () => {
    const maximum = { packetsPerSecond: 100, egressBitsPerSecond: 0 };
    const known = classes(networkClass({ limits: { maximum } }));
    expect(only([attachment()], host(), known)?.intent?.limits).toEqual(maximum);
  });

  describe('the previous endpoint', () => {
    const previousEndpoint = { address: '198.51.100.7', port: 1, until: '2026-01-31T12:00:30Z' };

    test('is stated, with its deadline', () => {
      expect(only([attachment({ policy: { previousEndpoint } })])?.intent?.previous).toEqual({
        endpoint: { address: '198.51.100.7', port: 1 },
        untilNs: 5_000_000_000n,
      });
    });

    test('goes at once when the class has come to forbid it; the present one stays', () => {
      const denied = networkClass({ deniedDestinations: { networks: ['198.51.100.0/24'] } });
      const judged = only([attachment({ policy: { previousEndpoint } })], host(), classes(denied));
      expect(judged?.intent).toMatchObject({ endpoint: ENDPOINT, previous: null });
    });
  });

  test('two for one card: both are denied, also while one is being deleted', () => {
    const rivals = judge([attachment(), attachment({ name: 'other', policy: { network: 'other' } })]);
    expect(rivals.map(({ intent, refusal }) => [intent, refusal?.reason])).toEqual([
      [null, 'Conflict'],
      [null, 'Conflict'],
    ]);
    const [leaving, coming] = judge([attachment({ deleting: true }), attachment({ name: 'other' })]);
    expect([leaving?.refusal?.reason, coming?.refusal?.reason]).toEqual(['Denied', 'Conflict']);
  });

  test('one that cannot be read still claims its card', () => {
    const odd = attachment({ name: 'odd' });
    odd.spec = { ...(odd.spec as object), novelty: 1 };
    expect(judge([attachment(), odd]).map(({ intent }) => intent)).toEqual([null, null]);
    expect(clusterWanted(judge([attachment(), odd]), true, [], NO_KEYS).attachments).toEqual([
      expect.objectContaining({ vm: 'vm-a', intent: null, network: null }),
    ]);
  });

  describe('a card that is not on a tap of ours', () => {
    const unread = new Map([[tap, null]]);
    test.each([
      ['no such VM', host([]), 'nowhere'],
      [
        'the VM with another card',
        host(['vm-a'], { taps: new Map([[tap, card('02:00:00:00:00:09')]]) }),
        'nowhere',
      ],
      [
        'another VM of that tap name',
        host([], { taps: new Map([[tap, { ...card(), vm: 'b' }]]) }),
        'nowhere',
      ],
      ['a record that cannot be read', host([], { taps: unread }), 'unknown'],
      ['records that cannot be listed', host([], { complete: false }), 'unknown'],
    ])('%s', (_what, view, at) => {
      const [judged] = judge([attachment()], view);
      expect(judged).toMatchObject({ place: { at }, intent: null, refusal: null });
      expect(clusterWanted([judged!], true, [], NO_KEYS).attachments).toEqual([]);
    });

    test('one that somebody else made is found, and says why it cannot be filtered', () => {
      const cards = [{ mac: guestMac, link: null, unsupported: 'slirp', pid: null, startTicks: null }];
      const reported = { id: 'vm-a', name: 'vm-a', labels: {}, interfaces: [] };
      const [judged] = judgeAttachments({
        attachments: [wished(attachment())],
        classes: classes(networkClass()),
        host: host([]),
        vms: [{ reported, cards }],
        untilNs: () => 0n,
      });
      expect(judged?.place).toEqual({ at: 'found', unsupported: 'slirp', guestAddress: null });
    });

    function card(mac: string = guestMac) {
      return { vm: 'vm-a', mac, guestAddress: '100.64.0.2' };
    }
  });
});

describe('what the attachments come to for a host', () => {
  test('one wish for each VM that is here, and the networks that they name', () => {
    const judged = judge(
      [
        attachment({ vm: 'vm-b', policyGeneration: 7 }),
        attachment({ vm: 'vm-a' }),
        attachment({ vm: 'elsewhere' }),
        attachment({ vm: 'vm-c', policy: { network: 'other', className: 'gone' } }),
      ],
      host(['vm-a', 'vm-b', 'vm-c']),
    );
    const wanted = clusterWanted(judged, true, [], NO_KEYS);
    expect(wanted.attachments).toEqual([
      { vm: 'vm-a', network: 't/net', intent: expect.objectContaining({ network: 't/net' }), reason: '' },
      { vm: 'vm-b', network: 't/net', intent: expect.objectContaining({ network: 't/net' }), reason: '' },
      { vm: 'vm-c', network: 't/other', intent: null, reason: expect.stringContaining('"gone"') },
    ]);
    expect(wanted.networks).toEqual([
      expect.objectContaining({
        generation: 7,
        file: 'VMNetworkAttachment t/net-vm-b',
        plan: expect.objectContaining({ key: 't/net', vms: ['elsewhere', 'vm-a', 'vm-b'] }),
      }),
      expect.objectContaining({
        plan: expect.objectContaining({
          key: 't/other',
          accepted: expect.objectContaining({ status: 'False', reason: 'ClassNotFound' }),
        }),
      }),
    ]);
  });
});
