import { keepKind } from './kept-kinds.ts';
import type { DropEvent, SeenViolation } from './status.ts';

/** The latest distinct violations of each network card, by its pins, that the kernel told of: evidence for people. Nothing is decided by it. */
export class ViolationLog {
  readonly #byPins = new Map<string, Map<string, SeenViolation>>();

  note(pins: string, { time, reason, summary, audited = false }: DropEvent): void {
    const seen = this.#byPins.get(pins) ?? new Map<string, SeenViolation>();
    this.#byPins.set(pins, seen);
    const kind = { time, reason, summary, audited };
    keepKind(seen, `${reason} ${summary}`, kind, (one) => one.reason);
  }

  of(pins: string): readonly SeenViolation[] {
    return [...(this.#byPins.get(pins)?.values() ?? [])];
  }

  /** Forgets those that are no more. */
  keepOnly(pins: ReadonlySet<string>): void {
    for (const one of this.#byPins.keys()) if (!pins.has(one)) this.#byPins.delete(one);
  }
}
