import type { DropEvent, SeenViolation } from './status.ts';

/** Enough to see what a guest is up to; a guest chooses how many kinds there are. */
const KEPT = 8;

/** The latest distinct violations of each VM that the kernel told of: evidence for people. Nothing is decided by it. */
export class ViolationLog {
  readonly #byVm = new Map<string, Map<string, SeenViolation>>();

  note({ vm, time, reason, summary, audited = false }: DropEvent): void {
    const seen = this.#byVm.get(vm) ?? new Map<string, SeenViolation>();
    this.#byVm.set(vm, seen);
    const kind = `${reason} ${summary}`;
    // Taken out first, so that the order is that of the last time.
    seen.delete(kind);
    seen.set(kind, { time, reason, summary, audited });
    const [oldest] = seen.keys();
    if (seen.size > KEPT && oldest !== undefined) seen.delete(oldest);
  }

  of(vm: string): readonly SeenViolation[] {
    return [...(this.#byVm.get(vm)?.values() ?? [])];
  }

  /** Forgets VMs that are no more. */
  keepOnly(vms: ReadonlySet<string>): void {
    for (const vm of this.#byVm.keys()) if (!vms.has(vm)) this.#byVm.delete(vm);
  }
}
