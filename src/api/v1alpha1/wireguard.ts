import { z } from 'zod';
import { cidrSchema, networkCidrSchema } from './cidr.ts';
import { dnsSubdomainSchema } from './dns-1123.ts';
import { formedText } from './formed-text.ts';
import { ipv4AddressSchema } from './ipv4-address.ts';
import { uniqueItems } from './unique-items.ts';
import { wireGuardKeySchema } from './wireguard-key.ts';

/** Reference to one entry of a Secret in the namespace of the VMNetwork. Agents read no Secret. */
const secretKeyRefSchema = z.strictObject({
  name: dnsSubdomainSchema.meta({ description: 'Name of the Secret.', examples: ['psk'] }),
  // As Kubernetes takes it (IsConfigMapKey): neither "." nor anything that begins with "..".
  key: formedText({
    pattern: /^([-_a-zA-Z0-9]|[.][-_a-zA-Z0-9])[-._a-zA-Z0-9]*$/,
    maxLength: 253,
    form: 'must be a key of a Secret: letters, digits, "-", "_", "."',
    remedy: 'Write the key as `kubectl describe secret` shows it, for example psk.',
  }).meta({ description: 'Key in the Secret.', examples: ['psk'] }),
});

/**
 * The tunnel inside the guest. The VM's private key is made on its host and never appears here.
 *
 * The largest MTU is 1440: the tap carries 1500 bytes and WireGuard over IPv4 adds 60. A larger one would make
 * fragments, which the filter drops.
 */
export const wireGuardSchema = z.strictObject({
  peerPublicKey: wireGuardKeySchema.optional().meta({
    description: "The consumer's public key. Without it the guest gets network and firewall, but no tunnel.",
  }),
  presharedKeySecretRef: secretKeyRefSchema.optional().meta({
    description:
      'Where the pre-shared key is kept, if there is one: 32 bytes in base64, as `wg genpsk` prints them.',
    examples: [{ name: 'psk', key: 'psk' }],
  }),
  addresses: uniqueItems(cidrSchema, 16)
    .default([])
    .meta({
      description:
        "The VM's addresses inside the tunnel, each once, at most 16; for more name the network that holds them.",
      examples: [['10.99.0.2/32']],
    }),
  allowedIPs: uniqueItems(networkCidrSchema, 64)
    .default(['0.0.0.0/0' as z.infer<typeof networkCidrSchema>])
    .meta({
      description:
        'Networks that the VM reaches through the tunnel, each once, at most 64; for more name larger networks.',
      examples: [['0.0.0.0/0']],
    }),
  dns: uniqueItems(ipv4AddressSchema, 8)
    .default([])
    .meta({
      description:
        'Name servers for the VM, reached through the tunnel, each once, at most 8; for more let one of them forward.',
      examples: [['10.99.0.1']],
    }),
  persistentKeepaliveSeconds: z
    .int()
    .min(0)
    .max(65535)
    .default(25)
    .meta({ description: 'Seconds between keepalive datagrams of the VM; 0 sends none.', examples: [25] }),
  mtu: z
    .int()
    .min(1280)
    .max(1440)
    .default(1420)
    .meta({
      description:
        'MTU inside the tunnel in bytes, 1280 to 1440 (1500 less 60 bytes of WireGuard over IPv4).',
      examples: [1420],
    }),
  strict: z
    .boolean()
    .default(true)
    .meta({
      description:
        'Only WireGuard-shaped datagrams pass. false lets any UDP to the endpoint pass; the class must allow it.',
      examples: [true],
    }),
});

export type WireGuard = z.infer<typeof wireGuardSchema>;
