import type { AttachmentObject, ClassObject } from '../../../../src/agent/source/cluster/kinds.ts';
import { judgeAttachments } from '../../../../src/agent/source/cluster/judge.ts';
import type { JudgedAttachment } from '../../../../src/agent/source/cluster/judge.ts';
import {
  savedAttachment,
  savedClass,
  wishedAttachment,
  wishedClass,
} from '../../../../src/agent/source/cluster/wishes.ts';
import type { WishedAttachment, WishedClass } from '../../../../src/agent/source/cluster/wishes.ts';
import type { HostView } from '../../../../src/agent/source/wanted.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import { resolvedPolicySchema } from '../../../../src/api/v1alpha1/resolved-policy.ts';
import { policyHash } from '../../../../src/controller/vmnetwork/plan/policy-hash.ts';

export const NODE = 'node-1';
export const ENDPOINT = { address: '203.0.113.10', port: 51900 };

export interface AttachmentFields {
  vm?: string;
  mac?: string;
  namespace?: string;
  name?: string;
  uid?: string;
  generation?: number;
  deleting?: boolean;
  nodeName?: string;
  policyGeneration?: number;
  policy?: Record<string, unknown>;
  sealedPresharedKey?: Record<string, unknown>;
  hash?: string;
}

/** An attachment as the API server gives it; by default for the one card of VM `vm-a`. */
export function attachment(fields: AttachmentFields = {}): AttachmentObject {
  const { vm = 'vm-a', namespace = 't', name = `net-${vm}`, generation = 1, policyGeneration = 1 } = fields;
  const policy = resolvedPolicySchema.parse({ network: 'net', consumerEndpoint: ENDPOINT, ...fields.policy });
  const sealed = fields.sealedPresharedKey as Parameters<typeof policyHash>[1];
  return {
    apiVersion: 'vmnetwork.io/v1alpha1',
    kind: 'VMNetworkAttachment',
    metadata: {
      name,
      namespace,
      uid: fields.uid ?? `uid of ${namespace}/${name}`,
      generation,
      resourceVersion: '1',
      ...(fields.deleting === true ? { deletionTimestamp: '2026-01-31T12:00:00Z' } : {}),
    },
    spec: {
      nodeName: fields.nodeName ?? NODE,
      vm: { id: vm, name: vm },
      interface: { mac: fields.mac ?? identityOf(vm).guestMac },
      policyGeneration,
      policy,
      hash: fields.hash ?? policyHash(policy, sealed),
      ...(sealed === undefined ? {} : { sealedPresharedKey: sealed }),
    },
  };
}

const RANGES: unknown = { clusterRanges: ['10.96.0.0/12'] };

export function networkClass(
  spec: Record<string, unknown> = {},
  { name = 'default', status = RANGES }: { name?: string; status?: unknown } = {},
): ClassObject {
  return { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetworkClass', metadata: { name }, spec, status };
}

export const wished = (object: AttachmentObject): WishedAttachment =>
  wishedAttachment(savedAttachment(object));

export const classes = (...objects: ClassObject[]): ReadonlyMap<string, WishedClass> =>
  new Map(objects.map((object) => [object.metadata.name, wishedClass(savedClass(object))]));

/** A host that has these VMs. */
export function host(vms: readonly string[] = ['vm-a'], over: Partial<HostView> = {}): HostView {
  const taps = vms.map((vm, index) => {
    const { tap, guestMac } = identityOf(vm);
    return [tap, { vm, mac: guestMac, guestAddress: `100.64.0.${index + 2}` }] as const;
  });
  return {
    nodeName: NODE,
    holders: new Map(),
    taps: new Map(taps),
    cards: new Map(),
    closedSites: new Map(),
    heldTaps: new Set(),
    complete: true,
    nowNs: 0n,
    nowMs: 0,
    ...over,
  };
}

/** Judged by a class that allows what the built-in one does, unless others are given. */
export function judge(
  objects: readonly AttachmentObject[],
  view: HostView = host(),
  known: ReadonlyMap<string, WishedClass> = classes(networkClass()),
): JudgedAttachment[] {
  return judgeAttachments({
    attachments: objects.map(wished),
    classes: known,
    host: view,
    vms: [],
    untilNs: () => 5_000_000_000n,
  });
}
