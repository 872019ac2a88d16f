/**
 * From a sequence in which engines differ to the smallest one found in which they still do. Nothing is known about why:
 * each change is tried, and kept when the difference remains.
 */
import { policyBytes, type PolicyFields } from '../frames/policy-bytes.ts';
import { type GeneratedPolicy, inForce } from '../frames-generator/policy.ts';
import type { Scenario } from '../frames-generator/scenario.ts';
import { withRightChecksum } from '../frames-generator/mutation.ts';
import { recast } from './recast.ts';

type Steps = readonly Scenario[];

/** Something left out of a sequence, or null when there is nothing to leave out. */
type Change = (steps: Steps) => Steps | null;

export interface Shrunk {
  readonly steps: Steps;
  /** How often engines were asked. */
  readonly tries: number;
}

/** @param differs whether engines differ anywhere in these steps; asked at most `mostTries` times */
export function shrink(steps: Steps, differs: (steps: Steps) => boolean, mostTries = 600): Shrunk {
  let best = steps;
  let tries = 0;
  const tried = (change: Change): boolean => {
    if (tries >= mostTries) return false;
    const smaller = change(best);
    if (smaller === null) return false;
    tries += 1;
    if (!differs(smaller)) return false;
    best = smaller;
    return true;
  };
  for (let progress = true; progress && tries < mostTries;) {
    progress = dropSteps(() => best, tried);
    for (const change of POLICY_CHANGES) progress = tried(change) || progress;
    for (let at = 0; at < best.length; at += 1) {
      for (const change of BESIDE_CHANGES) progress = tried(atStep(at, change)) || progress;
      progress = shortenFrame(at, () => best, tried) || progress;
    }
  }
  return { steps: best, tries };
}

/** Halves, quarters, and so on down to single frames. */
function dropSteps(steps: () => Steps, tried: (change: Change) => boolean): boolean {
  let progress = false;
  for (let size = Math.ceil(steps().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < steps().length && steps().length > 1;) {
      const without: Change = (all) => [...all.slice(0, at), ...all.slice(at + size)];
      if (without(steps())?.length !== 0 && tried(without)) progress = true;
      else at += size;
    }
  return progress;
}

/** Bytes off the end, then zeros instead of bytes, in ever smaller pieces. */
function shortenFrame(at: number, steps: () => Steps, tried: (change: Change) => boolean): boolean {
  const length = (): number => steps()[at]?.frame.length ?? 0;
  let progress = false;
  for (const cut of [shorter, honestlyShorter])
    for (let size = Math.floor(length() / 2); size >= 1; size = Math.floor(size / 2))
      while (length() > size && tried(atFrame(at, (frame) => cut(frame, size)))) progress = true;
  for (let size = Math.ceil(length() / 4); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 4))
    for (let from = 0; from < length(); from += size)
      progress = tried(atFrame(at, (frame) => zeroed(frame, from, size))) || progress;
  return progress;
}

const shorter = (frame: Uint8Array, size: number): Uint8Array => frame.slice(0, frame.length - size);

/** With lengths that say so. */
function honestlyShorter(frame: Uint8Array, size: number): Uint8Array | null {
  const changed = shorter(frame, size);
  if (changed.length < 34 || frame[12] !== 0x08 || frame[13] !== 0) return null;
  const view = new DataView(changed.buffer);
  view.setUint16(16, changed.length - 14);
  if (changed.length >= 42) view.setUint16(38, changed.length - 34);
  return withRightChecksum(changed);
}

function zeroed(frame: Uint8Array, from: number, size: number): Uint8Array | null {
  if (frame.subarray(from, from + size).every((byte) => byte === 0)) return null;
  const changed = Uint8Array.from(frame).fill(0, from, from + size);
  const ofHeader = from < 34 && from + size > 14;
  return ofHeader ? withRightChecksum(changed) : changed;
}

function atStep(at: number, change: (step: Scenario) => Scenario | null): Change {
  return (steps) => {
    const step = steps[at];
    const changed = step === undefined ? null : change(step);
    return changed === null ? null : steps.with(at, changed);
  };
}

function atFrame(at: number, change: (frame: Uint8Array) => Uint8Array | null): Change {
  return atStep(at, (step) => {
    const frame = change(step.frame);
    return frame === null ? null : { ...step, frame };
  });
}

const BESIDE_CHANGES: readonly ((step: Scenario) => Scenario | null)[] = (
  [
    ['vlanInMetadata', false],
    ['superFrame', null],
    ['pendingChecksumAt', null],
    ['ownAnswer', false],
    ['nonce', 0n],
  ] as const
).map(
  ([key, plain]) =>
    (step) =>
      step.circumstances[key] === plain
        ? null
        : { ...step, circumstances: { ...step.circumstances, [key]: plain } },
);

/** The same change for each policy of the sequence; two steps of one policy still have one. */
function ofPolicies(change: (fields: PolicyFields) => PolicyFields | null): Change {
  return (steps) => {
    const changed = new Map<GeneratedPolicy, GeneratedPolicy>();
    for (const { policy } of steps) {
      const fields = typeof policy.inForce === 'string' ? null : change(policy.fields);
      if (fields !== null)
        changed.set(policy, { fields, bytes: policyBytes(fields), inForce: inForce(fields) });
    }
    if (changed.size === 0) return null;
    return steps.map((step) => ({ ...step, policy: changed.get(step.policy) ?? step.policy }));
  };
}

const without = (fields: PolicyFields, plain: Partial<PolicyFields>): PolicyFields | null => {
  const keys = Object.keys(plain) as (keyof PolicyFields)[];
  return keys.every((key) => same(fields[key], plain[key])) ? null : { ...fields, ...plain };
};

const same = (a: unknown, b: unknown): boolean => text(a) === text(b);
const text = (value: unknown): string =>
  JSON.stringify(value ?? null, (_, inner: unknown) =>
    typeof inner === 'bigint' ? `${inner.toString()}n` : inner,
  );

const POLICY_CHANGES: readonly Change[] = [
  (steps) => {
    const last = steps.at(-1)?.policy;
    if (last === undefined || steps.every(({ policy }) => policy === last)) return null;
    return steps.map((step) => ({ ...step, policy: last }));
  },
  recast,
  ...(
    [
      { strict: false },
      { quarantined: false },
      { audit: false },
      { mode: 1, samplePerMillion: 0 },
      { maxPacketBytes: 0 },
      { egressBitsPerSecond: 0 },
      { packetsPerSecond: 0 },
      { violation: { threshold: 0, windowMs: 0 } },
      { generation: 7n },
      { secret: new Uint8Array(16) },
    ] satisfies Partial<PolicyFields>[]
  ).map((plain) => ofPolicies((fields) => without(fields, plain))),
  ofPolicies(({ previous, ...rest }) => (previous === undefined ? null : rest)),
];
