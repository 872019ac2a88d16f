import type { PlannedCondition } from '../../controller/vmnetwork/plan.ts';
import { reasonName } from '../../filter/drop-reason.ts';
import type { FilterEvent } from '../../native/events.ts';

/*
 * Whether a guest sends what the firewall that we gave it would have stopped: somebody removed it, or sends below it, by a
 * packet socket. The host held the guest all the same; this tells its owner.
 *
 *   evidence   a unicast IP frame of the guest's that the host dropped for where it comes from or goes to. What stands below or
 *              beside an inet ruleset in every guest shows nothing: ARP, other EtherTypes, and whatever goes to many, as DHCP and
 *              boot loaders do. Nor does a datagram of WireGuard's shape: a guest of an older seed calls the endpoint of before.
 *   enough     three frames that were told within a minute. The kernel tells one kind once in ten seconds, so a stray one is not
 *              enough and a ping that goes on is.
 *   the end    once the VM has ended. A ruleset that is back makes nothing undone. An agent that starts anew knows nothing of it.
 */

const EVIDENCE: ReadonlySet<string> = new Set([
  ...['Protocol', 'DestinationAddress', 'DestinationPort', 'IcmpToEndpoint', 'SourceAddress', 'Ipv6'],
]);
const WINDOW_MS = 60_000;
const ENOUGH = 3;

/** What is known against the firewall of one guest. */
export interface BypassSeen {
  /** When there was enough (ISO 8601). */
  readonly since: string;
  /** Of the frame that was enough. */
  readonly reason: string;
  readonly summary: string;
}

interface Suspicion {
  timesMs: readonly number[];
  seen: BypassSeen | null;
}

/** Of `GuestFirewallBypassed`. Pure. */
export function bypassText(
  seen: BypassSeen | undefined,
): Pick<PlannedCondition, 'status' | 'reason' | 'message'> {
  if (seen === undefined) {
    const message =
      'since its VM or its agent started, nothing was seen that its firewall would have stopped';
    return { status: 'False', reason: 'NoneSeen', message };
  }
  const { since, reason, summary } = seen;
  const message = `since ${since} it sends what its firewall stops (${reason}: ${summary}): that was removed, or something sends below it. The host drops it. It is told until its VM or its agent starts anew`;
  return { status: 'True', reason: 'SentPastFirewall', message };
}

/** By the pins of the card. Only of guests that have our firewall, and showed it by a tunnel that came up. */
export class FirewallBypass {
  readonly #byPins = new Map<string, Suspicion>();

  /** Whether there is enough now that was not before. `time`: ISO 8601, of the frame. */
  note(pins: string, event: FilterEvent, { time, summary }: { time: string; summary: string }): boolean {
    if (!isEvidence(event)) return false;
    const before = this.#byPins.get(pins) ?? { timesMs: [], seen: null };
    if (before.seen !== null) return false;
    const nowMs = Date.parse(time);
    const timesMs = [...before.timesMs.filter((then) => nowMs - then < WINDOW_MS), nowMs];
    const seen = timesMs.length < ENOUGH ? null : { since: time, reason: reasonName(event.reason), summary };
    this.#byPins.set(pins, { timesMs: seen === null ? timesMs : [], seen });
    return seen !== null;
  }

  of(pins: string): BypassSeen | null {
    return this.#byPins.get(pins)?.seen ?? null;
  }

  /** Forgets VMs that have ended. */
  keepOnly(running: ReadonlySet<string>): void {
    for (const one of this.#byPins.keys()) if (!running.has(one)) this.#byPins.delete(one);
  }
}

const ETHERNET_BYTES = 14;
const UDP = 17;
const UDP_BYTES = 8;

/** Pure. */
export function isEvidence({
  direction,
  reason,
  head,
}: Pick<FilterEvent, 'direction' | 'reason' | 'head'>): boolean {
  const isToMany = ((head[0] ?? 1) & 1) === 1;
  return direction === 'from-vm' && !isToMany && EVIDENCE.has(reasonName(reason)) && !isLikeWireGuard(head);
}

/** Of a head that was cut: a parser of whole datagrams would refuse it. */
function isLikeWireGuard(head: Uint8Array): boolean {
  const versionAndLength = head[ETHERNET_BYTES] ?? 0;
  if (versionAndLength >> 4 !== 4 || head[ETHERNET_BYTES + 9] !== UDP) return false;
  const payload = ETHERNET_BYTES + (versionAndLength & 15) * 4 + UDP_BYTES;
  const [type = 0, ...reserved] = head.subarray(payload, payload + 4);
  return type >= 1 && type <= 4 && reserved.length === 3 && reserved.every((byte) => byte === 0);
}
