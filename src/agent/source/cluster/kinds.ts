import { GROUP, VERSION } from '../../../api/v1alpha1/group-version.ts';
import type { VmNetworkAttachmentStatus, VmNetworkNodeStatus } from '../../../api/v1alpha1/index.ts';
import type { KubeObject, ResourceType } from '../../../kube/resource.ts';

/*
 * What an agent reads and writes of the cluster. Specs are `unknown` until parsed: the API server checked them by the schema
 * of its own version, and a controller that was taken over may write what it likes within that.
 */

export interface AttachmentObject extends KubeObject {
  spec?: unknown;
  /** Ours alone. */
  status?: VmNetworkAttachmentStatus;
}

export interface ClassObject extends KubeObject {
  spec?: unknown;
  status?: unknown;
}

export interface NodeObject extends KubeObject {
  spec: Record<string, never>;
  status?: VmNetworkNodeStatus;
}

export const ATTACHMENTS = ours('vmnetworkattachments', 'VMNetworkAttachment', true);
export const CLASSES = ours('vmnetworkclasses', 'VMNetworkClass', false);
export const HOST_NODES = ours('vmnetworknodes', 'VMNetworkNode', false);

/** What the API server records as the writer of our fields. */
export const FIELD_MANAGER = 'vmnetwork-agent';

function ours(plural: string, kind: string, namespaced: boolean): ResourceType {
  return { group: GROUP, version: VERSION, plural, kind, namespaced };
}
