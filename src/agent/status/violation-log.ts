import { keepKind } from './kept-kinds.ts';
import type { DropEvent, SeenViolation } from './status.ts';

/** The latest distinct violations of each VM that the kernel told of: evidence for people. Nothing is decided by it. */
export class ViolationLog {
  readonly #byVm = new Map<string, Map<string, SeenViolation>>();

  note({ vm, time, reason, summary, audited = false }: DropEvent): void {
    const seen = this.#byVm.get(vm) ?? new Map<string, SeenViolation>();
    this.#byVm.set(vm, seen);
    const kind = { time, reason, summary, audited };
    keepKind(seen, `${reason} ${summary}`, kind, (one) => one.reason);
  }

  of(vm: string): readonly SeenViolation[] {
    return [...(this.#byVm.get(vm)?.values() ?? [])];
  }

  /** Forgets VMs that are no more. */
  keepOnly(vms: ReadonlySet<string>): void {
    for (const vm of this.#byVm.keys()) if (!vms.has(vm)) this.#byVm.delete(vm);
  }
}
