import { z } from 'zod';
import { consumerEndpointSchema } from '../../api/v1alpha1/consumer-endpoint.ts';
import { ipv4AddressSchema } from '../../api/v1alpha1/ipv4-address.ts';
import { macAddressSchema } from '../../api/v1alpha1/mac-address.ts';
import { vmNameSchema } from '../../api/v1alpha1/vm-name.ts';
import { wireGuardKeySchema } from '../../api/v1alpha1/wireguard-key.ts';
import { wireGuardSchema } from '../../api/v1alpha1/wireguard.ts';

/*
 * Everything that the documents of one guest are made of. It is read strictly, and only what was read is rendered: each text
 * has one form without blanks, quotes or line ends, so that it stays one word in whatever language it is written into.
 */

/** What distinguishes one guest from another with the same name: a uuid, as text of the same form as a VM's name. */
const instanceSchema = vmNameSchema;

const tunnelSchema = wireGuardSchema
  .pick({ addresses: true, allowedIPs: true, dns: true, persistentKeepaliveSeconds: true, mtu: true })
  .extend({
    /** The VM's own; base64 of 32 bytes, in the spelling of `wg genkey`. Secret. */
    privateKey: wireGuardKeySchema,
    peerPublicKey: wireGuardKeySchema,
    /** Secret. */
    presharedKey: wireGuardKeySchema.optional(),
  });

export const guestSchema = z
  .strictObject({
    vmName: vmNameSchema,
    /**
     * Stays while the VM does, restarts included; another VM has another, one with the same name and a copy of the disk too.
     */
    instance: instanceSchema,
    card: z.strictObject({
      mac: macAddressSchema,
      address: ipv4AddressSchema,
      gateway: ipv4AddressSchema,
      /** Bytes; what the tap carries. */
      mtu: z.int().min(1280).max(65535),
    }),
    endpoint: consumerEndpointSchema,
    /** Absent: the guest gets its network and the firewall, and no tunnel of ours. */
    tunnel: tunnelSchema.exactOptional(),
  })
  .brand<'Guest'>();

export type Guest = z.infer<typeof guestSchema>;
export type GuestInput = z.input<typeof guestSchema>;

/** Throws ZodError with the path of what is wrong; the values of keys are not in it. */
export function parseGuest(input: unknown): Guest {
  return guestSchema.parse(input);
}
