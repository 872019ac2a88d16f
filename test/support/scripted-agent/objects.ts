/** The tests' own view of the objects: what they read and write of them, from the API's description and no more. */
export interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  labels?: Record<string, string>;
  ownerReferences?: { kind: string; name: string; uid: string; controller?: boolean }[];
}

export interface AnyObject {
  apiVersion?: string;
  kind?: string;
  metadata: Metadata;
}

export interface ObjectList<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  observedGeneration?: number;
  lastTransitionTime: string;
}

export interface Endpoint {
  address: string;
  port: number;
}

export interface Network extends AnyObject {
  spec: Record<string, unknown> & { consumerEndpoint?: Endpoint };
  status?: {
    observedGeneration?: number;
    conditions?: Condition[];
    attachments?: { desired?: number; enforced?: number; summary?: string };
    endpoint?: string;
    droppedPackets?: number;
    peers?: { attachment: string; publicKey: string; addresses?: string[] }[];
  };
}

export interface SealedKey {
  recipient: string;
  secretUid: string;
  secretResourceVersion: string;
  ciphertext: string;
}

export interface Attachment extends AnyObject {
  spec: {
    nodeName: string;
    vm: { id: string; name: string; uuid?: string };
    interface: { mac: string };
    policy: Record<string, unknown> & {
      network: string;
      mode: string;
      enforcement: string;
      desiredState: string;
      consumerEndpoint?: Endpoint;
      previousEndpoint?: Endpoint & { until: string };
      className?: string;
      wireGuard?: { peerPublicKey?: string; addresses?: string[] };
    };
    policyGeneration: number;
    hash: string;
    sealedPresharedKey?: SealedKey;
  };
  status?: AttachmentStatus;
}

export interface AttachmentStatus {
  observedGeneration?: number;
  conditions?: Condition[];
  engine?: string;
  interface?: { name?: string; ifindex?: number; netns?: string };
  enforced?: Record<string, unknown> & { policyHash?: string; policyGeneration?: number };
  counters?: { allowed: number; dropped: number; droppedByReason: Record<string, number> };
  guest?: { publicKey: string; addresses?: string[] };
}

/** A card of a VM as an agent reports it. */
export interface Card {
  mac: string;
  name?: string;
  engine?: string;
  unsupported?: string;
}

/** A VM as an agent reports it. */
export interface Machine {
  id: string;
  name: string;
  uuid?: string;
  namespace?: string;
  labels?: Record<string, string>;
  interfaces: Card[];
}

export function conditionOf(
  object: { status?: { conditions?: Condition[] } } | null | undefined,
  type: string,
): Condition | undefined {
  return object?.status?.conditions?.find((condition) => condition.type === type);
}

/** One network card of one VM of one host: what may never have two attachments of two networks. */
export function cardOf({ spec }: Attachment): string {
  return `${spec.nodeName} ${spec.vm.id} ${spec.interface.mac}`;
}

export function keyOf({ metadata }: AnyObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}
