import { z } from 'zod';
import { conditionsSchema } from './conditions.ts';
import { reportedText } from './formed-text.ts';
import { quantitySchema } from './quantity.ts';
import { virtualMachinesSchema } from './virtual-machine.ts';
import { sealingKeySchema } from './wireguard-key.ts';

const platformSchema = z.strictObject({
  os: z.enum(['Linux', 'Darwin']).meta({ description: 'Operating system.', examples: ['Linux'] }),
  architecture: reportedText(32).meta({ description: 'Architecture of the CPU.', examples: ['amd64'] }),
  kernel: reportedText(128).meta({
    description: 'Release of the kernel.',
    examples: ['6.12.48+deb13-amd64'],
  }),
});

const feature = (description: string) =>
  z
    .boolean()
    .default(false)
    .meta({ description, examples: [true] });

const featuresSchema = z.strictObject({
  btf: feature('The kernel tells its own types (BTF), so one program fits all kernels.'),
  tcx: feature('Filters are attached by links (tcx, Linux 6.6 and newer).'),
  clsact: feature('Filters can hang on a clsact queueing discipline.'),
  ringbuf: feature('Events come through a ring buffer.'),
  bpffs: feature('bpffs is mounted: pins survive the agent.'),
});

/** What a host says of itself and of the VMs on it. */
export const vmNetworkNodeStatusSchema = z.strictObject({
  platform: platformSchema.optional().meta({
    description: 'What the host is.',
    examples: [{ os: 'Linux', architecture: 'amd64', kernel: '6.12.48+deb13-amd64' }],
  }),
  versions: z
    .strictObject({
      agent: reportedText(64)
        .optional()
        .meta({ description: 'Version of the agent.', examples: ['0.1.0'] }),
      program: reportedText(64)
        .optional()
        .meta({ description: "The kernel's tag of the filter program.", examples: ['a04f5eef06a7f555'] }),
    })
    .optional()
    .meta({ description: 'What runs there.', examples: [{ agent: '0.1.0' }] }),
  features: featuresSchema
    .optional()
    .meta({ description: 'What its kernel can do, found by trying.', examples: [{ btf: true, tcx: true }] }),
  sealingKey: sealingKeySchema.optional().meta({
    description: 'X25519 public key, 32 bytes in base64: pre-shared keys for this host are sealed to it.',
  }),
  conditions: conditionsSchema.optional().meta({
    description: 'Ready, BpfFsReady, Degraded.',
    examples: [
      [
        {
          type: 'Ready',
          status: 'True',
          reason: 'Ready',
          message: 'the agent enforces',
          lastTransitionTime: '2026-01-31T12:00:00Z',
        },
      ],
    ],
  }),
  virtualMachineCount: quantitySchema
    .max(1024)
    .optional()
    .meta({ description: 'Number of entries of virtualMachines, for `kubectl get`.', examples: [10] }),
  virtualMachines: virtualMachinesSchema.optional().meta({
    description: 'VMs found running, at most 1024. Absent: not told yet, and what stands there stays.',
    examples: [[{ id: 'rental-7f3a', name: 'rental-7f3a', interfaces: [{ mac: '02:76:1f:00:a2:4c' }] }]],
  }),
});

export type VmNetworkNodeStatus = z.infer<typeof vmNetworkNodeStatusSchema>;
