import type { Attachment, Network } from '../../../../src/controller/kinds.ts';
import type { PlannedSpec } from '../../../../src/controller/vmnetwork/attachment-plan.ts';
import type { HostHealth } from '../../../../src/controller/vmnetwork/host-health.ts';
import { judge } from '../../../../src/controller/vmnetwork/judgement.ts';
import { planNetwork } from '../../../../src/controller/vmnetwork/plan.ts';
import type { NetworkPlanInput } from '../../../../src/controller/vmnetwork/plan.ts';
import { planStatus } from '../../../../src/controller/vmnetwork/status.ts';
import type { PlannedStatus } from '../../../../src/controller/vmnetwork/status.ts';
import { enforcedStatus, network, networkClass, NOW_MS, selected, stored, vm } from './objects.ts';

const LAX = networkClass('default', {
  allowedModes: ['Direct', 'Sampled', 'Conntrack', 'Filtered'],
  allowAudit: true,
});

/** What is observed; what is absent is as it should be. */
export interface Given {
  readonly network?: Network;
  readonly vms?: readonly string[];
  /** Of those VMs; absent: the network. */
  readonly owner?: Network;
  /** What hosts call VMs by now, if not as when their attachments were made. */
  readonly renamed?: Readonly<Record<string, string>>;
  readonly health?: HostHealth;
  /** What the agents say, by VM; absent: that they enforce. Null: nothing. */
  readonly said?: Record<string, Record<string, [string, string]> | null>;
  readonly change?: (attachment: Attachment) => Attachment;
  readonly failure?: string;
  readonly countIsDue?: boolean;
  readonly nowMs?: number;
  readonly secret?: NetworkPlanInput['secret'];
  readonly noAttachments?: boolean;
  readonly inDoubt?: boolean;
}

/** The status that is planned for one network, its agents having said what is given. */
export function statusOf(given: Given = {}): PlannedStatus {
  const own = given.network ?? network('one');
  const vms = (given.vms ?? ['vm1']).map((name) => selected(vm(name), given.owner ?? own));
  const called = vms.map((one) => ({
    ...one,
    vm: { ...one.vm, name: given.renamed?.[one.vm.name] ?? one.vm.name },
  }));
  const secret = given.secret ?? { state: 'none' };
  const base: NetworkPlanInput = {
    network: own,
    judgement: judge(own, LAX, [], secret),
    secret,
    vms,
    hosts: new Map([['n1', { health: 'fresh', sealingKey: undefined }]]),
    attachments: [],
    isTaken: () => false,
    isReported: () => true,
    inDoubt: false,
    nowMs: NOW_MS,
  };
  const made = given.noAttachments === true ? [] : planNetwork(base).create;
  const attachments = made.map((planned: PlannedSpec) => {
    const attachment = stored(own, planned);
    const said = given.said?.[planned.card.vm.name];
    const told =
      said === null
        ? attachment
        : ({ ...attachment, status: enforcedStatus(attachment, said) } as Attachment);
    return given.change?.(told) ?? told;
  });
  const hosts = new Map([['n1', { health: given.health ?? 'fresh', sealingKey: undefined }]]);
  const { inDoubt = false, nowMs = NOW_MS } = given;
  const input = { ...base, vms: called, hosts, attachments, inDoubt, nowMs };
  return planStatus({
    ...input,
    plan: planNetwork(input),
    failure: given.failure,
    countIsDue: given.countIsDue ?? true,
  });
}

/** Each condition as `STATUS REASON`, by type. */
export function conditionsOf({ status }: PlannedStatus): Record<string, string> {
  return Object.fromEntries(
    (status.conditions ?? []).map(({ type, status: value, reason }) => [type, `${value} ${reason}`]),
  );
}
