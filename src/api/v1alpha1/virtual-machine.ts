import { z } from 'zod';
import { dnsLabelSchema } from './dns-1123.ts';
import { reportedText } from './formed-text.ts';
import { interfaceName } from './interface-name.ts';
import { reportedLabelsSchema } from './label.ts';
import { listMap } from './list-map.ts';
import { macAddressSchema } from './mac-address.ts';
import { uuidSchema } from './uuid.ts';
import { vmNameSchema } from './vm-name.ts';
import { engineSchema } from './vm-network-attachment-status.ts';

const virtualMachineInterfaceSchema = z.strictObject({
  mac: macAddressSchema,
  name: interfaceName().optional(),
  engine: engineSchema.optional().meta({ description: 'What can filter this card.' }),
  unsupported: reportedText(256)
    .optional()
    .meta({
      description: 'Why this card cannot be filtered; absent: it can.',
      examples: ['network backend user (slirp) has no interface on the host'],
    }),
});

/** A VM that a host found running. */
export const virtualMachineSchema = z.strictObject({
  id: vmNameSchema.meta({
    description: 'Identity of the VM on its host: its uuid, else its name.',
    examples: ['6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11'],
  }),
  name: vmNameSchema,
  uuid: uuidSchema.optional(),
  namespace: dnsLabelSchema
    .optional()
    .meta({ description: 'Namespace that the VM belongs to, where its launcher knows one (KubeVirt).' }),
  labels: reportedLabelsSchema.default({}).meta({
    description: 'Labels of the VM, at most 64 (KubeVirt: of the VMI).',
    examples: [{ tenant: 'a' }],
  }),
  interfaces: z
    .array(virtualMachineInterfaceSchema)
    .max(16)
    .default([])
    .meta({
      description: 'Network cards of the VM, at most 16.',
      examples: [[{ mac: '02:76:1f:00:a2:4c', name: 'vmn-1106a16619', engine: 'tcx' }]],
    }),
});

export const virtualMachinesSchema = listMap(virtualMachineSchema, 'id', 1024);

export type VirtualMachine = z.infer<typeof virtualMachineSchema>;
export type VirtualMachineInterface = z.infer<typeof virtualMachineInterfaceSchema>;
