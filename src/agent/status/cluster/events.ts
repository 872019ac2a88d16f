import type { ConditionType } from '../../../api/v1alpha1/conditions.ts';
import type { VmNetworkAttachmentStatus } from '../../../api/v1alpha1/index.ts';
import type { EventRecorder } from '../../../kube/events/recorder.ts';
import type { AttachmentObject, NodeObject } from '../../source/cluster/kinds.ts';
import { isSameTuple } from './violation-tuples.ts';

/** Why an Event is told of an attachment, and of a host; docs/metrics.md says of each when. */
export const EVENT_REASONS = [
  'Attached',
  'PolicyUpdated',
  'FailedToAttach',
  'EnforcementVerified',
  'EnforcementLost',
  'Violation',
  'GuestFirewallBypassed',
  'Quarantined',
  'Terminated',
  'Undeclared',
] as const;
export type EventReason = (typeof EVENT_REASONS)[number];

/** An Event to be told of an attachment. */
export interface PlannedEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: EventReason;
  readonly action: string;
  readonly note: string;
}

/** Tells of attachments what their status does not show any more when somebody looks: that it changed. */
export class AttachmentEvents {
  readonly #recorder: EventRecorder;

  constructor(recorder: EventRecorder) {
    this.#recorder = recorder;
  }

  /** The API server took `object.status` in the place of `before`. An agent that starts anew tells nothing twice. */
  written(
    object: AttachmentObject,
    before: VmNetworkAttachmentStatus | undefined,
    killSwitch: boolean,
  ): void {
    for (const event of planAttachmentEvents(before, object.status ?? {}, killSwitch))
      this.#tell(object, event);
  }

  /** Its VM was ended. */
  terminated(object: AttachmentObject): void {
    const note = 'the VM was ended for its violations';
    this.#tell(object, { type: 'Warning', reason: 'Terminated', action: 'Terminate', note });
  }

  /** A card of this host is closed because nobody declared it. */
  undeclared(host: NodeObject, note: string): void {
    this.#tell(host, { type: 'Warning', reason: 'Undeclared', action: 'Deny', note });
  }

  #tell(object: AttachmentObject | NodeObject, { type, reason, action, note }: PlannedEvent): void {
    this.#recorder.event(object, type, reason, action, note);
  }
}

/**
 * What is worth an Event when a status takes the place of another. Pure.
 *
 * @param killSwitch the spec asks for the quarantine
 */
export function planAttachmentEvents(
  before: VmNetworkAttachmentStatus | undefined,
  after: VmNetworkAttachmentStatus,
  killSwitch: boolean,
): PlannedEvent[] {
  const events: PlannedEvent[] = [];
  const normal = (reason: EventReason, action: string, note: string) =>
    events.push({ type: 'Normal', reason, action, note });
  const warning = (reason: EventReason, action: string, note: string) =>
    events.push({ type: 'Warning', reason, action, note });

  const was = conditionsOf(before);
  const { programmed, enforced, bypassed } = conditionsOf(after);
  const message = programmed?.message ?? '';
  if (programmed?.status === 'True') {
    if (was.programmed?.status !== 'True') normal('Attached', 'Attach', message);
    else if (isNewPolicy(before, after)) normal('PolicyUpdated', 'Update', message);
  } else if (FAILURES.has(programmed?.reason ?? '') && programmed?.reason !== was.programmed?.reason) {
    warning('FailedToAttach', 'Attach', message);
  }
  if (enforced?.reason === 'Verified' && was.enforced?.status !== 'True')
    normal('EnforcementVerified', 'Enforce', enforced.message);
  if (enforced?.reason === 'Quarantined' && was.enforced?.reason !== 'Quarantined')
    (killSwitch ? normal : warning)('Quarantined', 'Quarantine', enforced.message);
  if (bypassed?.status === 'True' && was.bypassed?.status !== 'True')
    warning('GuestFirewallBypassed', 'Enforce', bypassed.message);
  if (enforced !== undefined && was.enforced?.status === 'True' && isLoss(enforced))
    warning('EnforcementLost', 'Enforce', enforced.message);
  // The note is one and the same, so that it is one Event however many rules are broken.
  if (hasNewEvidence(before, after))
    warning('Violation', 'Enforce', 'the VM tried what it may not: see status.lastViolations');
  return events;
}

const FAILURES: ReadonlySet<string> = new Set(['ProgrammingFailed', 'UnsupportedBackend']);

type Condition = NonNullable<VmNetworkAttachmentStatus['conditions']>[number];

const LOSSES: ReadonlySet<string> = new Set(['ReadBackMismatch', 'Detached', 'EngineLost']);

/** What is False because it was asked for, or because the card is gone, is no loss. */
function isLoss({ status, reason }: Condition): boolean {
  return status === 'Unknown' || LOSSES.has(reason);
}

/** The policy of an edit, in force. */
function isNewPolicy(
  before: VmNetworkAttachmentStatus | undefined,
  after: VmNetworkAttachmentStatus,
): boolean {
  const [old, now] = [before?.enforced?.policyHash, after.enforced?.policyHash];
  return old !== undefined && now !== undefined && old !== now;
}

/** That something was tried again is told by its count. */
function hasNewEvidence(
  before: VmNetworkAttachmentStatus | undefined,
  after: VmNetworkAttachmentStatus,
): boolean {
  const known = before?.lastViolations ?? [];
  return (after.lastViolations ?? []).some((tuple) => !known.some((other) => isSameTuple(tuple, other)));
}

function conditionsOf(status: VmNetworkAttachmentStatus | undefined) {
  const of = (wanted: ConditionType) => status?.conditions?.find(({ type }) => type === wanted);
  return { programmed: of('Programmed'), enforced: of('Enforced'), bypassed: of('GuestFirewallBypassed') };
}
