import type { VmNetworkAttachmentStatus } from '../../../api/v1alpha1/index.ts';
import { reasonName } from '../../../filter/drop-reason.ts';
import type { FilterEvent } from '../../../native/filter-engine.ts';
import { FrameView } from '../../../packet/summary/frame-view.ts';
import { protocolName } from '../../../packet/summary/transport-summary.ts';
import { keepKind } from '../kept-kinds.ts';

/** As `lastViolations` of an attachment has it. */
export type ViolationSeen = NonNullable<VmNetworkAttachmentStatus['lastViolations']>[number];

/**
 * The latest distinct violations of each network card, by its pins, that the kernel told of. It tells the first of a kind and then one in ten seconds,
 * so `packets` is how many were told, and there were at least as many.
 */
export class ViolationTuples {
  readonly #byPins = new Map<string, Map<string, ViolationSeen>>();

  /** @param time RFC 3339 */
  note(pins: string, event: FilterEvent, time: string): void {
    const tuples = this.#byPins.get(pins) ?? new Map<string, ViolationSeen>();
    this.#byPins.set(pins, tuples);
    const tuple = tupleOf(event);
    const key = JSON.stringify(tuple);
    const packets = (tuples.get(key)?.packets ?? 0) + 1;
    keepKind(tuples, key, { time, ...tuple, packets }, ({ direction, reason }) => `${direction} ${reason}`);
  }

  /** Newest last. */
  of(pins: string): readonly ViolationSeen[] {
    return [...(this.#byPins.get(pins)?.values() ?? [])];
  }

  /** Forgets those that are no more. */
  keepOnly(pins: ReadonlySet<string>): void {
    for (const one of this.#byPins.keys()) if (!pins.has(one)) this.#byPins.delete(one);
  }
}

/** They differ at most in how often, and when last. */
export function isSameTuple(a: ViolationSeen, b: ViolationSeen): boolean {
  return (
    a.direction === b.direction &&
    a.reason === b.reason &&
    a.protocol === b.protocol &&
    a.address === b.address &&
    a.port === b.port
  );
}

type Tuple = Omit<ViolationSeen, 'time' | 'packets'>;

const ETHERNET_BYTES = 14;
const TCP = 6;
const UDP = 17;

function tupleOf({ direction, reason, head, frameBytes }: FilterEvent): Tuple {
  const view = new FrameView(head, frameBytes);
  const fromVm = direction === 'from-vm';
  return { direction: fromVm ? 'FromVM' : 'ToVM', reason: reasonName(reason), ...otherSide(view, fromVm) };
}

/** Who was spoken to, as far as the frame tells. Of bytes that a guest chose: nothing here is trusted, and nothing throws. */
function otherSide(view: FrameView, fromVm: boolean): Pick<Tuple, 'protocol' | 'address' | 'port'> {
  const at = ETHERNET_BYTES;
  const etherType = view.u16(12);
  if (etherType === 0x0806 && view.has(at + 28))
    return { protocol: 'ARP', address: view.ipv4(at + (fromVm ? 24 : 14)) };
  if (etherType === 0x0800 && view.has(at + 20)) {
    const protocol = view.u8(at + 9);
    const isFragment = (view.u16(at + 6) & 0x1fff) !== 0;
    const transport = at + 4 * (view.u8(at) & 0xf);
    return {
      protocol: protocolName(protocol),
      address: view.ipv4(at + (fromVm ? 16 : 12)),
      ...(isFragment ? {} : portOf(view, protocol, transport, fromVm)),
    };
  }
  if (etherType === 0x86dd && view.has(at + 40)) {
    const protocol = view.u8(at + 6);
    const address = view.ipv6(at + (fromVm ? 24 : 8));
    return { protocol: protocolName(protocol), address, ...portOf(view, protocol, at + 40, fromVm) };
  }
  return { protocol: CUT_SHORT[etherType] ?? `EtherType 0x${etherType.toString(16).padStart(4, '0')}` };
}

/** Frames that end within the header that names the other side. */
const CUT_SHORT: Readonly<Record<number, string>> = { 0x0800: 'IPv4', 0x0806: 'ARP', 0x86dd: 'IPv6' };

function portOf(view: FrameView, protocol: number, at: number, fromVm: boolean): { port?: number } {
  if ((protocol !== TCP && protocol !== UDP) || !view.has(at + 4)) return {};
  return { port: view.u16(at + (fromVm ? 2 : 0)) };
}
