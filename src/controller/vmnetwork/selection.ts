import type { VirtualMachine } from '../../api/v1alpha1/virtual-machine.ts';
import type { Selector } from '../../api/v1alpha1/selector.ts';
import type { Network } from '../kinds.ts';

/** A VM as a host reports it. */
export interface ReportedVm {
  readonly nodeName: string;
  readonly vm: VirtualMachine;
}

/**
 * Whose VMs a network may bind. `Unknown`: its class cannot be read; a VM whose namespace is known is then taken for its
 * namespace's, any other for anybody's, so that neither a class that is missing nor one that is misspelt takes a VM from
 * somebody.
 */
export type VmOwnership = 'Namespace' | 'Any' | 'Unknown';

/** Whether this network is for that VM: all given parts of its selector match, and its class allows it. Pure. */
export function selects(network: Network, { nodeName, vm }: ReportedVm, ownership: VmOwnership): boolean {
  const { names, uuids, matchLabels, nodeName: pinnedTo } = selectorOf(network);
  if (names.length === 0 && uuids.length === 0 && Object.keys(matchLabels).length === 0) return false;
  if (pinnedTo !== '' && pinnedTo !== nodeName) return false;
  if (names.length > 0 && !names.includes(vm.name)) return false;
  if (uuids.length > 0 && (vm.uuid === undefined || !uuids.includes(vm.uuid))) return false;
  const labels = vm.labels ?? {};
  if (Object.entries(matchLabels).some(([key, value]) => labels[key] !== value)) return false;
  return mayOwn(network.metadata.namespace, vm.namespace, ownership);
}

/** The selector as stored, whatever an older schema let through. */
export function selectorOf(network: Network): Selector {
  const selector: Partial<Selector> = network.spec?.selector ?? {};
  const { names, uuids, matchLabels, nodeName } = selector;
  return { names: names ?? [], uuids: uuids ?? [], matchLabels: matchLabels ?? {}, nodeName: nodeName ?? '' };
}

/**
 * Keys under which a network is found from a VM. One part of the selector is enough, for all parts must match; the part
 * that names the fewest VMs is taken.
 */
export function selectorKeys(network: Network): string[] {
  const { names, uuids, matchLabels } = selectorOf(network);
  if (uuids.length > 0) return uuids.map(uuidKey);
  if (names.length > 0) return names.map(nameKey);
  const [pair] = Object.entries(matchLabels).sort(([a], [b]) => (a < b ? -1 : 1));
  return pair === undefined ? [] : [labelKey(...pair)];
}

/** Keys under which a VM is found from a network; those of `selectorKeys`, and as many as the VM has. */
export function vmKeys(vm: VirtualMachine): string[] {
  const labels = Object.entries(vm.labels ?? {}).map(([key, value]) => labelKey(key, value));
  return [nameKey(vm.name), ...(vm.uuid === undefined ? [] : [uuidKey(vm.uuid)]), ...labels];
}

const nameKey = (name: string): string => `name ${name}`;
const uuidKey = (uuid: string): string => `uuid ${uuid}`;
const labelKey = (key: string, value: string): string => `label ${key} ${value}`;

function mayOwn(own: string | undefined, reported: string | undefined, ownership: VmOwnership): boolean {
  switch (ownership) {
    case 'Any':
      return true;
    case 'Namespace':
      return reported !== undefined && reported === own;
    case 'Unknown':
      return reported === undefined || reported === own;
  }
}
