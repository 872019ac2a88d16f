import type { PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import type { JudgedAttachment } from '../../source/cluster/judge.ts';
import type { CardOutcome } from './attachment-conditions.ts';

/** As long as attachment conditions are. */
const LONGEST_MESSAGE = 1024;

/** `GuestFirewallBypassed` of an attachment; null: its guest was given no firewall, as far as is known. Pure. See firewall-bypass.ts. */
export function bypassCondition(
  { attachment }: JudgedAttachment,
  outcome: CardOutcome | null,
): PlannedCondition | null {
  const type = 'GuestFirewallBypassed';
  if (attachment.deleting || outcome?.seen.guest === undefined) return null;
  const { bypass } = outcome.seen;
  if (bypass === undefined)
    return {
      type,
      status: 'False',
      reason: 'NoneSeen',
      message: 'nothing was seen that its firewall would have stopped',
    };
  const { since, reason, summary } = bypass;
  const message = `since ${since} it sends what its firewall stops (${reason}: ${summary}): that was removed, or something sends below it. The host drops it. It is told until the VM has ended`;
  return { type, status: 'True', reason: 'SentPastFirewall', message: message.slice(0, LONGEST_MESSAGE) };
}
