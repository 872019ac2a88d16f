import { vmNetworkAttachmentSchema } from '../v1alpha1/vm-network-attachment.ts';
import { vmNetworkClassSchema } from '../v1alpha1/vm-network-class.ts';
import { vmNetworkNodeSchema } from '../v1alpha1/vm-network-node.ts';
import { vmNetworkSchema } from '../v1alpha1/vm-network.ts';
import { ATTACHMENT_COLUMNS, CLASS_COLUMNS, NETWORK_COLUMNS, NODE_COLUMNS } from './columns.ts';
import type { Resource } from './custom-resource-definition.ts';

/** Every kind that has a CRD. */
export const RESOURCES: readonly Resource[] = [
  {
    kind: 'VMNetwork',
    plural: 'vmnetworks',
    shortNames: ['vmn', 'vmnet'],
    scope: 'Namespaced',
    schema: vmNetworkSchema,
    columns: NETWORK_COLUMNS,
    selectable: ['.spec.className', '.spec.mode'],
  },
  {
    kind: 'VMNetworkClass',
    plural: 'vmnetworkclasses',
    shortNames: ['vmnclass'],
    scope: 'Cluster',
    schema: vmNetworkClassSchema,
    columns: CLASS_COLUMNS,
    selectable: [],
  },
  {
    kind: 'VMNetworkAttachment',
    plural: 'vmnetworkattachments',
    shortNames: ['vmna'],
    scope: 'Namespaced',
    schema: vmNetworkAttachmentSchema,
    columns: ATTACHMENT_COLUMNS,
    selectable: ['.spec.nodeName', '.spec.policy.network'],
  },
  {
    kind: 'VMNetworkNode',
    plural: 'vmnetworknodes',
    shortNames: ['vmnode'],
    scope: 'Cluster',
    schema: vmNetworkNodeSchema,
    columns: NODE_COLUMNS,
    selectable: [],
  },
];
