import { findDuplicates, parseManifest } from '../../api/manifest.ts';
import type { VmNetworkClass } from '../../api/v1alpha1/vm-network-class.ts';
import type { VmNetwork } from '../../api/v1alpha1/vm-network.ts';
import { type AttachmentIntent, keyOf, planVmNetworks } from '../../controller/vmnetwork/plan.ts';
import { InputError } from '../input-error.ts';
import { usageError } from '../usage-error.ts';
import { ManifestError } from './manifest-error.ts';
import { readManifestText } from './manifest-text.ts';

/** What a command needs of a manifest file: at least one VMNetwork, and the classes beside it. */
export interface NetworkFile {
  readonly networks: readonly VmNetwork[];
  readonly classes: readonly VmNetworkClass[];
}

/** Reads a file that must be valid as a whole. Throws ManifestError or InputError. */
export function readNetworkFile(file: string): NetworkFile {
  return parseNetworkFile(readManifestText(file), file);
}

/** The same for text at hand. */
export function parseNetworkFile(text: string, file: string): NetworkFile {
  const { objects, problems } = parseManifest(text, file);
  const all = [...problems, ...findDuplicates(objects)];
  if (all.length > 0) throw new ManifestError(all);
  const networks = objects.flatMap((entry) => (entry.kind === 'VMNetwork' ? [entry.object] : []));
  const classes = objects.flatMap((entry) => (entry.kind === 'VMNetworkClass' ? [entry.object] : []));
  if (networks.length === 0) {
    throw new InputError(file, 'holds no VMNetwork', 'Give the file with kind: VMNetwork.', 'refused');
  }
  return { networks, classes };
}

/** The network that `wanted` names, as `name` or `namespace/name`, or the only one. */
export function chooseNetwork(networks: readonly VmNetwork[], wanted: string | undefined): VmNetwork {
  const matching = networks.filter(
    (network) => wanted === undefined || wanted === network.metadata.name || wanted === keyOf(network),
  );
  const [network] = matching;
  if (network && matching.length === 1) return network;
  const fault =
    wanted === undefined ? 'the file holds several VMNetworks' : `--network ${wanted} is none of the file`;
  throw usageError(fault, `Give one of them with --network: ${networks.map(keyOf).join(', ')}.`);
}

/** The VM that `wanted` names, or the only one of the selector. */
export function chooseVm(network: VmNetwork, wanted: string | undefined): string {
  const { names } = network.spec.selector;
  const [name] = names;
  if (wanted !== undefined && names.includes(wanted)) return wanted;
  if (wanted === undefined && name !== undefined && names.length === 1) return name;
  const key = keyOf(network);
  if (name === undefined)
    throw usageError(`VMNetwork ${key} names no VM`, 'Name the VM in spec.selector.names.');
  const fault =
    wanted === undefined ? `VMNetwork ${key} names several VMs` : `--vm ${wanted} is none of ${key}`;
  throw usageError(fault, `Give one of them with --vm: ${names.join(', ')}.`);
}

/**
 * What the agent would make of this network for this VM, were it the only network. A network that is refused or that
 * names no such VM gives an intent of null: the VM is denied.
 */
export function intentOf(
  network: VmNetwork,
  classes: readonly VmNetworkClass[],
  vm: string,
): AttachmentIntent {
  const { nodeName } = network.spec.selector;
  const plan = planVmNetworks({ networks: [network], classes, nodeName, classesInDoubt: false });
  const found = plan.attachments.find((attachment) => attachment.vm === vm);
  return found ?? { vm, intent: null, network: keyOf(network), reason: `no VMNetwork selects VM ${vm}` };
}
