import { type OfflineFilter, openOfflineFilter } from '../../../src/native/offline-filter.ts';
import type { TestRun } from '../../../src/native/test-run.ts';
import type { GeneratedPolicy } from '../frames-generator/policy.ts';
import type { Scenario } from '../frames-generator/scenario.ts';
import type { Engine, Judged } from './engine.ts';

const MARK_ALLOWED = 0x0010_0000;
const MARK_ANSWER = 0x0020_0000;
type Action = NonNullable<Judged['action']>;
const ACTIONS: Readonly<Record<number, Action>> = { [-1]: 'allow', 2: 'drop', 7: 'reply' };
/** Of a super-frame of any kind that is not UDP segments. */
const SEGMENT_BYTES = 512;

/**
 * The programs in this kernel, by BPF_PROG_TEST_RUN. Loading them takes a while, so one filter serves many runs. A run gets
 * one of its own when it could tell: when a policy measures, or tracks flows under a secret that an earlier run had.
 */
export function ebpfEngine(): Engine {
  let shared: OfflineFilter | null = null;
  const tracked = new Set<string>();
  return {
    name: 'ebpf',
    isSlow: true,
    begin(policies) {
      const flows = policies.map(flowsOf).filter((its) => its !== null);
      const isApart = policies.some(measures) || flows.some((its) => tracked.has(its));
      const own = isApart ? openOfflineFilter() : null;
      const filter = own ?? (shared ??= openOfflineFilter());
      if (own === null) for (const its of flows) tracked.add(its);
      let inForce: GeneratedPolicy | null = null;
      return {
        judge(step) {
          if (inForce !== step.policy) filter.setPolicy(step.policy.bytes);
          inForce = step.policy;
          return tried(filter, step);
        },
        end() {
          own?.close();
        },
      };
    },
    close() {
      shared?.close();
      shared = null;
    },
  };
}

/** What tells the flows of one policy from those of another; null when it tracks none. */
function flowsOf({ inForce }: GeneratedPolicy): string | null {
  if (typeof inForce === 'string' || inForce.mode !== 'Conntrack') return null;
  return `${Buffer.from(inForce.secret).toString('hex')} ${inForce.generation}`;
}

function measures({ fields }: GeneratedPolicy): boolean {
  return (fields.egressBitsPerSecond ?? 0) !== 0 || (fields.packetsPerSecond ?? 0) !== 0;
}

function tried(filter: OfflineFilter, { direction, frame, circumstances }: Scenario): Judged {
  const { vlanInMetadata, ownAnswer, superFrame } = circumstances;
  const run = filter.run(direction, frame, {
    mark: ownAnswer ? MARK_ANSWER : 0,
    gsoSize: superFrame === null ? 0 : SEGMENT_BYTES,
    vlanInMetadata,
  });
  const { reason, audited, nonce, frame: left } = run;
  // BPF_PROG_TEST_RUN gives a tag back in the frame; nothing tagged passes.
  const changed = !vlanInMetadata && Buffer.compare(left, frame) !== 0;
  return { reason, audited, nonce, action: actionOf(run, direction), ...(changed && { answer: left }) };
}

/** What becomes of a frame that the program ended so with: the standing guard drops what the VM sends without our mark. */
function actionOf({ action, mark }: TestRun, direction: Scenario['direction']): Action {
  const known = ACTIONS[action];
  if (known === undefined) throw new Error(`the program ended with ${action}`);
  const wanted = known === 'reply' ? MARK_ANSWER : known === 'allow' ? MARK_ALLOWED : 0;
  return direction === 'from-vm' && (mark & wanted) !== wanted ? 'drop' : known;
}
