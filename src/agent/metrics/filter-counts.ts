import { basename, join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { isVmnError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Direction } from '../../native/filter-engine.ts';
import type { Kernel } from '../host/kernel.ts';
import type { GoneCounts } from './gone-counts-file.ts';
import { KeptSums } from './kept-sums.ts';
import type { Counts } from './kept-sums.ts';

export interface FilterCountsPorts {
  readonly kernel: Kernel;
  /** Under which each filter has a folder of pins. */
  readonly bpffs: string;
  readonly file: GoneCounts;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Reading the counts of one filter takes some hundred system calls: however often it is asked, they are read so often. */
const FRESH_MS = 10_000;

/** How often VMs reached their thresholds of violations, as a series beside those of frames. */
export const CROSSINGS = 'crossings';

/** Series of frames of one direction and reason. */
export function frameSeries(direction: Direction, reason: number, audited: boolean): string {
  return `${direction} ${reason}${audited ? ' audited' : ''}`;
}

/** The reason of a series of frames; null: it is of something else. */
export function reasonIn(series: string): number | null {
  const [, reason] = series.split(' ');
  return reason === undefined ? null : Number(reason);
}

/**
 * What all filters of this host count, together; those that are removed are read a last time. Read when somebody asks, one
 * filter after the other with a turn of the event loop between, so that a host full of VMs stalls nothing.
 */
export class FilterCounts {
  readonly #ports: FilterCountsPorts;
  readonly #sums: KeptSums;
  #readMs = -Infinity;
  #reading: Promise<void> | null = null;
  #unread = 0;
  #savedRevision = 0;
  #unsaved = false;

  constructor(ports: FilterCountsPorts) {
    this.#ports = ports;
    this.#sums = new KeptSums(ports.file.read());
  }

  /** Filters whose counts could not be read last; theirs stand still. */
  get unread(): number {
    return this.#unread;
  }

  /** At most 10 s old. */
  async total(): Promise<Counts> {
    const { clock } = this.#ports;
    if (clock.monotonicMs() - this.#readMs >= FRESH_MS) {
      this.#reading ??= this.#readAll().finally(() => (this.#reading = null));
    }
    await this.#reading;
    return this.#sums.total();
  }

  /** The kernel, with an eye on filters that go. */
  watched(kernel: Kernel): Kernel {
    return {
      ...kernel,
      removePins: (pinDir, options) => {
        const last = this.#read(pinDir);
        kernel.removePins(pinDir, options);
        const filter = basename(pinDir);
        if (last !== null) this.#sums.seen(filter, last);
        this.#sums.left(filter);
      },
      setPinsAside: (pinDir) => {
        kernel.setPinsAside(pinDir);
        this.#sums.forget(basename(pinDir));
        this.#readMs = -Infinity;
      },
    };
  }

  /** Writes down what is gone, if that has changed. Not being able to is no reason not to enforce. */
  save(): void {
    const { file, log } = this.#ports;
    const { revision, gone } = this.#sums;
    if (revision === this.#savedRevision) return;
    try {
      file.write(gone);
      this.#savedRevision = revision;
      this.#unsaved = false;
    } catch (err) {
      if (!this.#unsaved) log.warn({ err }, 'counts of filters that are gone are not kept');
      this.#unsaved = true;
    }
  }

  async #readAll(): Promise<void> {
    const { kernel, bpffs, clock } = this.#ports;
    this.#readMs = clock.monotonicMs();
    const filters = attempt(() => kernel.listPins(bpffs));
    if (filters === null) return;
    this.#sums.keepOnly(new Set(filters));
    let unread = 0;
    for (const filter of filters) {
      const counts = this.#read(join(bpffs, filter));
      if (counts !== null) this.#sums.seen(filter, counts);
      else unread += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#unread = unread;
  }

  #read(pinDir: string): Counts | null {
    const { kernel } = this.#ports;
    return attempt(() => {
      const counts = new Map<string, bigint>();
      for (const { direction, reason, audited, packets } of kernel.counters(pinDir)) {
        counts.set(frameSeries(direction, reason, audited), packets);
      }
      const { crossings } = kernel.violations(pinDir);
      if (crossings > 0n) counts.set(CROSSINGS, crossings);
      return counts;
    });
  }
}

/** Null: the kernel did not answer. */
function attempt<T>(ask: () => T): T | null {
  try {
    return ask();
  } catch (error) {
    if (isVmnError(error)) return null;
    throw error;
  }
}
