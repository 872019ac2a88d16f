import { isConflict, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Outcome } from '../../kube/controller/controller.ts';
import type { EventRecorder } from '../../kube/events/recorder.ts';
import type { Logger } from '../../lib/log.ts';
import { CLASSES, FIELD_MANAGER } from '../kinds.ts';
import type { NetworkClass } from '../kinds.ts';
import type { WrittenView } from '../vmnetwork/written-view.ts';
import type { ClusterRanges } from './cluster-ranges.ts';
import { planClassStatus } from './plan.ts';

export interface ClassReconcilerPorts {
  /** Fenced. */
  readonly client: KubeClient;
  readonly classes: WrittenView<NetworkClass>;
  readonly clusterRanges: () => ClusterRanges;
  /** How long what is denied and not known any more stays, ms. */
  readonly keepForMs: () => number;
  readonly recorder: Pick<EventRecorder, 'event'>;
  readonly log: Logger;
}

/** Told by name in one Event; the log has all. */
const MOST_TOLD = 3;

/** Keeps `status.clusterRanges` of one VMNetworkClass, named by the key. */
export async function reconcileClass(
  key: string,
  { client, classes, clusterRanges, keepForMs, recorder, log }: ClassReconcilerPorts,
  signal: AbortSignal,
): Promise<Outcome> {
  const networkClass = classes.get(key);
  if (networkClass === undefined || networkClass.metadata.deletionTimestamp !== undefined) return;
  const known = clusterRanges();
  const keepMs = keepForMs();
  // A delay for what is new has taken the place of the one for what is to go.
  const later = keepMs > 0 ? { requeueAfterMs: keepMs } : undefined;
  const status = planClassStatus(networkClass, known, keepMs > 0);
  if (status === null) return later;
  const options = { fieldManager: FIELD_MANAGER, subresource: 'status', signal } as const;
  try {
    classes.written(await client.update(CLASSES, { ...networkClass, status }, options));
    log.info({ class: key, ranges: status.clusterRanges?.length }, 'wrote the ranges of this cluster');
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) classes.forget(key);
    if (!isNotFound(error)) throw error;
    return;
  }
  if (known.leftOut.length > 0 && networkClass.spec?.deniedDestinations?.clusterRanges) {
    recorder.event(networkClass, 'Warning', 'RangesLeftOut', 'CollectRanges', leftOutNote(known.leftOut));
  }
  return later;
}

function leftOutNote(leftOut: readonly string[]): string {
  const more = leftOut.length > MOST_TOLD ? `; and ${leftOut.length - MOST_TOLD} more` : '';
  return `not denied: ${leftOut.slice(0, MOST_TOLD).join('; ')}${more}. Add them to spec.deniedDestinations.networks if they are the cluster's.`;
}
