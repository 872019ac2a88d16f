import { vmNetworkClassSchema, vmNetworkSchema } from '../../../../src/api/v1alpha1/index.ts';
import { CLOSED_FINALIZER } from '../../../../src/controller/kinds.ts';
import type { Attachment, Network, NetworkClass } from '../../../../src/controller/kinds.ts';
import type { PlannedSpec } from '../../../../src/controller/vmnetwork/attachment-plan.ts';
import type { SelectedVm } from '../../../../src/controller/vmnetwork/binding.ts';
import { policyHash } from '../../../../src/controller/vmnetwork/plan/policy-hash.ts';
import type { ReportedVm } from '../../../../src/controller/vmnetwork/selection.ts';

const API_VERSION = 'vmnetwork.io/v1alpha1';
export const ENDPOINT = { address: '203.0.113.10', port: 51900 };
export const NOW_MS = Date.parse('2026-01-31T12:00:00Z');

type Loose = Record<string, unknown>;

/** A network as the API server gives it, defaults filled in. */
export function network(name: string, spec: Loose = {}, metadata: Loose = {}): Network {
  const parsed = vmNetworkSchema.parse({
    apiVersion: API_VERSION,
    kind: 'VMNetwork',
    metadata: { name, namespace: 't' },
    spec: { consumerEndpoint: ENDPOINT, selector: { names: ['vm1'] }, ...spec },
  });
  return {
    ...parsed,
    metadata: {
      ...{ name, namespace: 't', uid: `uid-${name}`, generation: 1, resourceVersion: '1' },
      creationTimestamp: '2026-01-01T00:00:00Z',
      finalizers: [CLOSED_FINALIZER],
      ...metadata,
    },
  };
}

export function networkClass(name = 'default', spec: Loose = {}, status?: Loose): NetworkClass {
  const parsed = vmNetworkClassSchema.parse({
    apiVersion: API_VERSION,
    kind: 'VMNetworkClass',
    metadata: { name },
    spec,
  });
  return { ...parsed, ...(status === undefined ? {} : { status }) };
}

export function vm(name: string, more: Loose = {}, nodeName = 'n1'): ReportedVm {
  const interfaces = [{ mac: '02:00:00:00:00:01' }];
  return { nodeName, vm: { id: name, name, labels: {}, interfaces, ...more } as ReportedVm['vm'] };
}

export function selected(reported: ReportedVm, owner: Network): SelectedVm {
  return { ...reported, owner };
}

/** What the API server would store for a planned attachment. */
export function stored(
  owner: Network,
  planned: PlannedSpec,
  more: { metadata?: Loose; status?: Loose } = {},
): Attachment {
  const { name, card, policy, policyGeneration } = planned;
  const { name: ownerName, namespace = '', uid = '' } = owner.metadata;
  return {
    apiVersion: API_VERSION,
    kind: 'VMNetworkAttachment',
    metadata: {
      ...{ name, namespace, uid: `uid-${name}`, generation: 1, resourceVersion: '1' },
      finalizers: [CLOSED_FINALIZER],
      ownerReferences: [
        { apiVersion: API_VERSION, kind: 'VMNetwork', name: ownerName, uid, controller: true },
      ],
      ...more.metadata,
    },
    spec: {
      nodeName: card.nodeName,
      vm: { id: card.vmId, name: card.vm.name },
      interface: { mac: card.mac },
      policy,
      policyGeneration,
      hash: policyHash(policy, undefined),
    },
    ...(more.status === undefined ? {} : { status: more.status }),
  } as unknown as Attachment;
}

/** The status of an agent that enforces just this. */
export function enforcedStatus(attachment: Attachment, over: Record<string, [string, string]> = {}): Loose {
  const observedGeneration = attachment.metadata.generation;
  const said: Record<string, [string, string]> = {
    Programmed: ['True', 'Programmed'],
    Enforced: ['True', 'Verified'],
    ...over,
  };
  return {
    observedGeneration,
    conditions: Object.entries(said).map(([type, [status, reason]]) => ({
      ...{ type, status, reason, message: `the agent says ${reason}`, observedGeneration },
      lastTransitionTime: '2026-01-31T11:00:00Z',
    })),
    enforced: { policyHash: attachment.spec.hash, policyGeneration: attachment.spec.policyGeneration },
  };
}
