import type { VmNetworkAttachmentSpec } from '../../../api/v1alpha1/index.ts';

type PreviousEndpoint = NonNullable<VmNetworkAttachmentSpec['policy']['previousEndpoint']>;

/** Longest that an endpoint may have grace: the API's bound on `endpointGraceSeconds`. */
export const LONGEST_GRACE_MS = 3_600_000;

export interface Instant {
  /** CLOCK_MONOTONIC. */
  readonly nowNs: bigint;
  /** Wall clock. */
  readonly nowMs: number;
  /** The wall clock was seen to be this far already. */
  readonly seenMs: number;
}

/**
 * Ends of grace by the clock that cannot be set. An attachment says them by the wall clock; each is converted once, when it
 * is first seen, and stays: whatever the wall clock does afterwards, the grace gets no longer. A wall clock that went back
 * behind what it was seen to be (a host that started without the time) is taken for what it was.
 */
export class GraceDeadlines {
  /** By uid of the attachment. */
  readonly #known = new Map<string, { readonly said: string; readonly untilNs: bigint }>();

  /** CLOCK_MONOTONIC at which the endpoint stops being allowed. */
  of(uid: string, { address, port, until }: PreviousEndpoint, { nowNs, nowMs, seenMs }: Instant): bigint {
    const said = `${address}:${port} ${until}`;
    const known = this.#known.get(uid);
    if (known?.said === said) return known.untilNs;
    const leftMs = Date.parse(until) - Math.max(nowMs, seenMs);
    // A time that cannot be read is over.
    const graceMs = leftMs > 0 ? Math.min(leftMs, LONGEST_GRACE_MS) : 0;
    const untilNs = nowNs + BigInt(Math.floor(graceMs)) * 1_000_000n;
    this.#known.set(uid, { said, untilNs });
    return untilNs;
  }

  /** Forgets attachments that are no more. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const uid of this.#known.keys()) if (!uids.has(uid)) this.#known.delete(uid);
  }
}
