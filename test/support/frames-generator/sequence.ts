import { CORPUS_CAST } from '../corpus/load-corpus.ts';
import { patched, u16 } from '../frames/bytes.ts';
import { Mode, policyBytes, type PolicyFields } from '../frames/policy-bytes.ts';
import { GeneratedClock } from './clock.ts';
import { GRACE } from './corpus-scenario.ts';
import { Dice } from './dice.ts';
import { notToldToTheKernel } from './kernel-limits.ts';
import { MUTATIONS, withRightChecksum } from './mutation.ts';
import { changedPolicy, generatePolicy, inForce, NOW, type GeneratedPolicy } from './policy.ts';
import { scenario, type Scenario } from './scenario.ts';

/**
 * Frames of one VM, one after the other, under a few policies that take turns. What its filter remembers begins with the
 * sequence.
 *
 * `kernel`: every engine can be told all of it. BPF_PROG_TEST_RUN knows no pending checksum and no super-frame of UDP
 * segments, and the kernel's clock cannot be set: grace is over or not, and limits let everything through or nothing.
 * `host`: whatever there is, for the two engines that are told everything.
 */
export interface Sequence {
  readonly venue: 'kernel' | 'host';
  readonly steps: readonly Scenario[];
}

export interface SequenceSource {
  readonly seed: number;
  readonly venue: Sequence['venue'];
  /** Frames of one sequence, or a few less. */
  readonly length: number;
  /** What frames start from besides valid ones. */
  readonly corpus: readonly Scenario[];
}

const POLICIES = 4;
const STARTS_OF_A_POLICY = 48;
const LIMITED = 0.03;
const FLOWS = 3000;
const SECOND = 1_000_000_000n;

/** The same sequences for the same source, without end. */
export function* sequences(source: SequenceSource): Generator<Sequence, never> {
  const dice = new Dice(source.seed);
  for (;;) {
    const { venue, corpus } = source;
    const maker = { dice, clock: new GeneratedClock(), venue, corpus, nowNs: NOW };
    const policies = policiesOf(maker);
    const each = Math.ceil(source.length / policies.length);
    yield { venue, steps: policies.flatMap((policy) => under(maker, policy, each)) };
  }
}

const isTold = (step: Scenario): boolean => notToldToTheKernel(step) === null;

interface Maker {
  readonly dice: Dice;
  readonly clock: GeneratedClock;
  readonly venue: Sequence['venue'];
  readonly corpus: readonly Scenario[];
  nowNs: bigint;
}

function policiesOf(maker: Maker): GeneratedPolicy[] {
  const { dice, corpus } = maker;
  const policies = [
    corpus.length > 0 && dice.chance(0.3)
      ? rewritten(dice.pick(corpus).policy, { secret: dice.bytes(16) })
      : generatePolicy(dice),
  ];
  while (policies.length < POLICIES) {
    const earlier = dice.pick(policies);
    const next = dice.chance(0.04) ? rewritten(earlier, { quarantined: true }) : changedPolicy(dice, earlier);
    policies.push(dice.chance(0.2) ? earlier : next);
  }
  const limited = dice.chance(LIMITED);
  return maker.venue === 'host' ? policies : policies.map((policy) => forTheKernel(policy, dice, limited));
}

/** The same whatever the time is. */
function forTheKernel(policy: GeneratedPolicy, dice: Dice, limited: boolean): GeneratedPolicy {
  const { previous } = policy.fields;
  return rewritten(policy, {
    egressBitsPerSecond: limited ? dice.pick([0, 1, 1, 100_000_000_000, 2 ** 63]) : 0,
    packetsPerSecond: limited ? dice.pick([0, 0, 1_000_000_000, 2 ** 53]) : 0,
    ...(previous !== undefined && {
      previous: { ...previous, untilNs: previous.untilNs > NOW ? GRACE.alive : GRACE.expired },
    }),
  });
}

/** With other fields, if it has any that count. */
function rewritten(policy: GeneratedPolicy, changed: Partial<PolicyFields>): GeneratedPolicy {
  if (typeof policy.inForce === 'string') return policy;
  const fields = { ...policy.fields, ...changed };
  return { fields, bytes: policyBytes(fields), inForce: inForce(fields) };
}

/** `count` frames under a policy, most of them made from a few that were built anew. None when none can be. */
function under(maker: Maker, policy: GeneratedPolicy, count: number): Scenario[] {
  maker.nowNs += SECOND; // what is owed under an earlier policy is paid
  const starts = startsOf(maker, policy, Math.min(count, STARTS_OF_A_POLICY));
  return starts.length === 0
    ? []
    : Array.from({ length: count }, () => varied(maker, policy, maker.dice.pick(starts)));
}

function startsOf(maker: Maker, policy: GeneratedPolicy, count: number): Scenario[] {
  const { dice, clock, corpus, venue } = maker;
  const isOfCorpus = corpus.length > 0 && policy.fields.guestAddress === CORPUS_CAST.guestAddress;
  const starts = Array.from({ length: count }, () =>
    isOfCorpus && dice.chance(0.7) ? { ...dice.pick(corpus), policy } : scenario(dice, clock, 0, policy),
  );
  return venue === 'host' ? starts : starts.map(toldToTheKernel).filter(isTold);
}

/** Somewhat another frame, at another time. */
function varied(maker: Maker, policy: GeneratedPolicy, start: Scenario): Scenario {
  const { dice, clock, venue } = maker;
  const names = Array.from({ length: dice.pick([0, 0, 0, 1, 1, 2]) }, () => dice.pick(MUTATION_NAMES));
  let frame = start.frame;
  for (const name of names) frame = MUTATIONS[name]?.(frame, dice, policy.fields) ?? frame;
  if (names.length > 0 && frame[12] === 0x08 && frame[13] === 0 && dice.chance(0.85))
    frame = withRightChecksum(frame);
  if (policy.fields.mode === Mode.conntrack && dice.chance(0.4)) frame = ofAnotherFlow(frame, start, dice);
  maker.nowNs += 1000n;
  const nowNs = venue === 'host' ? clock.next(dice, policy.fields) : maker.nowNs;
  const circumstances = { ...start.circumstances, nowNs, nonce: venue === 'host' ? dice.word64() : 0n };
  const next = { ...start, frame, circumstances, mutations: [...start.mutations, ...names] };
  return venue === 'host' || isTold(next) ? next : { ...start, circumstances };
}

/** One of more flows than a table holds. The header checksum does not reach as far as the ports. */
function ofAnotherFlow(frame: Uint8Array, { direction }: Scenario, dice: Dice): Uint8Array {
  const at = direction === 'from-vm' ? 34 : 36;
  return frame.length < at + 2 ? frame : patched(frame, at, [...u16(1 + dice.below(FLOWS))]);
}

const MUTATION_NAMES = Object.keys(MUTATIONS);

/** Without what it cannot be told. */
function toldToTheKernel(start: Scenario): Scenario {
  const { superFrame } = start.circumstances;
  const kept = superFrame?.kind === 'other' ? superFrame : null;
  return { ...start, circumstances: { ...start.circumstances, pendingChecksumAt: null, superFrame: kept } };
}
