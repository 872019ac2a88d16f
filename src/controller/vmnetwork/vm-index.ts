import type { VirtualMachine } from '../../api/v1alpha1/virtual-machine.ts';
import { canonicalJson } from './plan/canonical-json.ts';
import { vmKeys } from './selection.ts';
import type { ReportedVm } from './selection.ts';

/** All VMs of all hosts, found by what selectors name. Costs of a change are those of the VMs that changed. */
export class VmIndex {
  /** Node -> VM id -> entry. */
  readonly #nodes = new Map<string, Map<string, Entry>>();
  readonly #byKey = new Map<string, Set<Entry>>();

  /** What a host reports now. Gives the VMs that came, went or changed: as they were, and as they are. */
  set(nodeName: string, vms: readonly VirtualMachine[]): ReportedVm[] {
    const before = this.#nodes.get(nodeName) ?? new Map<string, Entry>();
    const after = new Map<string, Entry>();
    const changed: ReportedVm[] = [];
    for (const vm of vms) {
      if (after.has(vm.id)) continue;
      const text = canonicalJson(vm);
      const old = before.get(vm.id);
      if (old?.text === text) {
        after.set(vm.id, old);
        continue;
      }
      const entry: Entry = { reported: { nodeName, vm }, text };
      after.set(vm.id, entry);
      changed.push(entry.reported);
    }
    for (const [id, old] of before) {
      if (after.get(id) === old) continue;
      changed.push(old.reported);
      for (const key of vmKeys(old.reported.vm)) this.#remove(key, old);
    }
    for (const [id, entry] of after) {
      if (before.get(id) === entry) continue;
      for (const key of vmKeys(entry.reported.vm)) this.#add(key, entry);
    }
    if (after.size === 0) this.#nodes.delete(nodeName);
    else this.#nodes.set(nodeName, after);
    return changed;
  }

  get(nodeName: string, vmId: string): ReportedVm | undefined {
    return this.#nodes.get(nodeName)?.get(vmId)?.reported;
  }

  onNode(nodeName: string): ReportedVm[] {
    return [...(this.#nodes.get(nodeName)?.values() ?? [])].map(({ reported }) => reported);
  }

  /** VMs that have at least one of these keys, each once. */
  withKeys(keys: readonly string[]): ReportedVm[] {
    const found = new Set<Entry>();
    for (const key of keys) for (const entry of this.#byKey.get(key) ?? []) found.add(entry);
    return [...found].map(({ reported }) => reported);
  }

  #add(key: string, entry: Entry): void {
    const entries = this.#byKey.get(key);
    if (entries === undefined) this.#byKey.set(key, new Set([entry]));
    else entries.add(entry);
  }

  #remove(key: string, entry: Entry): void {
    const entries = this.#byKey.get(key);
    entries?.delete(entry);
    if (entries?.size === 0) this.#byKey.delete(key);
  }
}

interface Entry {
  readonly reported: ReportedVm;
  readonly text: string;
}
