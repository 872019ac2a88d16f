import { z } from 'zod';
import { API_VERSION } from './group-version.ts';
import { clusterMetadataSchema } from './metadata.ts';
import { vmNetworkNodeStatusSchema } from './vm-network-node-status.ts';

/** One host with its VMs. Cluster-wide, named like the node; made and written by the agent there. */
export const vmNetworkNodeSchema = z
  .strictObject({
    apiVersion: z
      .literal(API_VERSION)
      .meta({ description: 'Group and version of the API.', examples: [API_VERSION] }),
    kind: z
      .literal('VMNetworkNode')
      .meta({ description: 'Kind of the object.', examples: ['VMNetworkNode'] }),
    metadata: clusterMetadataSchema,
    spec: z
      .strictObject({})
      .prefault({})
      .meta({ description: 'Empty: there is nothing to wish for.', examples: [{}] }),
    status: vmNetworkNodeStatusSchema.optional().meta({
      description: "What the host says of itself and its VMs; written by the host's agent.",
      examples: [{ platform: { os: 'Linux', architecture: 'amd64', kernel: '6.12.48+deb13-amd64' } }],
    }),
  })
  .meta({ description: 'A VMNetworkNode is one host: what it can do, and the VMs that run on it.' });

export type VmNetworkNode = z.infer<typeof vmNetworkNodeSchema>;
export type VmNetworkNodeInput = z.input<typeof vmNetworkNodeSchema>;
export type { VmNetworkNodeStatus } from './vm-network-node-status.ts';
