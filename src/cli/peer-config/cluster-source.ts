import { z } from 'zod';
import { GROUP, VERSION } from '../../api/v1alpha1/group-version.ts';
import { ApiError, isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject, ResourceType } from '../../kube/resource.ts';
import { ConnectionConfigError } from '../../kube/transport/connection-config-error.ts';
import { TransportError } from '../../kube/transport/transport-error.ts';
import { VmnError } from '../../lib/errors.ts';
import { InputError } from '../input-error.ts';
import type { SourceFacts } from './host-source.ts';
import { checked, seenNetworkSchema } from './seen-network.ts';

const NETWORKS = ours('vmnetworks', 'VMNetwork');
const ATTACHMENTS = ours('vmnetworkattachments', 'VMNetworkAttachment');

export interface NetworkRef {
  readonly namespace: string;
  readonly name: string;
}

/**
 * What the cluster knows: status.peers of the VMNetwork, and from its attachments the names of the VMs and which have no key
 * yet. Who may not read attachments gets the peers all the same.
 * @throws InputError, or VMN_API_UNREACHABLE
 */
export async function clusterFacts(
  client: KubeClient,
  ref: NetworkRef,
  signal: AbortSignal,
): Promise<SourceFacts> {
  const on = `VMNetwork ${ref.namespace}/${ref.name}`;
  try {
    const object = await client.get(NETWORKS, ref, signal);
    const remedy = 'Use the vmnetctl of the version that the cluster has.';
    const { spec, status, metadata } = checked(seenNetworkSchema, object, on, remedy);
    if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) throw notSeenYet(on);
    const endpoint = spec.mode === 'Direct' ? undefined : spec.consumerEndpoint;
    const names = await vmNames(client, ref, signal);
    const told = status.peers.map((peer) => ({ ...peer, vm: names.get(peer.attachment) ?? null }));
    const keyless = [...names]
      .filter(([attachment]) => !told.some((peer) => peer.attachment === attachment))
      .map(([attachment, vm]) => ({ vm, attachment, publicKey: null }));
    return { network: { ...ref, endpoint, wireGuard: spec.wireGuard }, vms: [...told, ...keyless] };
  } catch (error) {
    throw explained(error, on, ref);
  }
}

const attachmentsSchema = z.array(
  z.object({
    metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
    spec: z.object({ vm: z.object({ name: z.string() }) }),
  }),
);

/** VMs by attachment, in the order of the attachments' names. */
async function vmNames(
  client: KubeClient,
  { namespace, name }: NetworkRef,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  try {
    const fieldSelector = `spec.policy.network=${name}`;
    const { items } = await client.list<KubeObject>(ATTACHMENTS, { namespace, fieldSelector }, signal);
    const remedy = 'Use the vmnetctl of the version that the cluster has.';
    const standing = checked(attachmentsSchema, items, `VMNetworkAttachments of ${namespace}/${name}`, remedy)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata, spec }): [string, string] => [metadata.name, spec.vm.name]);
    return new Map(standing.sort(([a], [b]) => (a < b ? -1 : 1)));
  } catch (error) {
    if (isForbidden(error)) return new Map();
    throw error;
  }
}

function notSeenYet(on: string): InputError {
  const remedy = 'Ask again in a moment; if it stays so, ask the provider whether vmnet-controller runs.';
  return new InputError(on, 'its status does not speak of the present spec yet', remedy, 'refused');
}

/** For what a kubeconfig is at fault of. Anything else is given back. */
export function kubeconfigFault(error: unknown): unknown {
  if (!(error instanceof ConnectionConfigError)) return error;
  const problem = error.message.replace(`${error.on}: `, '').replace(`. ${error.remedy}`, '');
  return new InputError(error.on, problem, error.remedy);
}

/** What a person can do about it, for what the transport throws. */
function explained(error: unknown, on: string, { namespace, name }: NetworkRef): unknown {
  if (isNotFound(error)) {
    const remedy = `See kubectl get vmnetworks -n ${namespace}; --namespace chooses another namespace.`;
    return new InputError(on, 'is not in this cluster', remedy, 'refused');
  }
  if (isForbidden(error)) {
    const remedy = `It takes the right to get vmnetworks in namespace ${namespace} (ClusterRole vmnetwork-tenant-view).`;
    return new InputError(on, 'may not be read with this credential', remedy);
  }
  if (error instanceof ApiError || error instanceof TransportError) {
    const remedy = `Try it with kubectl: kubectl get vmnetwork -n ${namespace} ${name}`;
    return new VmnError('VMN_API_UNREACHABLE', { attempted: 'read the network', on, remedy, cause: error });
  }
  // A name that no path can hold.
  if (error instanceof TypeError && error.message.includes('cannot be part of a path'))
    return new InputError(
      on,
      error.message,
      'Give the name as `kubectl get vmnetworks` shows it.',
      'misspelt',
    );
  return kubeconfigFault(error);
}

function ours(plural: string, kind: string): ResourceType {
  return { group: GROUP, version: VERSION, plural, kind, namespaced: true };
}
