import type { Selector } from '../../api/v1alpha1/selector.ts';
import { NIL_UUID } from '../../api/v1alpha1/uuid.ts';
import type { VirtualMachine } from '../../api/v1alpha1/virtual-machine.ts';
import type { VmNetworkClassSpec } from '../../api/v1alpha1/vm-network-class-spec.ts';
import type { Network } from '../kinds.ts';
import { oncePerObject } from './once-per-object.ts';

/** A VM as a host reports it. */
export interface ReportedVm {
  readonly nodeName: string;
  readonly vm: VirtualMachine;
}

/** Which VMs a network may bind of those that its selector matches. */
export type VmOwnership = VmNetworkClassSpec['vmOwnership'];

/** Whether this network is for that VM: all given parts of its selector match, and its class allows it. Pure. */
export function selects(network: Network, { nodeName, vm }: ReportedVm, ownership: VmOwnership): boolean {
  const { keys, names, uuids, labels, pinnedTo } = matcherOf(network);
  if (keys.length === 0) return false;
  if (pinnedTo !== '' && pinnedTo !== nodeName) return false;
  if (names !== null && !names.has(vm.name)) return false;
  if (uuids !== null && (vm.uuid === undefined || !uuids.has(vm.uuid))) return false;
  if (labels.length > 0) {
    const reported = vm.labels ?? {};
    if (labels.some(([key, value]) => reported[key] !== value)) return false;
  }
  return mayOwn(network.metadata.namespace, vm.namespace, ownership);
}

/**
 * Keys under which a network and a VM find each other, one list for each part of the selector. All parts must match, so
 * the VM has a key of every list, and any one list is enough to find it by: `cheapest` chooses.
 */
export function selectorKeys(network: Network): readonly (readonly string[])[] {
  return matcherOf(network).keys;
}

/** Keys under which a VM is found from a network; those of `selectorKeys`, and as many as the VM has. */
export function vmKeys(vm: VirtualMachine): string[] {
  const labels = Object.entries(vm.labels ?? {}).map(([key, value]) => labelKey(key, value));
  const uuids = vm.uuid === undefined ? [] : [vm.uuid].filter(isOfOne);
  return [nameKey(vm.name), ...uuids.map(uuidKey), ...labels];
}

/** Of several lists the one that costs least, the first among equals; empty if there is none. */
export function cheapest(
  lists: readonly (readonly string[])[],
  costOf: (keys: readonly string[]) => number,
): readonly string[] {
  let [best = []] = lists;
  if (lists.length < 2) return best;
  let least = Infinity;
  for (const keys of lists) {
    const cost = costOf(keys);
    if (cost < least) [best, least] = [keys, cost];
  }
  return best;
}

/** The host that a network is pinned to, '' for any. */
export function pinOf(network: Network): string {
  return matcherOf(network).pinnedTo;
}

/** These stand for any namespace, and for that of a VM whose host knows none; no namespace can be named so. */
const ANY = '*';
const NONE = '';

/** Namespaces of the VMs that a network may bind: `mayOwn`, to find it by. */
export function namespacesOf(network: Network, ownership: VmOwnership): string[] {
  const own = network.metadata.namespace ?? NONE;
  switch (ownership) {
    case 'Any':
      return [ANY];
    case 'Namespace':
      return [own];
    case 'NamespaceIfReported':
      return own === NONE ? [NONE] : [own, NONE];
  }
}

/** Under which of those a VM's networks are. */
export function namespacesOfVm(vm: VirtualMachine): string[] {
  return [ANY, vm.namespace ?? NONE];
}

export const uuidKey = (uuid: string): string => `uuid ${uuid}`;
/** The Nil UUID is no VM's own: nothing is found or selected by it, whatever a host reports or an older schema let through. */
const isOfOne = (uuid: string): boolean => uuid !== NIL_UUID;
const nameKey = (name: string): string => `name ${name}`;
const labelKey = (key: string, value: string): string => `label ${key} ${value}`;

function mayOwn(own: string | undefined, reported: string | undefined, ownership: VmOwnership): boolean {
  switch (ownership) {
    case 'Any':
      return true;
    case 'Namespace':
      return reported !== undefined && reported === own;
    case 'NamespaceIfReported':
      return reported === undefined || reported === own;
  }
}

/** A selector as it is asked: a thousand names are looked up, not gone through. */
interface Matcher {
  /** None: it selects nothing. */
  readonly keys: readonly (readonly string[])[];
  /** Null: no part of it. */
  readonly names: ReadonlySet<string> | null;
  readonly uuids: ReadonlySet<string> | null;
  readonly labels: readonly (readonly [string, string])[];
  readonly pinnedTo: string;
}

/** From the selector as stored, whatever an older schema let through. */
const matcherOf = oncePerObject((network: Network): Matcher => {
  const selector: Partial<Selector> = network.spec?.selector ?? {};
  const names = selector.names ?? [];
  const given: readonly string[] = selector.uuids ?? [];
  const uuids = given.filter(isOfOne);
  const labels = Object.entries(selector.matchLabels ?? {});
  const lists = [uuids.map(uuidKey), names.map(nameKey), ...labels.map((pair) => [labelKey(...pair)])];
  return {
    keys: lists.filter((keys) => keys.length > 0),
    names: names.length === 0 ? null : new Set(names),
    uuids: given.length === 0 ? null : new Set(uuids),
    labels,
    pinnedTo: selector.nodeName ?? '',
  };
});
