import type { ConditionReason, ConditionStatus } from '../../api/v1alpha1/conditions.ts';
import type { Policy } from '../../native/policy-abi.ts';
import type { TunnelSigns, Unanswered } from '../host/tunnel-signs.ts';

/*
 * Whether the guest's tunnel to its consumer stands, told from the shape of the datagrams that passed
 * (native/include/vmn/tunnel.h). Times are WireGuard's own (the paper, 6.1).
 */

/** REJECT_AFTER_TIME: the keys of an older handshake are dead at both ends. With traffic there is a new one every 120 s. */
const KEYS_LIVE_MS = 180_000;
/** REKEY_TIMEOUT: who is not answered within it asks again. */
const ANSWER_MS = 5_000;
/** REKEY_ATTEMPT_TIME, twice: who asked within it has not given up for good. */
const RECENT_MS = 180_000;

/** `TunnelEstablished` of one network card, and what it goes by. */
export interface TunnelStatus {
  readonly status: ConditionStatus;
  readonly reason: ConditionReason;
  readonly message: string;
  /** ISO 8601; absent: none was seen with the endpoint of now. */
  readonly lastHandshake?: string;
}

/** Of a userspace engine, which carries a tunnel and tells nothing of it. */
export const NOT_LOOKED_AT: TunnelStatus = {
  status: 'Unknown',
  reason: 'Pending',
  message: 'a userspace engine does not look at its tunnel yet',
};

/**
 * Pure.
 *
 * @param policy in force, read back; null: nothing passes, or that is not known
 * @param signs null: the filter in place does not look
 * @param now ISO 8601
 */
export function tunnelStatus(policy: Policy | null, signs: TunnelSigns | null, now: string): TunnelStatus {
  if (policy === null || policy.flags.quarantined)
    return { status: 'False', reason: 'Denied', message: 'nothing passes' };
  if (policy.endpoint === null)
    return { status: 'Unknown', reason: 'NotHostEnforced', message: 'mode Direct: the host does not look' };
  if (signs === null) {
    const message = 'the filter in place does not tell of tunnels; a current one takes its place soon';
    return { status: 'Unknown', reason: 'Pending', message };
  }
  const { address, port } = policy.endpoint;
  const isOfNow = signs.address === address && signs.port === port;
  const { handshakeAgoMs, unanswered } = isOfNow ? signs : NOTHING;
  if (handshakeAgoMs === null)
    return { status: 'False', reason: 'NoHandshake', message: missing(unanswered) };

  const lastHandshake = new Date(Date.parse(now) - handshakeAgoMs).toISOString();
  if (handshakeAgoMs < KEYS_LIVE_MS) {
    const message = 'the consumer answered a handshake, by the shape of what passed';
    return { status: 'True', reason: 'HandshakeSeen', message, lastHandshake };
  }
  const asker = askerOf(unanswered);
  if (asker !== null) {
    const message = `the last handshake is too old for its keys, and ${asker}`;
    return { status: 'False', reason: 'HandshakeStale', message, lastHandshake };
  }
  const message = 'the last handshake is too old for its keys, and neither side asks for a new one';
  return { status: 'Unknown', reason: 'Idle', message, lastHandshake };
}

const NOTHING: Pick<TunnelSigns, 'handshakeAgoMs' | 'unanswered'> = {
  handshakeAgoMs: null,
  unanswered: { vm: null, consumer: null },
};

function missing(unanswered: TunnelSigns['unanswered']): string {
  const asker = askerOf(unanswered);
  return asker === null ? 'neither the VM nor the consumer asked for a handshake lately' : asker;
}

/** Who asks in vain; null: nobody does, or not for so long that an answer is overdue. */
function askerOf({ vm, consumer }: TunnelSigns['unanswered']): string | null {
  if (isOverdue(vm))
    return 'the VM asks for one without an answer: is the consumer up, and does it have the public key of the VM?';
  if (isOverdue(consumer))
    return 'the consumer asks for one and the VM does not answer: is WireGuard up in the guest, with the public key of the consumer?';
  return null;
}

function isOverdue(asked: Unanswered | null): boolean {
  return asked !== null && asked.forMs >= ANSWER_MS && asked.agoMs < RECENT_MS;
}
