import type { Problem } from '../../../api/manifest.ts';
import type { VirtualMachine, VmNetworkNodeStatus } from '../../../api/v1alpha1/index.ts';
import type { PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import { canonicalJson } from '../../../controller/vmnetwork/plan/canonical-json.ts';
import type { VmnError } from '../../../lib/errors.ts';
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

/** What changes from pass to pass, but for the VMs. */
export interface HostState {
  /** Why the last pass failed as a whole, or null. */
  readonly failure: string | null;
  /** Why nothing can be pinned now, or null. */
  readonly bpffsFault: Pick<VmnError, 'code' | 'message' | 'remedy'> | null;
  /** What keeps the host from enforcing as it could, a sentence each. */
  readonly problems: readonly string[];
  /** Single attachments that are not as wanted, by whose they are. */
  readonly failing: readonly Problem[];
}

export function nodeReport(
  facts: HostFacts,
  vms: readonly VirtualMachine[],
  { failure, bpffsFault, problems, failing }: HostState,
): NodeReport {
  const lacking = facts.features?.tcx === false ? ['the kernel has no tcx: filters hang on clsact'] : [];
  const left = vms.length > MOST_VMS ? [`${vms.length} VMs, of which ${MOST_VMS} are listed`] : [];
  return {
    ...facts,
    conditions: [
      failure === null
        ? condition('Ready', 'True', 'Ready', 'the agent enforces')
        : condition('Ready', 'False', 'NotReady', `the last pass failed: ${failure}`),
      bpffsReady(bpffsFault),
      degraded([...problems, ...left], failing, lacking),
    ],
    virtualMachines: vms.slice(0, MOST_VMS),
  };
}

function bpffsReady(fault: HostState['bpffsFault']): PlannedCondition {
  if (fault === null)
    return condition('BpfFsReady', 'True', 'Mounted', 'bpffs is mounted: pins survive the agent');
  const reason = fault.code === 'VMN_BPFFS_READ_ONLY' ? 'ReadOnly' : 'NotMounted';
  return condition('BpfFsReady', 'False', reason, `${fault.message}. ${fault.remedy}`);
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

function degraded(
  wrong: readonly string[],
  failing: readonly Problem[],
  lacking: readonly string[],
): PlannedCondition {
  const said = [...wrong, ...failingSentence(failing), ...lacking].join('; ');
  if (wrong.length > 0) return condition('Degraded', 'True', 'NeedsAttention', said);
  if (failing.length > 0) return condition('Degraded', 'True', 'AttachmentsFailing', said);
  if (lacking.length > 0) return condition('Degraded', 'True', 'FeatureMissing', said);
  return condition('Degraded', 'False', 'AsExpected', 'nothing is missing');
}

/** How many, and the first by name: the order of a pass is no news. */
function failingSentence(failing: readonly Problem[]): string[] {
  const [first] = [...failing].sort((a, b) => (a.file < b.file ? -1 : 1));
  if (first === undefined) return [];
  const which = failing.length === 1 ? '' : 'the first is ';
  return [
    `attachments that are not as wanted: ${failing.length}, ${which}${first.file}: ${first.message}. ${first.remedy}`,
  ];
}

function condition(
  type: PlannedCondition['type'],
  status: PlannedCondition['status'],
  reason: PlannedCondition['reason'],
  message: string,
): PlannedCondition {
  return { type, status, reason, message: message.slice(0, LONGEST_MESSAGE) };
}
