import type { PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import type { JudgedAttachment } from '../../source/cluster/judge.ts';
import { bypassText } from '../firewall-bypass.ts';
import type { CardOutcome } from './attachment-conditions.ts';

/** As long as attachment conditions are. */
const LONGEST_MESSAGE = 1024;

/** `GuestFirewallBypassed` of an attachment; null: its guest was given no firewall, as far as is known. Pure. */
export function bypassCondition(
  { attachment }: JudgedAttachment,
  outcome: CardOutcome | null,
): PlannedCondition | null {
  if (attachment.deleting || outcome?.seen.guest === undefined) return null;
  const { message, ...said } = bypassText(outcome.seen.bypass);
  return { type: 'GuestFirewallBypassed', ...said, message: message.slice(0, LONGEST_MESSAGE) };
}
