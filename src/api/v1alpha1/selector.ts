import { z } from 'zod';
import { DNS_SUBDOMAIN_PATTERN } from './dns-1123.ts';
import { labelsSchema } from './label.ts';
import { uniqueItems } from './unique-items.ts';

const VM_NAME_PATTERN = /^[A-Za-z0-9]([-A-Za-z0-9_.:+@]{0,251}[A-Za-z0-9])?$/;

/** Name of a VM as its launcher knows it: QEMU `-name guest=`, libvirt domain, KubeVirt VMI, VZ VM. */
export const vmNameSchema = z
  .string()
  .max(253)
  .regex(VM_NAME_PATTERN, 'must be a VM name: letters, digits and "-_.:+@", at most 253 characters')
  .meta({ description: 'Name of a VM.', examples: ['rental-7f3a'] });

const uuidSchema = z
  .string()
  .regex(
    /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    'must be a UUID in lower case, in groups of 8-4-4-4-12 hexadecimal digits',
  )
  .meta({ description: 'SMBIOS UUID of a VM.', examples: ['6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11'] });

/** Which VMs a network is for. All given parts must match; a selector that names no VM is refused, not "all VMs". */
export const selectorSchema = z.strictObject({
  names: uniqueItems(vmNameSchema, 64)
    .default([])
    .meta({
      description: 'Names of VMs (QEMU -name guest=, libvirt domain, KubeVirt VMI).',
      examples: [['rental-7f3a']],
    }),
  uuids: uniqueItems(uuidSchema, 64)
    .default([])
    .meta({ description: 'SMBIOS UUIDs of VMs.', examples: [['6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11']] }),
  matchLabels: labelsSchema
    .default({})
    .meta({ description: 'Labels that the VM must carry.', examples: [{ tenant: 'a' }] }),
  nodeName: z
    .string()
    .max(253)
    .regex(new RegExp(`^$|${DNS_SUBDOMAIN_PATTERN.source}`), 'must be the DNS name of a node, or empty')
    .default('')
    .meta({ description: 'Only VMs on this host; empty for any host.', examples: ['node-3'] }),
});

export type Selector = z.infer<typeof selectorSchema>;

/** Whether at least one part names VMs; `nodeName` alone would mean "everything on that host". */
export function selectsSomething(
  selector: Pick<Partial<Selector>, 'names' | 'uuids' | 'matchLabels'>,
): boolean {
  // Asked of what failed its own check too, so a part may be null.
  const parts = [selector.names, selector.uuids, Object.keys(selector.matchLabels ?? {})];
  return parts.some((part) => (part ?? []).length > 0);
}
