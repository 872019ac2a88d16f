import type { ConditionType } from '../../api/v1alpha1/conditions.ts';
import type { VmNetworkStatus } from '../../api/v1alpha1/vm-network-status.ts';
import { conditionIn } from './status.ts';

/** An Event to be told of a network. */
export interface PlannedEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

/** How many attachments a pass wrote. */
export interface Written {
  readonly created: number;
  readonly updated: number;
  readonly removed: number;
  /** What the API server said when it refused one. */
  readonly failure?: string | undefined;
}

/** What is worth an Event: what was written, and conditions whose status moved. Pure. */
export function planEvents(
  before: VmNetworkStatus | undefined,
  after: VmNetworkStatus,
  written: Written,
): PlannedEvent[] {
  const events: PlannedEvent[] = [];
  const normal = (reason: string, action: string, note: string) =>
    events.push({ type: 'Normal', reason, action, note });
  const warning = (reason: string, action: string, note: string) =>
    events.push({ type: 'Warning', reason, action, note });
  const moved = (type: ConditionType) => {
    const now = conditionIn(after, type);
    return now?.status === conditionIn(before, type)?.status ? undefined : now;
  };
  if (written.created > 0) normal('Attached', 'Attach', `made ${attachments(written.created)}`);
  if (written.updated > 0)
    normal('PolicyUpdated', 'Update', `gave ${attachments(written.updated)} a new policy`);
  if (written.removed > 0)
    normal('Detached', 'Detach', `asked the hosts of ${attachments(written.removed)} to deny`);
  if (written.failure !== undefined) warning('FailedToAttach', 'Attach', written.failure);
  const accepted = moved('Accepted');
  if (accepted !== undefined && accepted.status !== 'True')
    warning(accepted.reason, 'Accept', accepted.message);
  const bound = moved('Bound');
  if (bound?.reason === 'Conflict') warning('Conflict', 'Bind', bound.message);
  const enforced = moved('Enforced');
  if (enforced?.status === 'True') normal('EnforcementVerified', 'Enforce', enforced.message);
  // Denied is meant: deleted, refused, or without a VM; another Event says which.
  else if (
    enforced !== undefined &&
    enforced.reason !== 'Denied' &&
    conditionIn(before, 'Enforced')?.status === 'True'
  ) {
    warning('EnforcementLost', 'Enforce', enforced.message);
  }
  const programmed = conditionIn(after, 'Programmed');
  const isNew = programmed?.reason !== conditionIn(before, 'Programmed')?.reason;
  if (programmed !== undefined && isNew && FAILURES.has(programmed.reason) && written.failure === undefined) {
    warning('FailedToAttach', 'Attach', programmed.message);
  }
  return events;
}

const FAILURES: ReadonlySet<string> = new Set(['ProgrammingFailed', 'UnsupportedBackend']);

function attachments(count: number): string {
  return count === 1 ? '1 attachment' : `${count} attachments`;
}
