import type { Stamp } from '../stage/stamp.ts';

/** A VM was forbidden a place from then to then, CLOCK_MONOTONIC; an open end is still so. */
interface Ban {
  readonly vm: string;
  readonly place: string;
  readonly fromNs: bigint;
  untilNs: bigint | null;
}

/**
 * Where each VM must not reach, and since when: everywhere from its beginning; not where its network is about to send it; and no
 * more where it was sent before, from the moment at which the API said that this is no longer in force.
 */
export class Bans {
  readonly #places: readonly string[];
  readonly #bans = new Map<string, Ban[]>();

  constructor(places: readonly string[]) {
    this.#places = places;
  }

  /** From this moment on, everywhere but there. */
  begin(vm: string, but: string | null = null): void {
    for (const place of this.#places)
      if (place !== but && this.#open(vm, place) === undefined)
        this.#of(vm).push({ vm, place, fromNs: process.hrtime.bigint(), untilNs: null });
  }

  /** To be called before anybody is told that it may reach this place. */
  lift(vm: string, place: string): void {
    const open = this.#open(vm, place);
    if (open !== undefined) open.untilNs = process.hrtime.bigint();
  }

  breaks({ vm, place, sentNs }: Stamp): boolean {
    return (this.#bans.get(vm) ?? []).some(
      (ban) => ban.place === place && sentNs >= ban.fromNs && (ban.untilNs === null || sentNs < ban.untilNs),
    );
  }

  #of(vm: string): Ban[] {
    const bans = this.#bans.get(vm) ?? [];
    this.#bans.set(vm, bans);
    return bans;
  }

  #open(vm: string, place: string): Ban | undefined {
    return this.#of(vm).find((ban) => ban.place === place && ban.untilNs === null);
  }
}
