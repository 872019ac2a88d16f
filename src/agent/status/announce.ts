import type { Logger } from '../../lib/log.ts';
import { formatProblem } from '../../api/manifest.ts';
import type { Problem } from '../../api/manifest.ts';
import type { AgentStatus, AttachmentStatus } from './status.ts';

/** Logs what differs between two statuses, one line a difference. Nothing differs: nothing is written. */
export function announceChanges(before: AgentStatus | null, after: AgentStatus, log: Logger): void {
  announceProblems(before?.problems ?? [], after.problems, log);
  announceAttachments(before?.attachments ?? [], after.attachments, log);
}

function announceProblems(before: readonly Problem[], after: readonly Problem[], log: Logger): void {
  const old = new Set(before.map(formatProblem));
  const current = new Set(after.map(formatProblem));
  for (const problem of after) if (!old.has(formatProblem(problem))) log.warn({ problem }, 'problem');
  for (const problem of before)
    if (!current.has(formatProblem(problem))) log.info({ problem }, 'problem solved');
}

function announceAttachments(
  before: readonly AttachmentStatus[],
  after: readonly AttachmentStatus[],
  log: Logger,
): void {
  const old = new Map(before.map((attachment) => [attachment.pins, attachment]));
  for (const { vm, tap, pins, network, state, message, inUse, violations } of after) {
    const last = old.get(pins);
    old.delete(pins);
    const { crossings } = violations;
    if (crossings !== null && crossings > 0 && crossings !== (last?.violations.crossings ?? crossings))
      log.warn(
        { vm, tap, network, crossings, last: violations.last.at(-1) },
        'threshold of violations reached',
      );
    if (last?.state === state && last.message === message && last.network === network && last.inUse === inUse)
      continue;
    log.info({ vm, tap, network, state, inUse, message }, 'attachment');
  }
  for (const { vm, tap } of old.values()) log.info({ vm, tap }, 'attachment gone');
}
