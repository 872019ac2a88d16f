import { join } from 'node:path';
import { parseManifest } from '../../api/manifest.ts';
import type { VmNetwork } from '../../api/v1alpha1/vm-network.ts';
import type { SeenAttachment, SeenNetwork, SeenStatus } from '../agent/agent-status.ts';
import { InputError } from '../input-error.ts';
import { readManifestText } from '../manifest/manifest-text.ts';
import { usageError } from '../usage-error.ts';
import type { NetworkFacts, VmFacts } from './peer-config.ts';
import { checked, seenGuestSchema } from './seen-network.ts';

export interface WantedNetwork {
  readonly name: string;
  /** Undefined: any. */
  readonly namespace: string | undefined;
}

export interface SourceFacts {
  readonly network: NetworkFacts;
  readonly vms: readonly VmFacts[];
}

/**
 * What the agent of this host knows: keys from its status, the tunnel from the manifest that it reads.
 * @throws InputError, or VMN_USAGE where the name fits several networks
 */
export function hostFacts(status: SeenStatus, wanted: WantedNetwork): SourceFacts {
  const { manifests } = status.agent;
  if (manifests === null) {
    const remedy = 'Ask the cluster: give --kubeconfig FILE.';
    throw new InputError('the agent of this host', 'takes its networks from a cluster', remedy);
  }
  const network = chosen(status, wanted);
  const key = keyOf(network);
  const vms = status.attachments.filter((attachment) => attachment.network === key).map(vmFacts);
  return { network: factsOf(manifestOf(join(manifests, network.file), network)), vms };
}

function chosen({ networks, attachments }: SeenStatus, { name, namespace }: WantedNetwork): SeenNetwork {
  const found = networks.filter(
    (network) => network.name === name && (namespace === undefined || network.namespace === namespace),
  );
  const [network] = found;
  if (network !== undefined && found.length === 1) return network;
  if (found.length > 1)
    throw usageError(`several VMNetworks are called ${name}`, `Give one of ${found.map(keyOf).join(', ')}.`);
  const owner = attachments.find(({ vm }) => vm === name)?.network ?? null;
  const known = networks.map(keyOf).join(', ') || '(it has none)';
  const remedy =
    owner === null ? `Give one of ${known}.` : `VM ${name} belongs to VMNetwork ${owner}: give that.`;
  const wanted = namespace === undefined ? name : `${namespace}/${name}`;
  throw new InputError(`VMNetwork ${wanted}`, 'is none that the agent of this host knows', remedy, 'refused');
}

function keyOf({ namespace, name }: SeenNetwork): string {
  return `${namespace}/${name}`;
}

function vmFacts(attachment: SeenAttachment): VmFacts {
  const { vm, guest } = attachment;
  if (guest === undefined || guest === null) return { vm, attachment: null, publicKey: null };
  const remedy = 'Agent and vmnetctl are of different versions: use the vmnetctl that came with the agent.';
  const { publicKey, nextPublicKey, addresses } = checked(
    seenGuestSchema,
    guest,
    `the agent's status of VM ${vm}, guest`,
    remedy,
  );
  return { vm, attachment: null, publicKey, nextPublicKey, addresses };
}

function manifestOf(file: string, { namespace, name }: SeenNetwork): VmNetwork {
  const { objects } = parseManifest(readManifestText(file), file);
  for (const entry of objects) {
    if (entry.kind !== 'VMNetwork') continue;
    const { metadata } = entry.object;
    if (metadata.name === name && metadata.namespace === namespace) return entry.object;
  }
  const remedy = `It was changed a moment ago, or is not valid any more: vmnetctl validate ${file}`;
  throw new InputError(file, `has no valid VMNetwork ${namespace}/${name}`, remedy, 'refused');
}

function factsOf({ metadata, spec }: VmNetwork): NetworkFacts {
  const { mode, consumerEndpoint, wireGuard } = spec;
  const endpoint = mode === 'Direct' ? undefined : consumerEndpoint;
  return { namespace: metadata.namespace, name: metadata.name, endpoint, wireGuard };
}
