import { parseMacAddress, type MacAddress } from '../../api/v1alpha1/mac-address.ts';

/**
 * What one source (command line, monitor, libvirt) says of a VM. All of it was written by whoever started the VM, or by the
 * guest's side of it, and is bounded but not believed: what is reported is made of it in `identity.ts` and `cards.ts`.
 */
export interface VmFacts {
  /** As given, any text. */
  readonly name: string | null;
  /** Canonical; null when there is none or it is all zero. */
  readonly uuid: string | null;
  readonly cards: readonly CardFact[];
  readonly backends: readonly BackendFact[];
}

/** A network card as the guest sees it. */
export interface CardFact {
  /** Kind of device, for people: `virtio-net-pci`. */
  readonly device: string;
  readonly mac: MacAddress | null;
  /** Ids of what is at the other end of it; several on a hub. */
  readonly backends: readonly string[];
  /** A device of the host that the guest drives itself: there is no backend. */
  readonly passthrough?: boolean;
}

/** The host's end of a card. */
export interface BackendFact {
  readonly id: string;
  /** `tap`, `user`, `vhost-user`, … as QEMU's -netdev has it. */
  readonly kind: string;
  /** Name of the interface when it was opened; it may have been renamed since. */
  readonly interface: string | null;
  /** Descriptors in the VM's process, by number, where they were handed to it. */
  readonly fds: readonly number[];
}

/** More of either than any machine type has slots for; the rest is not read. */
export const MOST_CARDS = 256;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function uuidFact(text: string | undefined): string | null {
  const uuid = text?.toLowerCase() ?? '';
  return UUID.test(uuid) && /[1-9a-f]/.test(uuid) ? uuid : null;
}

/** Any spelling that QEMU takes of six bytes. */
export function macFact(text: string | undefined): MacAddress | null {
  return parseMacAddress((text ?? '').toLowerCase().replaceAll('-', ':'));
}

/** `21:22`, as `fds=` has them. */
export function fdsFact(text: string | undefined): number[] {
  return (text ?? '').split(':').flatMap((part) => (/^\d{1,9}$/.test(part) ? [Number(part)] : []));
}
