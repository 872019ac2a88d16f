/**
 * What an agent says of an attachment, as the real one will: what is enforced is told by a read-back, so by the hash and the
 * generation of what was read. ADR 12 is where the answers for each mode stand.
 */
import { createHash } from 'node:crypto';
import type { Behaviour } from './behaviour.ts';
import type { Attachment, AttachmentStatus, Card, Condition } from './objects.ts';

type Said = Pick<Condition, 'status' | 'reason' | 'message'>;

/** @param card the card as the host has it; undefined if it is gone */
export function answerTo(
  attachment: Attachment,
  card: Card | undefined,
  behaviour: Behaviour,
  now: Date,
): AttachmentStatus {
  const { metadata, spec } = attachment;
  const generation = metadata.generation ?? 1;
  const observedGeneration = behaviour.observedGeneration === 'right' ? generation : generation - 1;
  const leaving = metadata.deletionTimestamp !== undefined;
  const said = leaving ? farewell(card, behaviour) : report(attachment, card, behaviour);
  const before = attachment.status?.conditions ?? [];
  const conditions = Object.entries(said).map(([type, condition]): Condition => {
    const old = before.find((one) => one.type === type);
    const lastTransitionTime =
      old?.status === condition.status ? old.lastTransitionTime : `${now.toISOString().slice(0, 19)}Z`;
    return { type, ...condition, observedGeneration, lastTransitionTime };
  });
  const answer: AttachmentStatus = { observedGeneration, conditions };
  if (leaving || card === undefined || card.unsupported !== undefined || !behaviour.programs) return answer;
  return {
    ...answer,
    engine: card.engine ?? 'tcx',
    interface: { name: card.name ?? `tap-${spec.vm.id}`.slice(0, 15), ifindex: 7 },
    enforced: {
      policyHash: behaviour.policyHash === 'right' ? spec.hash : hashOf(`not ${spec.hash}`),
      policyGeneration: spec.policyGeneration,
      programTag: 'a1b2c3d4e5f60718',
      linkId: 42,
      verifiedAt: attachment.status?.enforced?.['verifiedAt'] ?? now.toISOString(),
    },
    counters: { allowed: 10, dropped: 3, droppedByReason: { DESTINATION: 3 } },
    ...(wantsGuest(attachment) && { guest: { publicKey: guestKeyOf(attachment) } }),
  };
}

function report(
  attachment: Attachment,
  card: Card | undefined,
  { programs }: Behaviour,
): Record<string, Said> {
  const guest: Said = wantsGuest(attachment)
    ? { status: 'True', reason: 'Provisioned', message: 'the seed image is inserted' }
    : { status: 'False', reason: 'NotRequested', message: 'no peerPublicKey' };
  const tunnel: Said = { status: 'Unknown', reason: 'NoHandshake', message: 'not seen yet' };
  const rest = { GuestProvisioned: guest, TunnelEstablished: tunnel };
  if (card?.unsupported !== undefined) {
    const why: Said = { status: 'False', reason: 'UnsupportedBackend', message: card.unsupported };
    return { Programmed: why, Enforced: why };
  }
  if (card === undefined) {
    const why: Said = { status: 'False', reason: 'Pending', message: 'no such card on this host' };
    return { Programmed: why, Enforced: why };
  }
  if (!programs) {
    const why: Said = { status: 'False', reason: 'ProgrammingFailed', message: 'out of memory for maps' };
    return { Programmed: why, Enforced: { ...why, reason: 'Denied' } };
  }
  return {
    Programmed: { status: 'True', reason: 'Programmed', message: 'the engine took the policy' },
    Enforced: enforced(attachment),
    ...rest,
  };
}

function enforced({ spec: { policy } }: Attachment): Said {
  if (policy.mode === 'Direct') {
    return { status: 'False', reason: 'NotHostEnforced', message: 'mode Direct: the host does not enforce' };
  }
  if (policy.desiredState === 'Quarantined') {
    return { status: 'True', reason: 'Quarantined', message: 'nothing passes' };
  }
  if (policy.enforcement === 'Audit') {
    return { status: 'False', reason: 'AuditOnly', message: 'counted, and let through' };
  }
  if (policy.mode === 'Sampled') {
    return { status: 'False', reason: 'SampledInPart', message: 'a share of the frames is judged' };
  }
  return { status: 'True', reason: 'Verified', message: 'read back from the kernel and found equal' };
}

function farewell(card: Card | undefined, { releases }: Behaviour): Record<string, Said> {
  const denied: Said = { status: 'False', reason: 'Denied', message: 'there is no policy in force' };
  if (!releases) return { Programmed: denied, Enforced: denied };
  const reason = card === undefined ? 'Gone' : 'Denied';
  const message = card === undefined ? 'the card is gone' : 'deny-all was read back';
  return { Programmed: denied, Enforced: denied, Released: { status: 'True', reason, message } };
}

function wantsGuest({ spec: { policy } }: Attachment): boolean {
  const delivery = (policy['cloudInit'] as { delivery?: string } | undefined)?.delivery;
  return policy.wireGuard?.peerPublicKey !== undefined && delivery !== 'None';
}

/** A key of the right form; the last two of its 256 bits are cleared, as canonical base64 of 32 bytes wants it. */
export function guestKeyOf({ spec }: Attachment): string {
  return createHash('sha256').update(`guest ${spec.vm.id} ${spec.interface.mac}`).digest('base64');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
