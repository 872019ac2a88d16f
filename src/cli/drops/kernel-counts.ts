import type { Kernel } from '../../agent/host/kernel.ts';
import { isTapName, ownerOfAlias } from '../../agent/wiring/identity.ts';
import { type AttachmentPaths, pinDirOf, recordsDirOf } from '../../agent/wiring/paths.ts';
import { RecordFolder } from '../../agent/wiring/record.ts';
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
  readonly #kernel: Pick<Kernel, 'listPins' | 'linkByName'>;
  readonly #read: ReadCounters;
  readonly #reasons: ReasonNames;
  readonly #paths: AttachmentPaths;

  constructor(
    kernel: Pick<Kernel, 'listPins' | 'linkByName'>,
    read: ReadCounters,
    reasons: ReasonNames,
    paths: AttachmentPaths,
  ) {
    this.#kernel = kernel;
    this.#read = read;
    this.#reasons = reasons;
    this.#paths = paths;
  }

  /** VMs with a filter, by tap; the tap's own name where nothing tells the VM's. */
  vms(): Map<string, string> {
    const records = new RecordFolder(recordsDirOf(this.#paths));
    const taps = this.#kernel.listPins(this.#paths.bpffs).filter(isTapName);
    return new Map(
      taps.map((tap) => {
        const record = records.read(tap);
        if (record.state === 'ok') return [tap, record.record.vm];
        const link = this.#kernel.linkByName(tap);
        return [tap, (link && ownerOfAlias(link.alias, tap))?.vm ?? tap];
      }),
    );
  }

  /** @param vm only this one; null for all */
  read(vm: string | null, allowedToo: boolean): FrameCount[] {
    return [...this.vms()]
      .filter(([tap, name]) => vm === null || vm === name || vm === tap)
      .flatMap(([tap, name]) =>
        this.#read(pinDirOf(this.#paths, tap))
          .filter(({ reason }) => allowedToo || this.#reasons.isDrop(reason))
          .map(({ reason, ...count }) => ({ vm: name, tap, reason: this.#reasons.name(reason), ...count })),
      );
  }
}
