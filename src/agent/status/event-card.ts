import type { FilterEvent } from '../../native/filter-engine.ts';
import type { AttachmentStatus } from './status.ts';

/*
 * Whose event it is. The kernel tells the number of the interface, which is unique within a network namespace only. Where two
 * attachments have it, the guest's MAC address in the frame decides, but only if the rule that was broken is judged after
 * the MAC addresses were found to be right (native/include/vmn/verdict.h): before that it is what a guest wrote. What cannot be
 * decided is nobody's: evidence against the wrong VM is worse than none.
 */

/** Reasons of which it is known that the Ethernet header was as the policy has it: from Vlan to NotWireGuard. */
const FIRST_AFTER_MACS = 23;
const LAST_AFTER_MACS = 44;

const MAC_BYTES = 6;

/** The attachment of the userspace engine of that record, which tells of nobody else's frames; null: none. */
export function servedBy<Card extends Pick<AttachmentStatus, 'engine' | 'pins'>>(
  record: string,
  attachments: readonly Card[],
): Card | null {
  return attachments.find(({ engine, pins }) => engine === 'userspace' && pins === record) ?? null;
}

/** The attachment that an event of the kernel's is about; null: none, or which one is not certain. */
export function attachmentOf<Card extends Pick<AttachmentStatus, 'ifindex' | 'mac'>>(
  event: Pick<FilterEvent, 'ifindex' | 'direction' | 'reason' | 'head'>,
  attachments: readonly Card[],
): Card | null {
  const fitting = attachments.filter(({ ifindex }) => ifindex === event.ifindex);
  const [only = null, another] = fitting;
  if (another === undefined) return only;
  if (event.reason < FIRST_AFTER_MACS || event.reason > LAST_AFTER_MACS) return null;
  const at = event.direction === 'from-vm' ? MAC_BYTES : 0;
  const mac = [...event.head.subarray(at, at + MAC_BYTES)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join(':');
  const [its = null, twin] = fitting.filter((one) => one.mac === mac);
  return twin === undefined ? its : null;
}
