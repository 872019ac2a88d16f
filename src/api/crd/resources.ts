import { vmNetworkClassSchema } from '../v1alpha1/vm-network-class.ts';
import { vmNetworkSchema } from '../v1alpha1/vm-network.ts';
import type { PrinterColumn, Resource } from './custom-resource-definition.ts';

const conditionPath = (type: string) => `.status.conditions[?(@.type=="${type}")].status`;

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'Time since the object was made.',
  jsonPath: '.metadata.creationTimestamp',
};

/** Every kind that has a CRD. */
export const RESOURCES: readonly Resource[] = [
  {
    kind: 'VMNetwork',
    plural: 'vmnetworks',
    shortNames: ['vmn', 'vmnet'],
    scope: 'Namespaced',
    schema: vmNetworkSchema,
    columns: [
      { name: 'Mode', type: 'string', description: 'How much the host judges.', jsonPath: '.spec.mode' },
      { name: 'Endpoint', type: 'string', description: 'Endpoint in force.', jsonPath: '.status.endpoint' },
      {
        name: 'Ready',
        type: 'string',
        description: 'All that was asked for holds.',
        jsonPath: conditionPath('Ready'),
      },
      {
        name: 'Enforced',
        type: 'string',
        description: 'Read back from the kernel.',
        jsonPath: conditionPath('Enforced'),
      },
      {
        name: 'Attached',
        type: 'string',
        description: 'enforced/desired',
        jsonPath: '.status.attachments.summary',
      },
      AGE,
      {
        name: 'Class',
        type: 'string',
        description: 'VMNetworkClass.',
        jsonPath: '.spec.className',
        priority: 1,
      },
      {
        name: 'Drops',
        type: 'integer',
        description: 'Packets dropped.',
        jsonPath: '.status.droppedPackets',
        priority: 1,
      },
      {
        name: 'Tunnel',
        type: 'string',
        description: 'A WireGuard handshake was seen.',
        jsonPath: conditionPath('TunnelEstablished'),
        priority: 1,
      },
    ],
  },
  {
    kind: 'VMNetworkClass',
    plural: 'vmnetworkclasses',
    shortNames: ['vmnclass'],
    scope: 'Cluster',
    schema: vmNetworkClassSchema,
    columns: [
      { name: 'Modes', type: 'string', description: 'Allowed modes.', jsonPath: '.spec.allowedModes' },
      {
        name: 'Ceiling',
        type: 'string',
        description: 'Most severe violation action.',
        jsonPath: '.spec.maximumViolationAction',
        priority: 1,
      },
      AGE,
    ],
  },
];
