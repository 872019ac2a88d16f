import { z } from 'zod';
import { cidrSchema } from './cidr.ts';
import { conditionsSchema } from './conditions.ts';
import { formedText, reportedText } from './formed-text.ts';
import { interfaceName } from './interface-name.ts';
import { quantitySchema } from './quantity.ts';
import { timestampSchema } from './timestamp.ts';
import { uniqueItems } from './unique-items.ts';
import { wireGuardKeySchema } from './wireguard-key.ts';

/** What does the filtering on the host. */
export const ENGINES = ['tcx', 'clsact', 'userspace', 'portable', 'vz-filehandle', 'vz-nat'] as const;
export const engineSchema = z
  .enum(ENGINES)
  .meta({ description: `What does the filtering on the host: ${ENGINES.join(', ')}.`, examples: ['tcx'] });
export type Engine = z.infer<typeof engineSchema>;

const REASON = '[A-Za-z][A-Za-z0-9_-]{0,62}';

const interfaceSchema = z.strictObject({
  name: interfaceName(),
  ifindex: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .optional()
    .meta({ description: 'Index number of the interface.', examples: [17] }),
  netns: reportedText(64)
    .optional()
    .meta({ description: 'Network namespace that holds it.', examples: ['net:[4026531840]'] }),
});

const enforcedSchema = z.strictObject({
  policyHash: formedText({
    pattern: /^[0-9a-f]{64}$/,
    maxLength: 128,
    form: 'must be 64 hexadecimal digits',
    remedy: 'Echo spec.hash.',
  }).meta({
    description: 'spec.hash of the policy that was read back.',
    examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
  }),
  policyGeneration: quantitySchema
    .min(1)
    .meta({ description: 'policyGeneration of the policy that was read back.', examples: [7] }),
  programTag: reportedText(64)
    .optional()
    .meta({ description: "The kernel's tag of the program.", examples: ['a04f5eef06a7f555'] }),
  linkId: quantitySchema
    .optional()
    .meta({ description: 'Number of the link that holds the program.', examples: [31] }),
  verifiedAt: timestampSchema.meta({ description: 'When it was read back (RFC 3339).' }),
});

const countersSchema = z.strictObject({
  allowed: quantitySchema.default(0).meta({ description: 'Packets that passed.', examples: [123456] }),
  dropped: quantitySchema.default(0).meta({ description: 'Packets dropped, all reasons.', examples: [42] }),
  droppedByReason: z
    .record(
      z.string().regex(new RegExp(`^${REASON}$`), 'must be the name of a drop reason'),
      quantitySchema.meta({ description: 'Packets dropped for this reason.', examples: [42] }),
    )
    .refine((map) => Object.keys(map).length <= 128, 'must have at most 128 reasons')
    .optional()
    .meta({
      description: 'Packets dropped by reason; only reasons that occurred.',
      examples: [{ DestinationAddress: 42 }],
      maxProperties: 128,
      'x-kubernetes-validations': [
        {
          rule: `self.all(key, key.matches('^${REASON}$'))`,
          message: 'each key must be the name of a drop reason. See docs/drop-reasons.md.',
        },
      ],
    }),
});

const violationSeenSchema = z.strictObject({
  time: timestampSchema.meta({ description: 'When it was last seen (RFC 3339).' }),
  direction: z
    .enum(['FromVM', 'ToVM'])
    .meta({ description: 'Which way the packet was going.', examples: ['FromVM'] }),
  protocol: reportedText(32).meta({ description: 'Protocol.', examples: ['TCP'] }),
  address: reportedText(64)
    .optional()
    .meta({ description: 'The other side.', examples: ['192.0.2.1'] }),
  port: z
    .int()
    .min(0)
    .max(65535)
    .optional()
    .meta({ description: 'Port of the other side, where there are ports.', examples: [443] }),
  reason: formedText({
    pattern: new RegExp(`^${REASON}$`),
    maxLength: 63,
    form: 'must be the name of a drop reason',
    remedy: 'See docs/drop-reasons.md.',
  }).meta({ description: 'Why it was dropped.', examples: ['DestinationAddress'] }),
  packets: quantitySchema.meta({ description: 'How many packets like it.', examples: [3] }),
});

/** What was seen on the host; nobody but its agent writes it. */
export const vmNetworkAttachmentStatusSchema = z.strictObject({
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Generation that this status speaks of.', examples: [3] }),
  conditions: conditionsSchema.optional().meta({
    description:
      'Programmed, Enforced, Released, GuestProvisioned, TunnelEstablished, GuestFirewallBypassed.',
    examples: [
      [
        {
          type: 'Enforced',
          status: 'True',
          reason: 'Verified',
          message: 'read back',
          lastTransitionTime: '2026-01-31T12:00:00Z',
        },
      ],
    ],
  }),
  engine: engineSchema.optional(),
  interface: interfaceSchema
    .optional()
    .meta({ description: 'The interface that is filtered.', examples: [{ name: 'vmn-1106a16619' }] }),
  enforced: enforcedSchema.optional().meta({
    description: 'What was last read back from the kernel.',
    examples: [
      {
        policyHash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
        policyGeneration: 7,
        verifiedAt: '2026-01-31T12:00:00Z',
      },
    ],
  }),
  exposureMilliseconds: quantitySchema.optional().meta({
    description: 'Milliseconds, in all, that packets passed unjudged; 0 where the interface is born closed.',
    examples: [0],
  }),
  counters: countersSchema
    .optional()
    .meta({ description: 'Packets; coarse and rate limited.', examples: [{ allowed: 123456, dropped: 42 }] }),
  lastViolations: z
    .array(violationSeenSchema)
    .max(8)
    .optional()
    .meta({
      description: 'What the VM last tried, each kind once; at most 8.',
      examples: [
        [
          {
            time: '2026-01-31T12:00:00Z',
            direction: 'FromVM',
            protocol: 'TCP',
            address: '192.0.2.1',
            port: 443,
            reason: 'DestinationAddress',
            packets: 3,
          },
        ],
      ],
    }),
  guest: z
    .strictObject({
      publicKey: wireGuardKeySchema.optional().meta({ description: "The VM's public key." }),
      nextPublicKey: wireGuardKeySchema
        .optional()
        .meta({ description: 'The key that it has from its next start on.' }),
      addresses: uniqueItems(cidrSchema, 16)
        .optional()
        .meta({ description: "The VM's addresses inside the tunnel.", examples: [['10.99.0.2/32']] }),
    })
    .optional()
    .meta({
      description: 'What the guest was provisioned with.',
      examples: [{ publicKey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=' }],
    }),
  tunnel: z
    .strictObject({
      lastHandshake: timestampSchema
        .optional()
        .meta({ description: 'When the last handshake was seen (RFC 3339).' }),
    })
    .optional()
    .meta({
      description: 'What was seen of the tunnel.',
      examples: [{ lastHandshake: '2026-01-31T12:00:00Z' }],
    }),
});

export type VmNetworkAttachmentStatus = z.infer<typeof vmNetworkAttachmentStatusSchema>;
