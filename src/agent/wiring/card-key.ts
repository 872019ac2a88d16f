import { createHash } from 'node:crypto';

/** A network card of a VM that somebody else started: what an attachment is for. */
export interface FoundCard {
  /** Identity of the VM on its host; see VmIdentity. */
  readonly vmId: string;
  /** The guest's, lower case. */
  readonly mac: string;
}

/** Names the record of a card, beside those of our taps. The card may come back on another interface. */
export function cardKeyOf({ vmId, mac }: FoundCard): string {
  return `card-${createHash('sha256').update(`${vmId}/${mac}`).digest('hex').slice(0, 10)}`;
}

export function isCardKey(name: string): boolean {
  return /^card-[0-9a-f]{10}$/.test(name);
}

export function isSameCard(a: FoundCard, b: FoundCard): boolean {
  return a.vmId === b.vmId && a.mac === b.mac;
}
