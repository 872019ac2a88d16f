import type { ConditionReason, ConditionStatus } from '../../api/v1alpha1/conditions.ts';
import type { ProvisioningNetwork } from '../../cloudinit/mapping/guest-input.ts';
import { deliveryOf, hasTunnel } from '../../cloudinit/mapping/guest-input.ts';

/** What is said of a guest, as `GuestProvisioned`. */
export interface GuestSaid {
  readonly status: ConditionStatus;
  readonly reason: ConditionReason;
  readonly message: string;
}

/** The key that both ends of the tunnel share besides their own. */
export type PresharedKeyOffer =
  | { readonly kind: 'none' }
  /** `id` changes when the key may have, and tells nothing of it. `open`: 32 bytes that the caller zeroes; throws when they cannot be had. */
  | { readonly kind: 'sealed'; readonly id: string; readonly open: () => Buffer };

/** What the guest of one network card is to be told at its boot. */
export interface GuestOrder {
  readonly network: ProvisioningNetwork;
  readonly presharedKey: PresharedKeyOffer;
  /** Why it is told nothing although its network asks for it; null: nothing stands against it. */
  readonly objection: GuestSaid | null;
  /** Request for another key that its first key answers; see rotationAsked. */
  readonly rotation?: string | undefined;
}

/**
 * Null: nothing is asked for. A guest without a tunnel that somebody else started is left as it is: its network and its firewall
 * may be anybody's.
 */
export function guestOrder(
  network: ProvisioningNetwork,
  presharedKey: PresharedKeyOffer,
  { objection = null, rotation }: Partial<Pick<GuestOrder, 'objection' | 'rotation'>> = {},
): GuestOrder | null {
  if (deliveryOf(network) === null || !hasTunnel(network)) return null;
  return { network, presharedKey, objection, rotation };
}
