import { z } from 'zod';
import { dnsSubdomainSchema } from './dns-1123.ts';
import { formedText, reportedText } from './formed-text.ts';
import { macAddressSchema } from './mac-address.ts';
import { quantitySchema } from './quantity.ts';
import { resolvedPolicySchema } from './resolved-policy.ts';
import { uuidSchema } from './uuid.ts';
import { vmNameSchema } from './vm-name.ts';
import { sealingKeySchema } from './wireguard-key.ts';

const immutable = (what: string) => ({
  'x-kubernetes-validations': [
    {
      rule: 'self == oldSelf',
      message: `must not change: ${what}. Delete the attachment; the controller makes another for what is there now.`,
    },
  ],
});

const sealedPresharedKeySchema = z.strictObject({
  recipient: sealingKeySchema.meta({ description: 'The sealing key of the host that can open it.' }),
  secretUid: reportedText(128).meta({
    description: 'UID of the Secret that it was read from.',
    examples: ['0f7c1d1e-53c2-4a64-8a52-1f6d6a0f8f11'],
  }),
  secretResourceVersion: reportedText(128).meta({
    description: 'resourceVersion of that Secret.',
    examples: ['4711'],
  }),
  ciphertext: formedText({
    pattern: /^[A-Za-z0-9+/]*={0,2}$/,
    maxLength: 1024,
    form: 'must be base64, at most 1024 characters',
    remedy: 'Leave it to the controller, which seals the key.',
  }).meta({
    description:
      'Ephemeral X25519 key, nonce and sealed key in base64 (X25519, HKDF-SHA256, ChaCha20-Poly1305).',
    examples: ['q83vEjRWeJCrze8SNFZ4kA=='],
  }),
});

/** One network card of one VM, and what its host enforces there. */
export const vmNetworkAttachmentSpecSchema = z
  .strictObject({
    nodeName: dnsSubdomainSchema.meta({
      description: 'The host of the VM.',
      examples: ['node-3'],
      ...immutable('it names the host'),
    }),
    vm: z
      .strictObject({
        id: vmNameSchema.meta({
          description: 'Identity of the VM on its host: its uuid, else its name.',
          examples: ['6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11'],
        }),
        name: vmNameSchema.meta({ description: 'Name that the VM had when this was made.' }),
        uuid: uuidSchema.optional(),
      })
      .meta({
        description: 'The VM.',
        examples: [{ id: 'rental-7f3a', name: 'rental-7f3a' }],
        ...immutable('it names the VM'),
      }),
    // By its MAC alone: what the host calls it changes with each start of the VM, and stands in the status.
    interface: z
      .strictObject({
        mac: macAddressSchema,
      })
      .meta({
        description: 'Its network card. What its host calls it at present stands in status.interface.',
        examples: [{ mac: '02:76:1f:00:a2:4c' }],
        ...immutable('it names the network card'),
      }),
    policy: resolvedPolicySchema.meta({
      description:
        'What is enforced: the VMNetwork and its class, resolved. Fields mean what they mean there.',
      examples: [{ network: 'rental-7f3a', consumerEndpoint: { address: '203.0.113.10', port: 51900 } }],
    }),
    policyGeneration: quantitySchema
      .min(1)
      .default(1)
      .meta({
        description: 'Number that moves by one with each change of policy; the host echoes it.',
        examples: [7],
      }),
    hash: formedText({
      pattern: /^[0-9a-f]{64}$/,
      maxLength: 128,
      form: 'must be 64 hexadecimal digits',
      remedy: 'Leave it to the controller.',
    }).meta({
      description:
        'SHA-256 of policy and sealedPresharedKey as canonical JSON, in hexadecimal; the host echoes it.',
      examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
    }),
    sealedPresharedKey: sealedPresharedKeySchema.optional().meta({
      description: 'The pre-shared key of the tunnel, sealed so that only this host can open it.',
      examples: [
        {
          recipient: 'qEz+ioYxomxawZLvXHgdr0jGc5t+GjiAV7KyIY2UWos=',
          secretUid: '0f7c1d1e-53c2-4a64-8a52-1f6d6a0f8f11',
          secretResourceVersion: '4711',
          ciphertext: 'q83vEjRWeJCrze8SNFZ4kA==',
        },
      ],
    }),
  })
  .meta({
    // What the kernel holds is told by these two: a policy that changed under an old number would pass for enforced.
    'x-kubernetes-validations': [
      {
        rule: 'self.policyGeneration >= oldSelf.policyGeneration',
        fieldPath: '.policyGeneration',
        message: 'must not go back. Read the attachment again and add one.',
      },
      {
        rule: 'self.policy == oldSelf.policy || self.policyGeneration > oldSelf.policyGeneration',
        fieldPath: '.policyGeneration',
        message: 'must move with each change of policy. Add one.',
      },
    ],
  });

export type VmNetworkAttachmentSpec = z.infer<typeof vmNetworkAttachmentSpecSchema>;
