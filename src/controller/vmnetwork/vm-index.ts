import { isDeepStrictEqual } from 'node:util';
import type { VirtualMachine } from '../../api/v1alpha1/virtual-machine.ts';
import { MultiMap } from '../../kube/store/multi-map.ts';
import { vmKeys } from './selection.ts';
import type { ReportedVm } from './selection.ts';

/**
 * All VMs of all hosts, found by what selectors name. Costs of a change are those of the VMs that changed. A VM is the same
 * object for as long as it is reported as it is, so more can be remembered of it (`Owners`).
 */
export class VmIndex {
  /** Node -> VM id -> entry. */
  readonly #nodes = new Map<string, Map<string, Entry>>();
  readonly #byKey = new MultiMap<Entry>();

  /** What a host reports now. Gives the VMs that came, went or changed: as they were, and as they are. */
  set(nodeName: string, vms: readonly VirtualMachine[]): ReportedVm[] {
    const before = this.#nodes.get(nodeName) ?? new Map<string, Entry>();
    const after = new Map<string, Entry>();
    const changed: ReportedVm[] = [];
    for (const vm of vms) {
      if (after.has(vm.id)) continue;
      const old = before.get(vm.id);
      if (old !== undefined && isDeepStrictEqual(old.vm, vm)) {
        // Of two equals the one that the cache has too.
        old.vm = vm;
        after.set(vm.id, old);
        continue;
      }
      const entry: Entry = { nodeName, vm };
      after.set(vm.id, entry);
      changed.push(entry);
    }
    for (const [id, old] of before) {
      if (after.get(id) === old) continue;
      changed.push(old);
      for (const key of vmKeys(old.vm)) this.#byKey.delete(key, old);
    }
    for (const [id, entry] of after) {
      if (before.get(id) === entry) continue;
      for (const key of vmKeys(entry.vm)) this.#byKey.add(key, entry);
    }
    if (after.size === 0) this.#nodes.delete(nodeName);
    else this.#nodes.set(nodeName, after);
    return changed;
  }

  get(nodeName: string, vmId: string): ReportedVm | undefined {
    return this.#nodes.get(nodeName)?.get(vmId);
  }

  onNode(nodeName: string): ReportedVm[] {
    return [...(this.#nodes.get(nodeName)?.values() ?? [])];
  }

  /** VMs that have at least one of these keys, each once. */
  withKeys(keys: readonly string[]): ReportedVm[] {
    const found = new Set<Entry>();
    for (const key of keys) for (const entry of this.#byKey.get(key)) found.add(entry);
    return [...found];
  }

  /** How many VMs have this key. */
  countOf(key: string): number {
    return this.#byKey.countOf(key);
  }
}

/** One VM for as long as it stays as it is. */
interface Entry extends ReportedVm {
  vm: VirtualMachine;
}
