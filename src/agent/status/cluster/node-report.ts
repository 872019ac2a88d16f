import type { VirtualMachine, VmNetworkNodeStatus } from '../../../api/v1alpha1/index.ts';
import type { PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import { canonicalJson } from '../../../controller/vmnetwork/plan/canonical-json.ts';
import { stamped } from './attachment-write.ts';

/** What does not change while an agent runs. */
export type HostFacts = Pick<VmNetworkNodeStatus, 'platform' | 'versions' | 'features' | 'sealingKey'>;

/** What is to be said of the host, but for since when. */
export interface NodeReport extends HostFacts {
  readonly conditions: readonly PlannedCondition[];
  readonly virtualMachines: readonly VirtualMachine[];
}

/** The API's bound. */
const MOST_VMS = 1024;
const LONGEST_MESSAGE = 1024;

/**
 * @param failure why the last pass failed as a whole, or null
 * @param problems what keeps the host from enforcing as it could, a sentence each
 */
export function nodeReport(
  facts: HostFacts,
  vms: readonly VirtualMachine[],
  failure: string | null,
  problems: readonly string[],
): NodeReport {
  const lacking = facts.features?.tcx === false ? ['the kernel has no tcx: filters hang on clsact'] : [];
  const left = vms.length > MOST_VMS ? [`${vms.length} VMs, of which ${MOST_VMS} are listed`] : [];
  const wrong = [...problems, ...left];
  return {
    ...facts,
    conditions: [
      failure === null
        ? condition('Ready', 'True', 'Ready', 'the agent enforces')
        : condition('Ready', 'False', 'NotReady', `the last pass failed: ${failure}`),
      facts.features?.bpffs === true
        ? condition('BpfFsReady', 'True', 'Mounted', 'bpffs is mounted: pins survive the agent')
        : condition('BpfFsReady', 'False', 'NotMounted', 'bpffs is not mounted: nothing can be pinned'),
      degraded(wrong, lacking),
    ],
    virtualMachines: vms.slice(0, MOST_VMS),
  };
}

/** The whole status as it is to be, given the one that stands; null: it stands so already. Pure. */
export function nodeStatus(
  { conditions, virtualMachines, ...facts }: NodeReport,
  before: VmNetworkNodeStatus | undefined,
  generation: number,
  now: Date,
): VmNetworkNodeStatus | null {
  const next: VmNetworkNodeStatus = {
    ...facts,
    conditions: stamped(conditions, before?.conditions ?? [], generation, now),
    virtualMachineCount: virtualMachines.length,
    virtualMachines: [...virtualMachines],
  };
  return before !== undefined && canonicalJson(before) === canonicalJson(next) ? null : next;
}

function degraded(wrong: readonly string[], lacking: readonly string[]): PlannedCondition {
  if (wrong.length > 0) return condition('Degraded', 'True', 'NeedsAttention', wrong.join('; '));
  if (lacking.length > 0) return condition('Degraded', 'True', 'FeatureMissing', lacking.join('; '));
  return condition('Degraded', 'False', 'AsExpected', 'nothing is missing');
}

function condition(
  type: PlannedCondition['type'],
  status: PlannedCondition['status'],
  reason: PlannedCondition['reason'],
  message: string,
): PlannedCondition {
  return { type, status, reason, message: message.slice(0, LONGEST_MESSAGE) };
}
