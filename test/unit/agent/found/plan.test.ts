import { describe, expect, test } from '@jest/globals';
import type { DesiredAttachment } from '../../../../src/agent/attachment/desired.ts';
import type { ObservedAttachment } from '../../../../src/agent/attachment/observed.ts';
import type { PlanContext } from '../../../../src/agent/attachment/plan.ts';
import { planFound } from '../../../../src/agent/found/plan.ts';
import { cardKeyOf } from '../../../../src/agent/wiring/card-key.ts';
import type { AttachmentRecord } from '../../../../src/agent/wiring/record.ts';
import type { Policy } from '../../../../src/native/policy-abi.ts';
import { wantedOf } from '../../../../src/agent/source/manifest-source.ts';
import { manifests } from '../support/model-host.ts';

const CARD = { vmId: 'vm-a', mac: '52:54:00:00:00:0a' };
const NETWORK = 't/vm-a';
const RECORD: AttachmentRecord = {
  version: 1,
  vm: CARD.vmId,
  tap: cardKeyOf(CARD),
  guestMac: CARD.mac,
  guestAddress: '100.64.0.2',
  network: NETWORK,
  claim: null,
  createdAt: '2026-01-01T00:00:00.000Z',
};
const HOOK = {
  linkId: 1,
  programId: 1,
  programTag: 'a',
  ifindex: 7,
  attachPoint: 'tcx/ingress',
  first: true,
} as const;

/** Closed, out of any bridge, and wired. */
function observed(over: Partial<ObservedAttachment> = {}): ObservedAttachment {
  return {
    tap: 'tap0',
    record: { state: 'ok', record: RECORD },
    link: {
      ...{
        ifindex: 7,
        name: 'tap0',
        mac: '02:76:6d:6e:00:01',
        alias: '',
        up: true,
        carrier: true,
        mtu: 1500,
      },
      ...{ master: 0, kind: 'tun', owner: { vm: 'vm-a' } },
    },
    filter: { fromVm: HOOK, toVm: HOOK, policy: null, policyState: 'empty', policyHash: null },
    fault: null,
    currentProgram: true,
    stagedReplacement: false,
    pinned: true,
    policy: null,
    crossings: 0,
    holders: [],
    wrongSettings: [],
    routes: [RECORD.guestAddress],
    neighbours: [{ address: RECORD.guestAddress, mac: CARD.mac }],
    claimed: true,
    ...over,
  };
}

const CONTEXT: PlanContext = {
  nowNs: 0n,
  lastGeneration: 0n,
  newSecret: () => new Uint8Array(16),
  now: '2026-01-01T00:00:00.000Z',
  guarded: true,
  endingOf: () => 'alive',
};

function wish(port = 51900): DesiredAttachment {
  const set = manifests({ 'vm-a': { consumerEndpoint: { address: '203.0.113.10', port } } });
  const [attachment] = wantedOf(set, { nodeName: 'node', holders: new Map(), cards: new Map() }).attachments;
  return { want: 'program', vm: 'vm-a', network: NETWORK, intent: attachment!.intent! };
}

const kinds = (desired: DesiredAttachment, seen: ObservedAttachment, context = CONTEXT): string[] =>
  planFound({ desired, card: CARD }, seen, context).actions.map((action) =>
    'policy' in action ? `${action.kind} ${action.policy === null ? 'null' : 'set'}` : action.kind,
  );

/** The policy that a plan comes to. */
function policyFor(desired: DesiredAttachment): Policy {
  const { policy } = planFound({ desired, card: CARD }, observed(), CONTEXT);
  if (policy === null) throw new Error('no policy');
  return policy;
}

function judging(policy: Policy, over: Partial<ObservedAttachment> = {}): ObservedAttachment {
  const filter = { fromVm: HOOK, toVm: HOOK, policy: new Uint8Array(128), policyHash: 'x' };
  return observed({ policy, filter: { ...filter, policyState: 'set' }, ...over });
}

describe('what is done to a link that somebody else made', () => {
  test('one whose programs are missing is closed, and nothing else in the same round', () => {
    expect(kinds(wish(), observed({ fault: 'the from-VM program is not attached' }))).toEqual(['close-link']);
  });

  test('a card without a record gets one before anything passes', () => {
    const seen = observed({ record: { state: 'absent' }, routes: [], neighbours: [] });
    expect(kinds(wish(), seen)).toEqual(['make-record']);
  });

  test('the policy of another card goes first, with all that leads there: nothing of it is gone on with', () => {
    const anothers = { ...policyFor(wish()), guestMac: '52:54:00:00:00:0b', guestAddress: '100.64.0.3' };
    const seen = judging(anothers, { routes: ['100.64.0.3'], neighbours: [] });
    expect(kinds(wish(51901), seen)).toEqual(['write-policy null', 'drop-route']);
  });

  test('in a bridge it leaves it before its policy is written', () => {
    const link = { ...observed().link!, master: 9 };
    expect(kinds(wish(), observed({ link }))).toEqual(['leave-bridge', 'write-policy set']);
  });

  test('in a bridge, with no guard between them, it is denied', () => {
    const link = { ...observed().link!, master: 9 };
    const seen = judging(policyFor(wish()), { link });
    expect(kinds(wish(), seen, { ...CONTEXT, guarded: false })).toContain('write-policy null');
  });

  test('denied it stays where it is, and nothing leads there', () => {
    const link = { ...observed().link!, master: 9 };
    const deny: DesiredAttachment = { want: 'deny', vm: 'vm-a', network: null, reason: 'no' };
    const seen = judging(policyFor(wish()), { link });
    expect(kinds(deny, seen)).toEqual(['write-policy null', 'drop-route', 'drop-neighbour']);
    expect(kinds(deny, observed({ routes: [], neighbours: [], link }))).toEqual([]);
  });

  test('gone, its pins go; elsewhere, they stay and are emptied', () => {
    const nowhere = { ...HOOK, ifindex: 0, first: false };
    const filter = { ...observed().filter, fromVm: nowhere, toVm: nowhere };
    expect(kinds(wish(), observed({ link: null, filter }))).toEqual(['remove-pins']);
    expect(kinds(wish(), judging(policyFor(wish()), { link: null }))).toEqual(['write-policy null']);
    expect(kinds(wish(), observed({ link: null }))).toEqual([]);
  });

  test('a record that cannot be read, or of another card, denies', () => {
    const record = { ...RECORD, guestMac: '52:54:00:00:00:0c' };
    const seen = judging(policyFor(wish()), { record: { state: 'ok', record } });
    const plan = planFound({ desired: wish(), card: CARD }, seen, CONTEXT);
    expect([plan.policy, plan.blocked?.code, plan.actions[0]]).toEqual([
      null,
      'VMN_TAP_NOT_OURS',
      { kind: 'write-policy', policy: null },
    ]);
  });
});
