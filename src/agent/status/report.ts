import { keyOf } from '../../controller/vmnetwork/plan.ts';
import type { Problem } from '../../api/manifest.ts';
import type { PassResult } from '../attachment/pass.ts';
import type { ManifestSet } from '../source/manifest-set.ts';
import { attachmentStatus } from './attachment-status.ts';
import type { ConditionHistory } from './condition-history.ts';
import { networkStatus } from './network-status.ts';
import type { ViolationLog } from './violation-log.ts';
import { attachmentProblem, hostProblem } from './problems.ts';
import type { AgentInfo, AgentStatus } from './status.ts';

/** The whole status, rebuilt from what a pass saw; only the times of transition are remembered. */
export function reportStatus(
  agent: AgentInfo,
  set: ManifestSet,
  result: PassResult,
  history: ConditionHistory,
  violations: ViolationLog,
  now: string,
): AgentStatus {
  const sources = new Map(set.networks.map((source) => [keyOf(source.network), source]));
  const shown = result.attachments.filter(({ desired, observed }) => {
    return (
      desired.want !== 'gone' ||
      observed === null ||
      observed.link !== null ||
      observed.record.state !== 'absent'
    );
  });
  const attachments = shown.map((attachment) =>
    attachmentStatus(attachment, result.unreachable, now, violations),
  );
  const networks = result.networks.networks.flatMap((plan) => {
    const source = sources.get(plan.key);
    if (source === undefined) return [];
    const { file, network } = source;
    const generation = history.generationOf(plan.key, network);
    const own = attachments.filter(({ vm, network: bound }) => bound === plan.key && plan.vms.includes(vm));
    return [networkStatus({ plan, file, generation, attachments: own, spec: network.spec }, history)];
  });
  history.keepOnly(new Set(sources.keys()));
  violations.keepOnly(new Set(attachments.map(({ vm }) => vm)));
  return {
    agent,
    networks,
    attachments: attachments.sort((a, b) => (a.vm < b.vm ? -1 : 1)),
    problems: [
      ...set.problems,
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
      message,
    })),
    networks: before.networks.map((network) => ({
      ...network,
      conditions: network.conditions.map((condition) =>
        ['Enforced', 'Ready'].includes(condition.type)
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
