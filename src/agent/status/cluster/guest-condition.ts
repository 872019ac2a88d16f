import type { VmNetworkAttachmentStatus } from '../../../api/v1alpha1/index.ts';
import type { PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import type { JudgedAttachment } from '../../source/cluster/judge.ts';
import type { CardOutcome } from './attachment-conditions.ts';

/** As long as attachment conditions are. */
const LONGEST_MESSAGE = 1024;

/**
 * `GuestProvisioned` of one attachment; null: nothing is known of it, or asked for. Pure. `True` needs a sign of the guest: see
 * guest/said.ts.
 *
 * @param sealedFault why its pre-shared key cannot be had; null: it can, or there is none
 */
export function guestCondition(
  { attachment }: JudgedAttachment,
  outcome: CardOutcome | null,
  sealedFault: string | null,
): PlannedCondition | null {
  const type = 'GuestProvisioned';
  if (attachment.deleting) return null;
  if (sealedFault !== null) return { type, status: 'False', reason: 'InvalidSecret', message: sealedFault };
  const said = outcome?.seen.provisioning?.said;
  if (said === undefined) return null;
  return { type, status: said.status, reason: said.reason, message: said.message.slice(0, LONGEST_MESSAGE) };
}

/** What the guest is given, for its consumer; never more than is public. */
export function guestReport(
  { attachment: { spec } }: JudgedAttachment,
  { seen }: CardOutcome,
): Pick<VmNetworkAttachmentStatus, 'guest'> {
  if (seen.guest === undefined) return {};
  const { publicKey, nextPublicKey } = seen.guest;
  const keys = nextPublicKey === undefined ? { publicKey } : { publicKey, nextPublicKey };
  const addresses = seen.provisioning === undefined ? undefined : spec?.policy.wireGuard?.addresses;
  return { guest: addresses === undefined ? keys : { ...keys, addresses } };
}
