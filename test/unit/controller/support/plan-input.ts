import type { Attachment, Network } from '../../../../src/controller/kinds.ts';
import type { PlannedSpec } from '../../../../src/controller/vmnetwork/attachment-plan.ts';
import type { HostHealth } from '../../../../src/controller/vmnetwork/host-health.ts';
import { judge } from '../../../../src/controller/vmnetwork/judgement.ts';
import { planNetwork } from '../../../../src/controller/vmnetwork/plan.ts';
import type { NetworkPlanInput } from '../../../../src/controller/vmnetwork/plan.ts';
import { network, networkClass, NOW_MS, selected, stored, vm } from './objects.ts';

/** What differs from one VM, `vm1`, on one host that is well. */
export interface Given {
  readonly network?: Network;
  readonly health?: HostHealth;
  /** When the VMNetworkNode of its host was made. */
  readonly since?: string;
  readonly sealingKey?: string;
  readonly reported?: boolean;
  readonly over?: Partial<NetworkPlanInput>;
}

export function inputOf(given: Given = {}): NetworkPlanInput {
  const own = given.network ?? network('one');
  const reported = given.reported ?? true;
  const secret = given.over?.secret ?? { state: 'none' as const };
  return {
    network: own,
    judgement: judge(own, networkClass(), [], secret),
    secret,
    vms: reported ? [selected(vm('vm1'), own)] : [],
    hosts: new Map([
      ['n1', { health: given.health ?? 'fresh', sealingKey: given.sealingKey, since: given.since }],
    ]),
    attachments: [],
    isTaken: () => false,
    isReported: () => reported,
    inDoubt: false,
    nowMs: NOW_MS,
    ...given.over,
  };
}

/** The attachment that the plan for these would make, as it stands then. */
export function standing(given: Given = {}, metadata: object = {}): Attachment {
  const { create } = planNetwork(inputOf(given));
  return stored(given.network ?? network('one'), create[0] as PlannedSpec, { metadata: metadata as never });
}
