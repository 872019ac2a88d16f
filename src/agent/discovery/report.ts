import type { VirtualMachine, VirtualMachineInterface } from '../../api/v1alpha1/virtual-machine.ts';
import { parseMacAddress } from '../../api/v1alpha1/mac-address.ts';
import type { HostCard, HostVm } from './directory.ts';
import { type ProcessKey, processId, type VmIdentity } from './identity.ts';
import { printable } from './printable.ts';

/** A VM as it was found: one process. */
export interface FoundVm {
  readonly process: ProcessKey;
  readonly identity: VmIdentity;
  /** Started to take over a VM from elsewhere. */
  readonly incoming: boolean;
  /** Those with a MAC address first. */
  readonly cards: readonly HostCard[];
}

/** Bounds of the API (virtual-machine.ts). */
const MOST_INTERFACES = 16;
const LONGEST_REASON = 256;
const INTERFACE_NAME = /^[!-.0-~]{1,64}$/;

/*
 * Several processes may claim one id. The two ends of a migration within this host are one VM: the older process is it, and
 * the one that waits for it stays denied until the older has ended. Others are different VMs of which at most one tells the
 * truth, and none can be preferred: a policy that is meant for one must not open another. Processes whose cards cannot be
 * filtered anyway compete for nothing, so they take nothing from the one that can.
 */

/** What is reported of all VMs of a host, by id. Pure. */
export function reportOf(found: readonly FoundVm[]): HostVm[] {
  const byId = new Map<string, FoundVm[]>();
  for (const vm of found) byId.set(vm.identity.id, [...(byId.get(vm.identity.id) ?? []), vm]);
  const vms = [...byId.values()].flatMap((claimants) => settle(claimants));
  return vms.map(hostVmOf).sort((a, b) => (a.reported.id < b.reported.id ? -1 : 1));
}

function settle(claimants: readonly FoundVm[]): FoundVm[] {
  if (claimants.length === 1) return [...claimants];
  const [oldest, ...younger] = claimants.filter(isFilterable).sort(byAge);
  const rest = claimants.filter((vm) => !isFilterable(vm));
  const { id } = claimants[0]?.identity ?? { id: '' };
  const reason = `another process of this host claims the same id ${id}: end one of them, or give each VM its own uuid`;
  if (oldest === undefined) return rest.map((vm) => refused(vm, reason));
  const bystanders = rest.map((vm) => anonymous(refused(vm, reason)));
  if (!younger.every(({ incoming }) => incoming))
    return [...[oldest, ...younger].map((vm) => refused(vm, reason)), ...bystanders];
  const waiting = `the VM ${id} is on its way from another process of this host: denied until that one has ended`;
  return [oldest, ...younger.map((vm) => anonymous(refused(vm, waiting))), ...bystanders];
}

/** With no id that another has too, and none of its cards open. */
function refused(vm: FoundVm, reason: string): FoundVm {
  const cards = vm.cards.map((card) => ({ ...card, unsupported: card.unsupported ?? reason }));
  return { ...vm, identity: { ...vm.identity, id: processId(vm.process) }, cards };
}

/** Not to be selected by what it claims. */
function anonymous(vm: FoundVm): FoundVm {
  const { id } = vm.identity;
  return { ...vm, identity: { id, name: id, uuid: null, namespace: null, oddName: null } };
}

function isFilterable({ cards }: FoundVm): boolean {
  return cards.some(({ link, unsupported }) => link !== null && unsupported === null);
}

function byAge(a: FoundVm, b: FoundVm): number {
  return Number(a.process.startTicks) - Number(b.process.startTicks) || a.process.pid - b.process.pid;
}

function hostVmOf({ identity, cards, process }: FoundVm): HostVm {
  const nameless =
    identity.id === processId(process) && identity.uuid === null && identity.oddName === null
      ? 'the VM has neither name nor uuid: start QEMU with -name guest=NAME'
      : null;
  const odd = identity.uuid === null ? identity.oddName : null;
  const judged = cards.map((card, at) => {
    const tooMany = at >= MOST_INTERFACES ? `more than ${MOST_INTERFACES} cards` : null;
    const unsupported = card.unsupported ?? nameless ?? odd ?? tooMany;
    return unsupported === null ? card : { ...card, unsupported: printable(unsupported, LONGEST_REASON) };
  });
  const { id, name, uuid, namespace } = identity;
  const reported: VirtualMachine = {
    id,
    name,
    ...(uuid === null ? {} : { uuid }),
    ...(namespace === null ? {} : { namespace }),
    labels: {},
    interfaces: judged.flatMap((card) => interfaceOf(card)).slice(0, MOST_INTERFACES),
  };
  return { reported, cards: judged };
}

/** None for a card whose MAC address is not known: the API has no place for it. */
function interfaceOf({ mac, link, unsupported }: HostCard): VirtualMachineInterface[] {
  const address = parseMacAddress(mac);
  if (address === null) return [];
  const name = link !== null && INTERFACE_NAME.test(link.name) ? link.name : undefined;
  return [
    {
      mac: address,
      ...(name === undefined ? {} : { name }),
      ...(unsupported === null ? {} : { unsupported }),
    },
  ];
}
