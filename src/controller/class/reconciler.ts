import { isConflict, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import type { Logger } from '../../lib/log.ts';
import { CLASSES, FIELD_MANAGER } from '../kinds.ts';
import type { NetworkClass } from '../kinds.ts';
import type { WrittenView } from '../vmnetwork/written-view.ts';
import { planClassStatus } from './plan.ts';

export interface ClassReconcilerPorts {
  /** Fenced. */
  readonly client: KubeClient;
  readonly classes: WrittenView<NetworkClass>;
  readonly clusterRanges: () => readonly Cidr[];
  readonly log: Logger;
}

/** Keeps `status.clusterRanges` of one VMNetworkClass, named by the key. */
export async function reconcileClass(
  key: string,
  { client, classes, clusterRanges, log }: ClassReconcilerPorts,
  signal: AbortSignal,
): Promise<void> {
  const networkClass = classes.get(key);
  if (networkClass === undefined || networkClass.metadata.deletionTimestamp !== undefined) return;
  const status = planClassStatus(networkClass, clusterRanges());
  if (status === null) return;
  const options = { fieldManager: FIELD_MANAGER, subresource: 'status', signal } as const;
  try {
    classes.written(await client.update(CLASSES, { ...networkClass, status }, options));
    log.info({ class: key, ranges: status.clusterRanges?.length }, 'wrote the ranges of this cluster');
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) classes.forget(key);
    if (!isNotFound(error)) throw error;
  }
}
