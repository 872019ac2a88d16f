import { reasonName } from '../../filter/drop-reason.ts';
import type { Clock } from '../../lib/clock.ts';
import type { FilterEvent } from '../../native/filter-engine.ts';
import { summariseFrame } from '../../packet/summary/frame-summary.ts';
import type { AttachmentStatus, DropEvent } from './status.ts';

/** A kernel event as people and scripts read it. `attachment`: whose it is; see attachmentOf. */
export function toDropEvent(
  event: FilterEvent,
  attachment: Pick<AttachmentStatus, 'vm' | 'network'> | null,
  clock: Clock,
): DropEvent {
  const agoMs = Number((clock.monotonicNs() - event.timeNs) / 1_000_000n);
  return {
    time: new Date(clock.now().getTime() - agoMs).toISOString(),
    vm: attachment?.vm ?? '',
    network: attachment?.network ?? null,
    direction: event.direction,
    reason: reasonName(event.reason),
    summary: summariseFrame(event.head, event.frameBytes),
    frameBytes: event.frameBytes,
    kind: event.kind,
    audited: event.audited,
  };
}

type Listener = (event: DropEvent) => void;

/** Hands each event to whoever listens at that moment; nothing is kept. */
export class DropEventFeed {
  readonly #listeners = new Set<Listener>();

  publish(event: DropEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Returns the end of the subscription. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}
