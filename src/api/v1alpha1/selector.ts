import { z } from 'zod';
import { DNS_SUBDOMAIN_PATTERN } from './dns-1123.ts';
import { formedText } from './formed-text.ts';
import { matchLabelsSchema } from './label.ts';
import { uniqueItems } from './unique-items.ts';
import { vmUuidSchema } from './uuid.ts';
import { vmNameSchema } from './vm-name.ts';

/** Which VMs a network is for. All given parts must match; a selector that names no VM is refused, not "all VMs". */
export const selectorSchema = z.strictObject({
  names: uniqueItems(vmNameSchema, 64)
    .default([])
    .meta({
      description:
        'Names of VMs (QEMU -name guest=, libvirt domain, KubeVirt VMI), each once, at most 64; for more VMs use matchLabels, or several VMNetworks.',
      examples: [['rental-7f3a']],
    }),
  uuids: uniqueItems(vmUuidSchema, 64)
    .default([])
    .meta({
      description:
        'SMBIOS UUIDs of VMs, each once, at most 64; for more VMs use matchLabels, or several VMNetworks. Not the Nil UUID, which QEMU gives to every VM without -uuid.',
      examples: [['6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11']],
    }),
  matchLabels: matchLabelsSchema.default({}).meta({
    description:
      'Labels that the VM must carry, all of them (KubeVirt: labels of the VMI), at most 32; for more leave out those that single out no VM.',
    examples: [{ tenant: 'a' }],
  }),
  nodeName: formedText({
    pattern: new RegExp(`^$|${DNS_SUBDOMAIN_PATTERN.source}`),
    maxLength: 253,
    form: 'must be the DNS name of a node, or empty',
    remedy: 'Write it as `kubectl get nodes` shows it, for example node-3.',
  })
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
