import { z } from 'zod';
import { cidrSchema } from './cidr.ts';
import { conditionsSchema } from './conditions.ts';
import { dnsSubdomainSchema } from './dns-1123.ts';
import { reportedText } from './formed-text.ts';
import { listMap } from './list-map.ts';
import { quantitySchema } from './quantity.ts';
import { timestampSchema } from './timestamp.ts';
import { wireGuardKeySchema } from './wireguard-key.ts';

const attachmentsSchema = z.strictObject({
  desired: quantitySchema
    .optional()
    .meta({ description: 'Number of VM network cards that match.', examples: [1] }),
  enforced: quantitySchema
    .optional()
    .meta({ description: 'Number of those verified in the kernel.', examples: [1] }),
  summary: reportedText(64)
    .optional()
    .meta({ description: 'enforced/desired, for people.', examples: ['1/1'] }),
});

const peerSchema = z.strictObject({
  attachment: dnsSubdomainSchema.meta({
    description: 'Name of the VMNetworkAttachment.',
    examples: ['rental-7f3a-0'],
  }),
  publicKey: wireGuardKeySchema.meta({
    description: "The VM's public key, for the consumer's configuration.",
  }),
  nextPublicKey: wireGuardKeySchema.optional().meta({
    description: 'The key that it has from its next start on; to be added to the consumer before that.',
  }),
  addresses: z
    .array(cidrSchema)
    .max(16)
    .optional()
    .meta({ description: "The VM's addresses inside the tunnel.", examples: [['10.99.0.2/32']] }),
});

/** What was seen, never what was hoped for. */
export const vmNetworkStatusSchema = z.strictObject({
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Generation that this status speaks of.', examples: [3] }),
  conditions: conditionsSchema.optional().meta({
    description:
      'Accepted, Bound, Programmed, Enforced, GuestProvisioned, TunnelEstablished, GuestFirewallBypassed, Ready.',
    examples: [
      [
        {
          type: 'Enforced',
          status: 'True',
          reason: 'Verified',
          message: '1 of 1 attachments verified',
          observedGeneration: 3,
          lastTransitionTime: '2026-01-31T12:00:00Z',
        },
      ],
    ],
  }),
  endpoint: reportedText(64)
    .optional()
    .meta({ description: 'Endpoint in force, ADDRESS:PORT.', examples: ['203.0.113.10:51900'] }),
  attachments: attachmentsSchema.optional().meta({
    description: 'How many VM network cards match and are enforced.',
    examples: [{ desired: 1, enforced: 1 }],
  }),
  droppedPackets: quantitySchema
    .optional()
    .meta({ description: 'Packets dropped, all reasons and VMs; coarse and rate limited.', examples: [42] }),
  tunnel: z
    .strictObject({
      lastHandshake: timestampSchema.optional().meta({
        description:
          'When the last handshake was seen (RFC 3339); of several VMs the one that had none for longest. Absent while any has had none.',
      }),
    })
    .optional()
    .meta({
      description:
        'What was seen of the tunnels of those VMs where the network is in force; coarse and rate limited.',
      examples: [{ lastHandshake: '2026-01-31T12:00:00Z' }],
    }),
  peers: listMap(peerSchema, 'attachment', 256)
    .optional()
    .meta({
      description: 'What the consumer needs to let the VMs in.',
      examples: [
        [
          {
            attachment: 'rental-7f3a-0',
            publicKey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
            addresses: ['10.99.0.2/32'],
          },
        ],
      ],
    }),
});

export type VmNetworkStatus = z.infer<typeof vmNetworkStatusSchema>;
