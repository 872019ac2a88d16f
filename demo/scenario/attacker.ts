import type { AttachmentStatus } from '../../src/agent/status/status.ts';
import type { Attacker } from './attempt.ts';

/** The guest of an attachment. */
export function attackerOf(
  attachment: AttachmentStatus,
  otherVm: string,
  endpoint: Attacker['endpoint'],
): Attacker {
  const { mac, gatewayMac, gatewayAddress } = attachment;
  return { mac, address: guestAddressOf(attachment), gatewayMac, gatewayAddress, endpoint, otherVm };
}

/** Throws when the agent has given it none. */
export function guestAddressOf({ vm, guestAddress }: AttachmentStatus): string {
  if (guestAddress === null) throw new Error(`the agent names no guest address of ${vm}`);
  return guestAddress;
}
