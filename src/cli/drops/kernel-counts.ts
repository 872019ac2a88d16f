import type { HostFilters } from '../filters/host-filters.ts';
import type { FrameCount } from './counter-table.ts';

/** The counters of one pin folder, as `src/native/filter-engine.ts` gives them. */
export type ReadCounters = (pinDir: string) => {
  readonly direction: FrameCount['direction'];
  readonly reason: number;
  readonly audited: boolean;
  readonly packets: bigint;
  readonly bytes: bigint;
}[];

export interface ReasonNames {
  name(reason: number): string;
  isDrop(reason: number): boolean;
}

/** What the maps of the kernel hold of dropped frames; of all frames with `allowedToo`. Needs root, no agent. */
export class KernelCounts {
  readonly #filters: Pick<HostFilters, 'list' | 'named'>;
  readonly #read: ReadCounters;
  readonly #reasons: ReasonNames;

  constructor(filters: Pick<HostFilters, 'list' | 'named'>, read: ReadCounters, reasons: ReasonNames) {
    this.#filters = filters;
    this.#read = read;
    this.#reasons = reasons;
  }

  /**
   * @param name only the VM, or interface, of this name; null for all. Throws InputError when there is none and
   *   `mustBeThere`.
   */
  read(name: string | null, allowedToo: boolean, mustBeThere = false): FrameCount[] {
    const filters = mustBeThere && name !== null ? this.#filters.named(name) : this.#filters.list();
    return filters
      .filter(({ vm, tap }) => name === null || vm === name || tap === name)
      .flatMap(({ vm, tap, pinDir }) =>
        this.#read(pinDir)
          .filter(({ reason }) => allowedToo || this.#reasons.isDrop(reason))
          .map(({ reason, ...count }) => ({ vm, tap, reason: this.#reasons.name(reason), ...count })),
      );
  }
}
