import type { Clock } from '../../lib/clock.ts';
import type { HostVm } from '../discovery/directory.ts';
import type { Kernel } from '../host/kernel.ts';

/*
 * How long a link that somebody else made was up without our programs, as far as this agent can tell: from when it first knew
 * of the link being up, which is when the kernel told that something changed or the pass that saw it, to when the programs were
 * read back. What was before the agent started is not known to it. The guard is closed all that time where the name of the link
 * matches a pattern, so what is measured is how long the guard was all there was; without a pattern it is how long the VM was open.
 *
 * Of a network namespace that was not watched nobody tells. What is found there is taken to have been open since the first process
 * started that holds a tap there. It may have been less; who held it before, and handed it on, is not known.
 */

interface Measured {
  /** The pins are of the link of this name at this number. */
  openSinceNs: bigint | null;
  totalNs: bigint;
}

export class Exposure {
  readonly #links = new Map<string, Measured>();
  readonly #beganNs: bigint;
  #noticedNs: bigint | null = null;

  /** `beganNs`: what was before is not known. */
  constructor(beganNs = 0n) {
    this.#beganNs = beganNs;
  }

  /** The kernel told that links changed. */
  noticed(atNs: bigint): void {
    if (this.#noticedNs === null || atNs < this.#noticedNs) this.#noticedNs = atNs;
  }

  /** An instant at which something began that this agent was not told of, as far as it counts. */
  since(atNs: bigint): bigint {
    return atNs > this.#beganNs ? atNs : this.#beganNs;
  }

  /** A pass begins: what it sees first was noticed then. Gives the instant, for `looked`. */
  begin(nowNs: bigint): bigint {
    const noticedNs = this.#noticedNs ?? nowNs;
    this.#noticedNs = null;
    return noticedNs;
  }

  /**
   * What one look showed of a link.
   *
   * @param sinceNs since when it may have been so, if it was not so before
   */
  looked(pins: string, isOpen: boolean, sinceNs: bigint, nowNs: bigint): void {
    const link = this.#links.get(pins) ?? { openSinceNs: null, totalNs: 0n };
    // One that is closed when it is first seen was closed by another run of the agent, which measured.
    if (!isOpen && !this.#links.has(pins)) return;
    this.#links.set(pins, link);
    if (isOpen) link.openSinceNs ??= sinceNs;
    else if (link.openSinceNs !== null) {
      link.totalNs += nowNs - link.openSinceNs;
      link.openSinceNs = null;
    }
  }

  /** A link that is down and not closed yet. */
  born(pins: string): void {
    if (!this.#links.has(pins)) this.#links.set(pins, { openSinceNs: null, totalNs: 0n });
  }

  /** Milliseconds in all, a begun one counted; null: this agent does not know, for it found the link closed. */
  ofLink(pins: string, nowNs: bigint): number | null {
    const link = this.#links.get(pins);
    if (link === undefined) return null;
    const runningNs = link.openSinceNs === null ? 0n : nowNs - link.openSinceNs;
    return Number((link.totalNs + runningNs + 999_999n) / 1_000_000n);
  }

  /** Forgets links that are no more: their numbers may be others' from now on. */
  keepOnly(pins: { has(pins: string): boolean }): void {
    for (const name of this.#links.keys()) if (!pins.has(name)) this.#links.delete(name);
  }
}

/**
 * Since when links of a namespace that was just entered may have been open: since somebody holds one there, or it was seen.
 */
export function heldSinceNs(
  site: string | null,
  vms: readonly HostVm[],
  exposure: Exposure,
  seenNs: bigint,
  {
    kernel,
    clock,
  }: { readonly kernel: Pick<Kernel, 'processAgeMs'>; readonly clock: Pick<Clock, 'monotonicNs'> },
): bigint {
  const nowNs = clock.monotonicNs();
  return vms
    .flatMap(({ cards }) => cards)
    .flatMap(({ link, startTicks }) => (link?.netns === site && startTicks !== null ? [startTicks] : []))
    .map((startTicks) =>
      exposure.since(nowNs - BigInt(Math.ceil(kernel.processAgeMs(startTicks))) * 1_000_000n),
    )
    .reduce((earliest, startNs) => (startNs < earliest ? startNs : earliest), seenNs);
}
