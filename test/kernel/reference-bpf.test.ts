import { afterAll, beforeAll, expect } from '@jest/globals';
import { Full } from '../../src/filter/full.ts';
import { reasonName } from '../../src/filter/drop-reason.ts';
import { removePins } from '../../src/native/bpffs.ts';
import { attachFilter, testRun, writePolicy } from '../../src/native/filter-engine.ts';
import { judge } from '../../src/native/verdict.ts';
import { policyBytes } from '../support/frames/policy-bytes.ts';
import { inForce, NOW, type GeneratedPolicy } from '../support/frames-generator/policy.ts';
import { metaOf, scenarios, type Scenario } from '../support/frames-generator/scenario.ts';
import { HeldTap } from '../support/native/held-tap.ts';
import { root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

// The same generated frames through all three: the eBPF program in the kernel, the C filter of the host, the reference.

const SEED = 1_000_003;
const FRAMES = 20_000;
const MARK_ANSWER = 0x0020_0000;
const ACTIONS = { allow: -1, drop: 2, reply: 7 };

const { test } = requires(root);

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('reference');
  attachFilter(held.pinDir, held.ifindex);
}, 30_000);
afterAll(async () => {
  if (held !== undefined) removePins(held.pinDir, { attachedToo: true });
  await held?.close();
}, 30_000);

/** BPF_PROG_TEST_RUN knows no pending checksum, no tag beside the frame, and, on newer kernels, no IP without a header. */
function canRun({ frame, circumstances }: Scenario): boolean {
  const header =
    frame[12] === 0x08 && frame[13] === 0x00 ? 20 : frame[12] === 0x86 && frame[13] === 0xdd ? 40 : 0;
  return (
    frame.length >= 14 + header && circumstances.pendingChecksumAt === null && !circumstances.vlanInMetadata
  );
}

/** The program reads the kernel's clock: a grace that runs gets another hour from now, one that is over stays so. */
function byTheKernelsClock(policy: GeneratedPolicy, nowNs: bigint): GeneratedPolicy {
  const { previous, ...rest } = policy.fields;
  if (previous === undefined || typeof policy.inForce === 'string') return policy;
  const untilNs = previous.untilNs > NOW ? nowNs + 3_600_000_000_000n : 1n;
  const fields = { ...rest, previous: { ...previous, untilNs } };
  return { fields, bytes: policyBytes(fields), inForce: inForce(fields) };
}

test(`${String(FRAMES)} generated frames: same reason, action and answer in eBPF, in C and in the reference`, () => {
  const reference = new Full();
  const nowNs = process.hrtime.bigint();
  const byPolicy = new Map<GeneratedPolicy, Scenario[]>();
  const source = scenarios(SEED);
  for (let taken = 0; taken < FRAMES;) {
    const scenario = source.next().value;
    if (!canRun(scenario)) continue;
    byPolicy.set(scenario.policy, [...(byPolicy.get(scenario.policy) ?? []), scenario]);
    taken += 1;
  }

  const differences: string[] = [];
  const reasons = new Set<string>();
  for (const [generated, itsScenarios] of byPolicy) {
    const policy = byTheKernelsClock(generated, nowNs);
    writePolicy(held.pinDir, policy.bytes);
    for (const { direction, frame, circumstances, mutations } of itsScenarios) {
      const now = { ...circumstances, nowNs };
      const expected = reference.judge(direction, policy.inForce, frame, now);
      const run = testRun(held.pinDir, direction, frame, {
        mark: circumstances.ownAnswer ? MARK_ANSWER : 0,
        gsoSize: circumstances.superFrame ? 512 : 0,
      });
      const inC = judge(direction, policy.bytes, frame, metaOf(now));
      const answer = expected.answer ?? frame;
      reasons.add(`${direction} ${expected.reason}`);
      const same =
        run.reason === expected.reasonCode &&
        inC === expected.reasonCode &&
        run.action === ACTIONS[expected.action] &&
        Buffer.compare(run.frame, answer) === 0;
      if (!same && differences.length < 10)
        differences.push(
          `seed ${String(SEED)}, ${direction}, after ${mutations.join(', ')}: reference ${expected.reason}, ` +
            `C ${reasonName(inC)}, eBPF ${reasonName(run.reason)} action ${String(run.action)}; ` +
            `frame ${Buffer.from(frame).toString('hex')}, policy ${Buffer.from(policy.bytes ?? []).toString('hex')}`,
        );
    }
  }
  expect(differences.join('\n')).toBe('');
  expect(reasons.size).toBeGreaterThan(55); // of 2 * 34: some belong to one direction, two to what cannot be run here
}, 120_000);
