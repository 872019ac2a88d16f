import type { ConsumerEndpoint } from '../../api/v1alpha1/consumer-endpoint.ts';
import type { CloudInit } from '../../api/v1alpha1/cloud-init.ts';
import type { WireGuard } from '../../api/v1alpha1/wireguard.ts';
import type { GuestInput } from '../documents/guest.ts';
import type { SeedOptions } from '../documents/seed-documents.ts';

type Tunnel = Pick<
  WireGuard,
  'peerPublicKey' | 'addresses' | 'allowedIPs' | 'dns' | 'persistentKeepaliveSeconds' | 'mtu'
>;

/** What provisions a guest: the spec of a VMNetwork, or the policy of an attachment, which the controller made from one. */
export interface ProvisioningNetwork {
  readonly consumerEndpoint?: ConsumerEndpoint | undefined;
  readonly wireGuard?: Tunnel | undefined;
  readonly cloudInit: CloudInit;
}

/** What its host knows of a guest. */
export type HostedGuest = Pick<GuestInput, 'vmName' | 'instance' | 'card'>;

/** Both base64 as wg(8) has it, and secret. */
export interface GuestKeys {
  readonly privateKey: string;
  readonly presharedKey?: string;
}

/** How the guest is given what is meant for it; null: nothing is. */
export function deliveryOf({
  consumerEndpoint,
  cloudInit,
}: ProvisioningNetwork): SeedOptions['delivery'] | null {
  // Without an endpoint, as in mode Direct, there is no flow that the guest's firewall could be for.
  return cloudInit.delivery === 'None' || consumerEndpoint === undefined ? null : cloudInit.delivery;
}

/** Whether the guest gets a tunnel; otherwise it gets its network and the firewall. */
export function hasTunnel({ wireGuard }: ProvisioningNetwork): boolean {
  return wireGuard?.peerPublicKey !== undefined;
}

/**
 * The guest of a network, as `parseGuest` takes it.
 *
 * @param keys null: not made, as there is no tunnel
 * @throws TypeError without an endpoint, and for a tunnel without keys
 */
export function guestInput(
  { consumerEndpoint, wireGuard }: ProvisioningNetwork,
  guest: HostedGuest,
  keys: GuestKeys | null,
): GuestInput {
  if (consumerEndpoint === undefined) throw new TypeError('a guest is provisioned for an endpoint');
  const { vmName, instance, card } = guest;
  const input = { vmName, instance, card, endpoint: consumerEndpoint };
  if (wireGuard?.peerPublicKey === undefined) return input;
  if (keys === null) throw new TypeError('a tunnel needs the private key of the VM');
  const { peerPublicKey, addresses, allowedIPs, dns, persistentKeepaliveSeconds, mtu } = wireGuard;
  return {
    ...input,
    tunnel: { peerPublicKey, addresses, allowedIPs, dns, persistentKeepaliveSeconds, mtu, ...keys },
  };
}
