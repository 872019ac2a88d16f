import type { Clock } from '../../lib/clock.ts';
import type { Kernel } from '../host/kernel.ts';
import type { HostView, OwnCard, RecordedCard } from '../source/wanted.ts';
import { isCardKey } from '../wiring/card-key.ts';
import { isClaimAlive } from '../wiring/closed-tap.ts';
import { isTapName } from '../wiring/identity.ts';
import type { ObservedHost } from './observe.ts';

export interface ViewPorts {
  readonly nodeName: string;
  readonly clock: Clock;
  readonly kernel: Kernel;
}

/** What planning needs to know of a host that was just observed. */
export function viewOf(
  { records, recordsError, links }: ObservedHost,
  existing: ReadonlySet<string>,
  { nodeName, clock, kernel }: ViewPorts,
): Omit<HostView, 'closedSites'> {
  const holders = new Map<string, string>();
  const cards = new Map<string, RecordedCard>();
  const taps = new Map<string, OwnCard | null>([...existing].map((tap) => [tap, null]));
  const heldTaps = new Set([...links.values()].flatMap(({ name, carrier }) => (carrier ? [name] : [])));
  for (const [tap, state] of records) {
    if (state.state !== 'ok') {
      if (isTapName(tap)) taps.set(tap, null);
      continue;
    }
    const { vm, guestMac, guestAddress, network, guest } = state.record;
    if (isCardKey(tap)) {
      const hasKey = guest !== undefined;
      cards.set(tap, { vmId: vm, mac: guestMac, guestAddress, hasKey, network });
      continue;
    }
    taps.set(tap, { vm, mac: guestMac, guestAddress });
    const { claim, violations } = state.record;
    const isOnEngine = state.record.engine !== undefined;
    if (violations !== undefined || isOnEngine || isClaimAlive(kernel, claim)) heldTaps.add(tap);
    if (network !== null) holders.set(vm, network);
  }
  const complete = recordsError === null;
  return {
    nodeName,
    holders,
    taps,
    heldTaps,
    cards,
    complete,
    nowNs: clock.monotonicNs(),
    nowMs: clock.nowMs(),
  };
}
