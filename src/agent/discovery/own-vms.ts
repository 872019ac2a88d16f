import { isDeepStrictEqual } from 'node:util';
import { virtualMachineSchema } from '../../api/v1alpha1/virtual-machine.ts';
import type { AttachmentResult } from '../attachment/rounds.ts';
import { engineOf } from '../wiring/verify.ts';
import type { HostVm, VmDirectory } from './directory.ts';

/**
 * The VMs on taps that we made: known by the record of the tap, running while a process holds the tap or has claimed it.
 * Fed by each pass with what it saw; asks nothing by itself.
 */
export class OwnVms implements VmDirectory {
  /** By tap. */
  #vms: ReadonlyMap<string, HostVm> = new Map();
  #list: readonly HostVm[] = [];
  #handlers: readonly (() => void)[] = [];

  list(): readonly HostVm[] {
    return this.#list;
  }

  problems(): readonly string[] {
    return [];
  }

  onChange(handler: () => void): void {
    this.#handlers = [...this.#handlers, handler];
  }

  start(): void {
    // The first pass tells.
  }

  close(): void {
    this.#handlers = [];
  }

  /** What a pass saw of all taps. One that it could not observe is taken for what it was. */
  observed(results: readonly AttachmentResult[]): void {
    const vms = new Map<string, HostVm>();
    for (const result of results) {
      if (result.found !== undefined) continue;
      const vm = result.observed === null ? this.#vms.get(result.tap) : ownVm(result);
      if (vm !== undefined) vms.set(result.tap, vm);
    }
    if (isDeepStrictEqual(vms, this.#vms)) return;
    this.#vms = vms;
    this.#list = [...vms.values()].sort((a, b) => (a.reported.id < b.reported.id ? -1 : 1));
    for (const handler of this.#handlers) handler();
  }
}

function ownVm({ observed, inUse, tap }: AttachmentResult): HostVm | undefined {
  if (observed === null || observed.record.state !== 'ok' || !inUse) return undefined;
  const { vm, guestMac } = observed.record.record;
  const reported = virtualMachineSchema.safeParse({
    id: vm,
    name: vm,
    interfaces: [
      observed.engine === undefined
        ? { mac: guestMac, name: tap, engine: engineOf(observed.filter) }
        : { mac: guestMac, engine: 'userspace' },
    ],
  });
  // A name that the cluster does not know as a VM's: nothing there can mean it.
  if (!reported.success) return undefined;
  const link = observed.link === null ? null : { netns: null, ifindex: observed.link.ifindex, name: tap };
  // Who holds the tap is nobody's question here, and to find out takes all of /proc.
  return {
    reported: reported.data,
    cards: [{ mac: guestMac, link, unsupported: null, pid: null, startTicks: null }],
  };
}
