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
  others: [],
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
    tunnel: null,
    filter: { fromVm: HOOK, toVm: HOOK, policy: null, policyState: 'empty', policyHash: null },
    fault: null,
    beside: { former: [], ours: [], foreign: [] },
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
  pool: '100.64.0.0/16',
  now: '2026-01-01T00:00:00.000Z',
  guarded: true,
  endingOf: () => 'alive',
};

function wish(port = 51900): DesiredAttachment {
  const set = manifests({ 'vm-a': { consumerEndpoint: { address: '203.0.113.10', port } } });
  const view = { nodeName: 'node', holders: new Map(), cards: new Map(), heldTaps: new Set<string>() };
  const [attachment] = wantedOf(set, view).attachments;
  const intent = attachment!.intent!;
  return { want: 'program', vm: 'vm-a', network: NETWORK, asked: intent, intent };
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

  test("another version's policy is replaced by this card's at once where the host leads its guest's address here", () => {
    const theirs = judging(policyFor(wish()), { policy: null, currentProgram: false });
    expect(kinds(wish(), theirs)).toEqual(['replace-filter set']);
    const elsewhere = { ...theirs, routes: ['100.64.0.3'] };
    expect(kinds(wish(), elsewhere).slice(0, 1)).toEqual(['replace-filter null']);
    // Programs of ours judge by no such thing: somebody wrote it.
    expect(kinds(wish(), { ...theirs, currentProgram: true }).slice(0, 1)).toEqual(['write-policy null']);
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

  describe('whose VM is to be ended', () => {
    const deny: DesiredAttachment = {
      want: 'deny',
      vm: 'vm-a',
      network: null,
      reason: 'its network is gone',
    };
    const holder = { pid: 77, startTicks: '770' };
    const toEnd = { answered: 1, quarantinedAt: '2026-01-01T00:00:00.000Z', toEnd: true };
    const ofCard = (
      violations: AttachmentRecord['violations'],
      card = RECORD,
    ): Partial<ObservedAttachment> => {
      return { record: { state: 'ok', record: { ...card, violations } } };
    };

    test('denied it is closed first, then ended: by a note of which process it is, then the end', () => {
      const seen = judging(policyFor(wish()), { ...ofCard(toEnd), holders: [holder] });
      const { actions } = planFound({ desired: deny, card: CARD }, seen, CONTEXT);
      expect(actions.at(0)).toEqual({ kind: 'write-policy', policy: null });
      expect(actions.slice(-2)).toEqual([
        { kind: 'note-violations', violations: { ...toEnd, holder } },
        { kind: 'end-vm', holder },
      ]);
      expect(kinds(deny, observed(ofCard({ ...toEnd, holder })))).toContain('end-vm');
      const bridged = { link: { ...observed().link!, master: 9 }, holders: [holder] };
      const unguarded = { ...CONTEXT, guarded: false };
      expect(kinds(wish(), observed({ ...ofCard(toEnd), ...bridged }), unguarded)).toContain('end-vm');
    });

    test('once it has ended that is noted, and whoever comes next is left alone', () => {
      const rest = { routes: [], neighbours: [], holders: [{ pid: 78, startTicks: '780' }] };
      const seen = observed({ ...ofCard({ ...toEnd, holder }), ...rest });
      const ended = { ...CONTEXT, endingOf: () => 'ended' as const };
      expect(planFound({ desired: deny, card: CARD }, seen, ended).actions).toEqual([
        { kind: 'note-violations', violations: { ...toEnd, toEnd: false } },
      ]);
      expect(kinds(deny, observed({ ...rest, ...ofCard({ ...toEnd, toEnd: false }) }))).toEqual([]);
    });

    test('which of two that hold it is the VM is not certain: said, and neither is ended', () => {
      const holders = [holder, { pid: 78, startTicks: '780' }];
      const plan = planFound({ desired: deny, card: CARD }, observed({ ...ofCard(toEnd), holders }), CONTEXT);
      expect([plan.blocked?.code, plan.actions.map(({ kind }) => kind)]).toEqual([
        'VMN_TAP_IN_USE',
        ['drop-route', 'drop-neighbour'],
      ]);
    });

    test('a record of another card, or no card that is known, ends nobody', () => {
      const others = { ...RECORD, guestMac: '52:54:00:00:00:0c' };
      const seen = observed({ ...ofCard(toEnd, others), holders: [holder] });
      expect(kinds(deny, seen)).not.toContain('end-vm');
      const mine = observed({ ...ofCard(toEnd), holders: [holder] });
      const { actions } = planFound({ desired: deny, card: null }, mine, CONTEXT);
      expect(actions.map(({ kind }) => kind)).not.toContain('end-vm');
    });
  });
});
