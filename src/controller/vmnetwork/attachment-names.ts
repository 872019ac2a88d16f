import { NIL_UUID } from '../../api/v1alpha1/uuid.ts';
import type { Attachment } from '../kinds.ts';
import { cardKey, cardOf } from './card.ts';

/** A network that has an attachment. By its uid too: one of a former network of that name is not its. */
export interface Holder {
  /** `namespace/name` */
  readonly key: string;
  readonly uid: string;
}

/** A VM as an attachment names it. */
export interface HeldVm {
  readonly nodeName: string;
  readonly vmId: string;
  /** Undefined also if it is one that tells no VM from another. */
  readonly uuid: string | undefined;
}

/** Indexes that the store must have. */
export const ATTACHMENT_INDEXERS = {
  /** `namespace/name` of the network that it names or that owns it. */
  network: (attachment: Attachment) => networksOf(attachment),
  card: (attachment: Attachment) => [cardKey(cardOf(attachment))],
  vm: ({ spec }: Attachment) => [vmKey(spec.nodeName, spec.vm.id)],
  uuid: (attachment: Attachment) => [vmOf(attachment).uuid ?? []].flat(),
  node: ({ spec }: Attachment) => [spec.nodeName],
  /** Those in the grace of a previous endpoint. */
  grace: ({ spec }: Attachment) => (spec.policy.previousEndpoint === undefined ? [] : ['grace']),
};

/** The network that an attachment names, and any other of its namespace that owns it; one, unless a hand changed it. */
export function networksOf({ metadata, spec }: Attachment): string[] {
  const names = new Set([spec.policy.network, ...controllersOf(metadata).map(({ name }) => name)]);
  return [...names].map((name) => `${metadata.namespace ?? ''}/${name}`);
}

/** Networks whose an attachment is. */
export function holdersIn({ metadata }: Attachment): Holder[] {
  return controllersOf(metadata).map(({ name, uid }) => ({
    key: `${metadata.namespace ?? ''}/${name}`,
    uid,
  }));
}

function controllersOf({ ownerReferences = [] }: Attachment['metadata']) {
  return ownerReferences.filter(({ controller, kind }) => controller === true && kind === 'VMNetwork');
}

export function vmOf({ spec: { nodeName, vm } }: Attachment): HeldVm {
  return { nodeName, vmId: vm.id, uuid: vm.uuid === NIL_UUID ? undefined : vm.uuid };
}

export const vmKey = (nodeName: string, vmId: string): string => `${nodeName}\n${vmId}`;
