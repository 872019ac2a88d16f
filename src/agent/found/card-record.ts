import { VmnError } from '../../lib/errors.ts';
import { allocateAddress } from '../wiring/address-pool.ts';
import { cardKeyOf, isSameCard } from '../wiring/card-key.ts';
import type { FoundCard } from '../wiring/card-key.ts';
import type { ClosedTapPorts } from '../wiring/closed-tap.ts';
import { takenAddresses } from '../wiring/closed-tap.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import type { AttachmentRecord } from '../wiring/record.ts';

/**
 * Gives the card's guest an address, which it keeps while the record stands, on whatever interface it comes back. Idempotent.
 * Throws VMN_STATE_UNREADABLE, VMN_POOL_EXHAUSTED, VMN_TAP_NOT_OURS.
 */
export function makeRecord(card: FoundCard, { pool }: AttachmentPaths, ports: ClosedTapPorts): void {
  const { kernel, records } = ports;
  const key = cardKeyOf(card);
  ports.withStateLock(() => {
    const found = records.read(key);
    if (found.state === 'unreadable') throw found.error;
    if (found.state === 'ok') {
      if (isOf(found.record, card)) return;
      throw anotherCard(found.record, card);
    }
    records.write({
      version: 1,
      vm: card.vmId,
      tap: key,
      guestMac: card.mac,
      guestAddress: allocateAddress(`${card.vmId}/${card.mac}`, pool, takenAddresses(kernel, records)),
      network: null,
      claim: null,
      createdAt: new Date().toISOString(),
    });
  });
}

/** Whether it is this card's: two may lead to one key. */
export function isOf({ vm, guestMac }: AttachmentRecord, card: FoundCard): boolean {
  return isSameCard({ vmId: vm, mac: guestMac }, card);
}

export function anotherCard({ vm, guestMac, tap }: AttachmentRecord, { vmId, mac }: FoundCard): VmnError {
  return new VmnError('VMN_TAP_NOT_OURS', {
    attempted: `use the record of the network card ${mac} of VM ${vmId}`,
    on: tap,
    remedy: `It is that of the card ${guestMac} of VM ${vm}, which leads to the same key: give one of the two another address.`,
  });
}
