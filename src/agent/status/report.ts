import type { Problem } from '../../api/manifest.ts';
import type { PassResult } from '../attachment/pass.ts';
import { attachmentStatus } from './attachment-status.ts';
import type { ConditionHistory } from './condition-history.ts';
import { networkStatus } from './network-status.ts';
import type { Told } from './attachment-status.ts';
import { attachmentProblem, hostProblem } from './problems.ts';
import type { AgentInfo, AgentStatus } from './status.ts';

/** The whole status, rebuilt from what a pass saw; only the times of transition are remembered. */
export function reportStatus(
  agent: AgentInfo,
  result: PassResult,
  history: ConditionHistory,
  told: Told,
  now: string,
): AgentStatus {
  const shown = result.attachments.filter(({ desired, observed, found }) => {
    const isLeftOver = found !== undefined && observed?.link === null;
    return (
      (desired.want !== 'gone' && !isLeftOver) ||
      observed === null ||
      (found !== undefined && observed.pinned) ||
      observed.link !== null ||
      observed.record.state !== 'absent'
    );
  });
  const attachments = shown.map((attachment) => attachmentStatus(attachment, result.unreachable, now, told));
  const { wanted } = result;
  const networks = wanted.networks.map((declared) => {
    const { key, vms } = declared.plan;
    const generation = history.generationOf(declared);
    const own = attachments.filter(({ vm, network: bound }) => bound === key && vms.includes(vm));
    const unsupported = wanted.cards.flatMap(({ vmId: vm, mac, network, reason, unsupported: isSo }) =>
      network === key && isSo === true ? [{ vm, mac, reason }] : [],
    );
    return networkStatus({ ...declared, generation, attachments: own, unsupported }, history);
  });
  history.keepOnly(new Set(wanted.networks.map(({ plan }) => plan.key)));
  told.violations.keepOnly(new Set(attachments.map(({ pins }) => pins)));
  told.bypass.keepOnly(new Set(attachments.flatMap(({ pins, inUse }) => (inUse ? [pins] : []))));
  return {
    agent,
    networks,
    attachments: attachments.sort((a, b) => (a.vm < b.vm ? -1 : 1)),
    problems: [
      ...wanted.problems,
      ...result.problems.map(hostProblem),
      ...shown.flatMap((attachment) => attachmentProblem(attachment) ?? []),
    ],
  };
}

/**
 * A pass failed as a whole: what was read back before is no longer known to hold, so nothing is said to be enforced
 * until the next pass that succeeds.
 */
export function unverifiedStatus(before: AgentStatus, problem: Problem): AgentStatus {
  const message = `not verified: ${problem.message}`;
  return {
    ...before,
    attachments: before.attachments.map((attachment) => ({
      ...attachment,
      state: 'Error',
      enforced: null,
      tunnel: { status: 'Unknown', reason: 'Pending', message },
      message,
    })),
    networks: before.networks.map((network) => ({
      ...network,
      conditions: network.conditions.map((condition) =>
        ['Enforced', 'TunnelEstablished', 'Ready'].includes(condition.type)
          ? { ...condition, status: 'Unknown', reason: 'Pending', message }
          : condition,
      ),
    })),
    problems: [
      ...before.problems.filter(({ code, file }) => code !== problem.code || file !== problem.file),
      problem,
    ],
  };
}
