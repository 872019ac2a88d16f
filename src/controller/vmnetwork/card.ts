import { hash } from 'node:crypto';
import type { Attachment } from '../kinds.ts';
import { oncePerObject } from './once-per-object.ts';
import type { ReportedVm } from './selection.ts';

/** One network card of one VM of one host: what has at most one attachment. */
export interface Card {
  readonly nodeName: string;
  /** Identity of the VM on its host. */
  readonly vmId: string;
  readonly mac: string;
}

/** Longest name of an object (a DNS-1123 subdomain). */
const LONGEST_NAME = 253;
const HASH_DIGITS = 10;

/** A card as one text; none of the three can hold a newline. */
export function cardKey({ nodeName, vmId, mac }: Card): string {
  return `${nodeName}\n${vmId}\n${mac}`;
}

/** The same object for each version of an attachment. */
export const cardOf = oncePerObject(({ spec }: Attachment): Card => {
  return { nodeName: spec.nodeName, vmId: spec.vm.id, mac: spec.interface.mac };
});

/** The cards of a VM; a MAC address that is reported twice is one card. */
export function cardsOf({ nodeName, vm }: ReportedVm): Card[] {
  const macs = new Set((vm.interfaces ?? []).map(({ mac }) => mac as string));
  return [...macs].map((mac) => ({ nodeName, vmId: vm.id, mac }));
}

/**
 * Name of the attachment of one network for one card: always the same, so that a create whose answer was lost is found
 * again instead of repeated. The network's name is cut so that the whole fits.
 */
export function attachmentName(network: string, card: Card): string {
  // A name may not have "." before "-".
  const stem = network.slice(0, LONGEST_NAME - HASH_DIGITS - 1).replace(/[.-]+$/, '');
  return `${stem}-${digestOf(card)}`;
}

const digestOf = oncePerObject((card: Card): string =>
  hash('sha256', cardKey(card), 'hex').slice(0, HASH_DIGITS),
);
